"""Holds what a plan answers against the right answers, before its figures mean anything.

The right ones lie beside a benchmark cascade, as evaluate.py cascades writes them:
samples.npz and expected.npz.
"""

import json
import pathlib
import re
import tempfile

from evaluation.measuring import Failed, start_generator

# Of requests, which go alone: the sizes that workers prepare, sizes between and beyond them.
ROWS = (1, 2, 4, 5, 16, 17, 32, 33, 64)
# Then so many at once, so that every worker has its part, with survivors of several in a batch.
MIXED_ROWS = 7
MIXED_REQUESTS = 300
MIXED_CONCURRENCY = 48
BAD_ANSWER = "BAD_ANSWER"  # the generator's name for answers that cannot be right


def exit_ratios_of(stage, stages):
    """Returns the ratios with which all samples exit at a stage, counted from 0."""
    return ",".join("1" if i == stage else "0" for i in range(stages - 1))


def most_rows(configuration):
    """Returns the rows that a request of the cascade may have."""
    found = re.search(r"^ +max_rows: (\d+)$", configuration.read_text(), re.MULTILINE)
    return int(found[1]) if found else 128


def loads(folder, stages, slots):
    """Yields the generator's flags of one load after the other."""
    most = most_rows(folder / "escand.yaml")
    for stage in range(stages):
        for rows in ROWS:
            if rows <= min(most, slots):
                yield ["--rows", rows, "--exit-ratios", exit_ratios_of(stage, stages),
                       "--concurrency", 1, "--once"]
    rows = min(MIXED_ROWS, most)
    yield ["--rows", rows, "--exit-ratios", ",".join(["0.5"] * (stages - 1)),
           "--concurrency", max(1, min(MIXED_CONCURRENCY, slots // 2 // rows)),
           "--requests", MIXED_REQUESTS]


def find_wrong_answer(daemon, folder, cores):
    """Returns what is wrong with the answers of the plan in effect, None if nothing is.

    `daemon` is an Escand that serves the cascade of `folder`; the generator stays on `cores`.
    """
    for name in ("samples.npz", "expected.npz"):
        if not (folder / name).exists():
            raise Failed(f"{folder / name} is not there: write the cascade again with "
                         "evaluate.py cascades")
    cascade = daemon.status()["cascades"][0]
    with tempfile.TemporaryDirectory(prefix="escan-verify-") as work:
        report = pathlib.Path(work) / "report.json"
        for flags in loads(folder, len(cascade["stages"]), cascade["slots"]):
            report.unlink(missing_ok=True)
            status = start_generator(daemon.folder, [
                "--target", daemon.address(), "--samples", folder / "samples.npz",
                "--expect", folder / "expected.npz", "--warmup", "0s", "--deadline", "30s",
                "--json", report, *(str(flag) for flag in flags)], cores).wait()
            if not report.exists():
                raise Failed(f"answers cannot be compared: the load generator ended with {status}")
            wrong = wrong_in(json.loads(report.read_text()))
            if wrong is not None:
                return wrong
    return None


def wrong_in(report):
    """Returns what is wrong with the answers of one load, None if nothing is."""
    compared = report["compared_samples"]
    if compared["wrong"] > 0:
        return compared["first_wrong"]
    for error in report["errors"]:
        if error["code"] != BAD_ANSWER:
            raise Failed(f"a request failed: {error['code']}: {error['first_message']}")
        return error["first_message"]
    if compared["unknown"] > 0 or compared["right"] == 0:
        return "samples left at a stage of which no right answer is known"
    return None
