"""Other exit rules, tried to see whether they would be worth serving."""

import numpy as np

from . import thresholds


def by_class(answers, right, finding):
    """The stage's accuracy at its confidence, within the class that it answers.

    A class's scores are replaced by the fraction that is right among the samples of the finding part
    with the nearest scores of that class (a moving window of a quarter of them).
    """
    scores = answers.max(2).copy()
    for stage in range(len(answers)):
        predicted = answers[stage].argmax(1)
        for each in np.unique(predicted):
            known = finding[predicted[finding] == each]
            if len(known) < 20:
                continue
            order = known[np.argsort(scores[stage, known])]
            window = max(5, len(order) // 4)
            smooth = np.convolve(np.pad(right[stage, order].astype(float), window // 2, mode="edge"),
                                 np.ones(window) / window, "same")[window // 2:window // 2 + len(order)]
            smooth = np.maximum.accumulate(smooth)
            mine = predicted == each
            scores[stage, mine] = np.interp(answers[stage, mine].max(1), answers[stage, order].max(1), smooth)
    return scores


def learnt(answers, right, finding):
    """Logistic regression of being right on log p, margin and entropy, by Newton's method."""
    scores = np.empty(answers.shape[:2])
    for stage, p in enumerate(answers):
        top = np.sort(p, 1)[:, -2:]
        features = np.column_stack([np.ones(len(p)), np.log(top[:, 1]), top[:, 1] - top[:, 0],
                                    -(p * np.log(np.maximum(p, 1e-30))).sum(1)])
        x, y, weights = features[finding], right[stage, finding], np.zeros(4)
        for _ in range(25):
            q = 1 / (1 + np.exp(-np.clip(x @ weights, -30, 30)))
            hessian = x.T @ (x * (q * (1 - q))[:, None]) + 1e-2 * np.eye(4)
            weights -= np.linalg.solve(hessian, x.T @ (q - y) + 1e-2 * weights)
        scores[stage] = 1 / (1 + np.exp(-np.clip(features @ weights, -30, 30)))
    return scores


def tried(answers, truth, right, costs, allowed, finding, held_out, chosen, worth):
    """[{"rule", "cost_us", "loss", "worth", "text"}], figures of the held-out part.

    Worth it is a rule that costs at least `worth` less and loses no more than what was chosen.
    """
    p = answers.astype(np.float64)
    second = np.sort(p, 2)
    entropy = 1 + (p * np.log(np.maximum(p, 1e-30))).sum(2) / np.log(p.shape[2])
    results = []
    for name, scores in (("margin", second[..., -1] - second[..., -2]), ("entropy", entropy),
                         ("by class", by_class(answers, right, finding)),
                         ("learnt score", learnt(p, right, finding))):
        found, _ = thresholds.choose(thresholds.all_points(scores[:, finding], right[:, finding], costs), allowed)
        point = thresholds.run(scores[:, held_out], right[:, held_out], costs, found.thresholds)
        gain = 1 - point.cost / chosen.cost
        is_worth = gain > worth and point.loss <= max(chosen.loss, 0.0)
        results.append({"rule": name, "cost_us": point.cost, "loss": point.loss, "worth": is_worth,
                        "text": f"exits by {name} in place of max_probability: {gain:.1%} cheaper on held-out "
                                f"data, loss {point.loss:.2%}"})
    return results
