"""Writes cascades, measures what the allocation gains, what changes cost, and prints the figures.

One command and one cascade a run, or everything (all). What was measured is kept as JSON lines in
--results and not measured again, so a run that was ended, or whose --max-seconds were over, is gone
on with by the same command. See docs/evaluation.md. Ends with 0 when all is measured, 3 when its
time was over before, 1 on a failure, and 2 on a mistake in its use.
"""

import pathlib
import sys

from evaluation.benchmark_report import print_benchmark_report
from evaluation.changes import run_drift, run_replan
from evaluation.gpu_report import print_gpu_report
from evaluation.grid import run_grid
from evaluation.grpc import run_grpc
from evaluation.lanes import jobs_of, run_jobs
from evaluation.measuring import (
    ROWS_OF_A_REQUEST,
    TIME_OVER,
    Budget,
    Failed,
    TimeOver,
    end_on_sigterm,
)
from evaluation.options import PLANS, parse_arguments
from evaluation.predictions import run_model, run_profile, run_simulator
from evaluation.report import print_report

PROGRAM = pathlib.Path(__file__).resolve().parents[1] / "evaluate.py"
MEASUREMENTS = {
    "profile": run_profile,
    "grid": run_grid,
    "model": run_model,
    "simulator": run_simulator,
    "drift": run_drift,
    "replan": run_replan,
}
NEEDS_PROFILE = ("grid", "model", "simulator", "drift")
REPORTS = {
    "report": print_report,
    "gpu-report": print_gpu_report,
    "benchmark-report": print_benchmark_report,
}


def run_all(arguments, further):
    common = ["--bin", arguments.bin, "--folder", arguments.folder, "--results", arguments.results,
              *further]
    jobs = [job for cascade in arguments.cascades for job in jobs_of(cascade, PLANS)]
    run_jobs(jobs, PROGRAM, common, arguments.gpus, arguments.results,
             Budget(arguments.max_seconds))


def run_measurement(arguments):
    arguments.rows = arguments.rows or ROWS_OF_A_REQUEST.get(arguments.cascade, 1)
    arguments.profile = (arguments.profile
                         or arguments.results / f"profile_{arguments.cascade}.json")
    if arguments.command in NEEDS_PROFILE and not arguments.profile.exists():
        raise Failed(f"{arguments.profile} is not there: measure the profile first")
    MEASUREMENTS[arguments.command](arguments, Budget(arguments.max_seconds))


def run(arguments, further):
    if arguments.command == "cascades":
        from evaluation.cascades import write_cascades  # all else does without torch
        write_cascades(arguments)
    elif arguments.command in REPORTS:
        REPORTS[arguments.command](arguments.results)
    elif arguments.command == "all":
        run_all(arguments, further)
    elif arguments.command == "grpc":
        run_grpc(arguments)
    else:
        run_measurement(arguments)


def main():
    arguments, further = parse_arguments(__doc__.split("\n", maxsplit=1)[0])
    end_on_sigterm()
    try:
        run(arguments, further)
    except TimeOver as over:
        print(f"{PROGRAM.name}: {over}; the same command goes on", file=sys.stderr)
        return TIME_OVER
    except Failed as failure:
        print(f"{PROGRAM.name}: {failure}", file=sys.stderr)
        return 1
    return 0
