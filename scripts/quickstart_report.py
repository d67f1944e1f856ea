#!/usr/bin/env python3
"""Prints two reports of escan-loadgen side by side: a cascade, and its last stage alone.

usage: quickstart_report.py CASCADE.json LAST_STAGE.json

Exits with 1 when a request of either failed.
"""

import json
import pathlib
import sys


def percent(ratio):
    return f"{100 * ratio:.2f} %"


def rows(cascade, alone):
    """Yields (name, cascade's figure, the last stage's figure)."""
    yield "", "cascade", "large stage only"
    yield "accuracy", percent(cascade["accuracy"]), percent(alone["accuracy"])
    for stage in cascade["exits"]:
        yield f"left at stage {stage['stage']}", percent(stage["share"]), "-"
    rate = "achieved_samples_per_s"
    yield "samples/s", f"{cascade[rate]:.0f}", f"{alone[rate]:.0f}"
    for percentile in ("p50", "p95", "p99"):
        yield (
            f"latency {percentile}, ms",
            f"{cascade['latency_ms'][percentile]:.1f}",
            f"{alone['latency_ms'][percentile]:.1f}",
        )


def main():
    runs = [json.loads(pathlib.Path(name).read_text()) for name in sys.argv[1:3]]
    for run in runs:
        if run["requests"]["failed"]:
            print("requests failed:", json.dumps(run["errors"]), file=sys.stderr)
            return 1
    for name, cascade, alone in rows(*runs):
        print(f"{name:<20}{cascade:>12}{alone:>20}")
    speedup = runs[0]["achieved_samples_per_s"] / runs[1]["achieved_samples_per_s"]
    print(f"{runs[0]['samples']} samples each; the cascade did {speedup:.1f} times as many a second.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
