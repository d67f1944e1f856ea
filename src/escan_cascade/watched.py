"""What the daemon compares live scores with: the file that `calibration:` of a cascade names.

Its format is that of docs/calibration.md.
"""

import numpy as np

BINS = 10
FEWEST = 5  # samples in a bin, as the daemon asks


def histogram(scores):
    """Bins of about equal probability: {"edges", "counts"}, or None where the scores make no two.

    Scores and edges are FP32; one that lies on an edge belongs to the bin above.
    """
    ordered = np.sort(np.asarray(scores, np.float32))
    edges, below = [], 0
    for part in range(1, BINS):
        edge = ordered[len(ordered) * part // BINS] if len(ordered) else 0
        until = int(np.searchsorted(ordered, edge, side="left"))
        if until - below >= FEWEST and len(ordered) - until >= FEWEST:
            edges.append(edge)
            below = until
    if not edges:
        return None
    bounds = [0, *(int(np.searchsorted(ordered, edge, side="left")) for edge in edges), len(ordered)]
    return {"edges": [float(edge) for edge in edges], "counts": np.diff(bounds).tolist()}


def calibration(config, scores):
    """The file's content, and the names of stages whose scores are too few or too equal to be compared.

    `config` is the cascade as it is served; `scores` FP32 [stages, samples], of all samples.
    """
    reached = np.ones(scores.shape[1], bool)
    stages, left_out = [], []
    for stage, own in zip(config["stages"], np.asarray(scores, np.float32)):
        rule = stage.get("exit", {"score": "max_probability"})
        told = {"name": stage["name"], "score": rule["score"]}
        if rule["score"] != "none":
            found = histogram(own[reached])
            if found is None:
                left_out.append(stage["name"])
            else:
                told["scores"] = found
        if "threshold" in rule:
            told["threshold"] = rule["threshold"]
            reached &= own < np.float32(rule["threshold"])
        stages.append(told)
    return {"version": 1, "cascade": config["name"], "stages": stages}, left_out
