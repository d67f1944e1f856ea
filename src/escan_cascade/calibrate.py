"""escan-cascade calibrate: temperatures and thresholds from data, checked on a part held out."""

import json
import pathlib
import re
import shutil

import numpy as np
import yaml

from . import data, manifest as manifests, report, rules, served, statistics, thresholds, watched
from .errors import UserError

WORTH = 0.02  # of the cost: what is less is not worth advice or another rule


def parse_loss(text):
    found = re.fullmatch(r"([\d.]+)(%?)", text)
    value = float(found[1]) / (100 if found[2] else 1) if found else -1
    if not 0 < value < 1:
        raise UserError(f"--max-loss {text}: expected a part of all samples, as 0.5% or 0.005")
    return value


def split(samples, seed):
    """Two halves, at random: for finding, and held out."""
    order = np.random.default_rng(seed).permutation(samples)
    return order[:samples // 2], order[samples // 2:]


def write_calibrated(manifest, source, output, temperatures):
    """The models with their temperatures; those of another form than TorchScript stay as they are."""
    from . import package
    for model, temperature in zip(manifest["models"], temperatures):
        if model["file"].endswith(".pt"):
            package.with_temperature(source / model["file"], output / model["file"], temperature)
        else:
            shutil.copy(source / model["file"], output / model["file"])


def configuration(manifest, point, name, batch):
    """The served cascade. A stage that never exits has no score."""
    stages = []
    for index, model in enumerate(manifest["models"]):
        stage = {"name": model["name"], "model": model["file"],
                 "buckets": sorted({1, *(b for b in (4, 16, 64) if b < batch), batch})}
        if index < len(point.thresholds):
            stage["exit"] = ({"score": "max_probability", "threshold": float(point.thresholds[index])}
                             if np.isfinite(point.thresholds[index]) else {"score": "none"})
        stages.append(stage)
    return {"cascades": [{"name": name, **served.contract(manifest), "max_rows": max(128, batch),
                          "deadline": "10s", "probe": "probe.npz", "stages": stages}]}


def verdict(held_out, allowed):
    """What the held-out part says of the loss: a dictionary for the report."""
    low, high = statistics.paired_interval(held_out.gained, held_out.lost, held_out.samples)
    needed = statistics.samples_to_prove(held_out.gained, held_out.lost, held_out.samples, allowed)
    if -low <= allowed:
        text = f"proven: at most {allowed:.2%} is lost"
    elif -high > allowed:
        text = f"too much is lost: more than {allowed:.2%}; calibrate with more data"
    elif needed is None:
        text = f"not proven: the estimate itself is not below {allowed:.2%}; calibrate with more data"
    else:
        text = (f"not proven by {held_out.samples} held-out samples; {needed} would do, that is "
                f"{2 * needed} samples in all")
    return {"loss": held_out.loss, "interval": [-high, -low], "text": text, "samples_needed": needed}


def advice(names, scores, right, costs, allowed, finding, held_out, chosen):
    """[what dropping a stage saves on the held-out part], where it is worth it."""
    found = []
    for dropped in range(len(names) - 1):
        kept = [stage for stage in range(len(names)) if stage != dropped]
        other, _ = thresholds.choose(thresholds.all_points(
            scores[kept][:, finding], right[kept][:, finding], costs[kept]), allowed)
        point = thresholds.run(scores[kept][:, held_out], right[kept][:, held_out], costs[kept], other.thresholds)
        if point.cost < (1 - WORTH) * chosen.cost:
            found.append(f"drop {names[dropped]}: {chosen.cost:.1f} to {point.cost:.1f} us a sample, "
                         f"loss {point.loss:.2%} in place of {chosen.loss:.2%}")
    return found


def run(arguments, say):
    allowed = parse_loss(arguments.max_loss)
    source, output = pathlib.Path(arguments.models), pathlib.Path(arguments.output)
    manifest = manifests.read(source)
    if output.resolve() == source.resolve():
        raise UserError(f"-o {output}: the models' own folder: calibrated models are written beside them")
    inputs, labels = data.load(arguments.data, manifest, arguments.tokenizer)
    samples = len(next(iter(inputs.values())))
    finding, held_out = split(samples, arguments.seed)
    say(f"{samples} samples: {len(finding)} to find thresholds, {len(held_out)} held out")
    raw, _ = served.collect(manifest, source, inputs, arguments.batch)
    truth = raw[-1].argmax(1) if labels is None else labels
    temperatures = [statistics.fit_temperature(answers[finding], truth[finding]) for answers in raw]
    if labels is None:
        temperatures[-1] = 1.0
    output.mkdir(parents=True, exist_ok=True)
    for i, model in enumerate(manifest["models"]):
        if not model["file"].endswith(".pt"):
            say(f"{model['name']}: a compiled package keeps its temperature of 1, {temperatures[i]:.2f} "
                "was found: export it with --format torchscript to have it set")
            temperatures[i] = 1.0
    write_calibrated(manifest, source, output, temperatures)
    answers, costs = served.collect(manifest, output, inputs, arguments.batch)
    scores, right = answers.max(2), answers.argmax(2) == truth
    points = thresholds.all_points(scores[:, finding], right[:, finding], costs)
    found, proven = thresholds.choose(points, allowed)
    chosen = thresholds.run(scores[:, held_out], right[:, held_out], costs, found.thresholds)
    names = [model["name"] for model in manifest["models"]]
    result = {
        "samples": {"finding": len(finding), "held_out": len(held_out)},
        "labels": "of the data" if labels is not None else f"answers of {names[-1]}",
        "max_loss": allowed, "proven_while_finding": proven, **verdict(chosen, allowed),
        "cost_us": chosen.cost, "last_stage_cost_us": float(costs[-1]), "batch": arguments.batch,
        "stages": [{"name": name, "temperature": temperatures[i], "cost_us": float(costs[i]),
                    "accuracy": float(right[i, held_out].mean()), "exits": chosen.exits[i],
                    "threshold": found.thresholds[i] if i < len(found.thresholds)
                    and np.isfinite(found.thresholds[i]) else None,
                    "calibration_error": [statistics.calibration_error(
                        each[i, held_out].max(1), each[i, held_out].argmax(1) == truth[held_out])
                        for each in (raw, answers)]} for i, name in enumerate(names)],
        "advice": advice(names, scores, right, costs, allowed, finding, held_out, chosen),
        "other_rules": rules.tried(answers, truth, right, costs, allowed, finding, held_out, chosen, WORTH)}
    if chosen.cost > costs[-1]:
        result["advice"].append(f"serve {names[-1]} alone: {costs[-1]:.1f} us a sample, the cascade "
                                f"{chosen.cost:.1f}")
    config = configuration(manifest, found, arguments.name, arguments.batch)
    cascade = config["cascades"][0]
    watch, left_out = watched.calibration(cascade, scores)
    cascade["calibration"] = "calibration.json"
    if left_out:
        say(f"live scores are not compared at {', '.join(left_out)}: too few samples got there, or all "
            "with one score")
    (output / "escand.yaml").write_text(yaml.safe_dump(config, sort_keys=False))
    np.savez(output / "probe.npz", **{key: values[held_out[:16]] for key, values in inputs.items()})
    (output / "calibration.json").write_text(json.dumps(watch) + "\n")  # the server reads it
    result["served"] = check_served(output, config, inputs, held_out, truth, chosen, arguments)
    (output / "calibration.json").write_text(json.dumps({**watch, "report": result}, indent=1) + "\n")
    (output / "report.html").write_text(report.page(result, points, raw, answers, truth, held_out, found))
    show(result, output, arguments.json, say)


def check_served(output, config, inputs, held_out, truth, chosen, arguments):
    """Asks the written cascade for the held-out samples: it must exit as was predicted."""
    for cascade in config["cascades"]:
        cascade = cascade.copy()
        for stage in cascade["stages"]:
            stage["model"] = str((output / stage["model"]).resolve())
        cascade["probe"] = str((output / "probe.npz").resolve())
        if "calibration" in cascade:
            cascade["calibration"] = str((output / cascade["calibration"]).resolve())
        with served.Server({"cascades": [cascade]}, arguments.batch) as server:
            answers = server.ask(arguments.name, {key: values[held_out] for key, values in inputs.items()},
                                 "asking the cascade")
    exits = np.bincount(answers["exit_stage"] - 1, minlength=len(chosen.exits)) / len(held_out)
    if np.abs(exits - chosen.exits).max() > 0.01:
        raise UserError(f"the served cascade exits {exits.round(3).tolist()}, calibration predicts "
                        f"{np.round(chosen.exits, 3).tolist()}: answers are not repeatable")
    return {"exits": exits.tolist(),
            "accuracy": float((answers[served.OUTPUT].argmax(1) == truth[held_out]).mean())}


def show(result, output, as_json, say):
    if as_json:
        print(json.dumps(result, indent=1))
    low, high = result["interval"]
    say(f"loss {result['loss']:.2%} (95 %: {low:.2%} to {high:.2%}), {result['text']}")
    say(f"cost {result['cost_us']:.1f} us a sample, the last stage alone {result['last_stage_cost_us']:.1f}")
    for line in result["advice"] + [rule["text"] for rule in result["other_rules"] if rule["worth"]]:
        say(line)
    say(f"{output}/escand.yaml, {output}/report.html")
