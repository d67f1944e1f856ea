#!/usr/bin/env python3
"""Evaluates a cascade: what the allocation gains, how good predictions are, what changes cost.

One command and one cascade a run, or everything (all). What was measured is kept as JSON lines in
--results and not measured again, so a run that was ended, or whose --max-seconds were over, is gone
on with by the same command. See docs/evaluation.md. Ends with 0 when all is measured, 3 when its
time was over before, 1 on a failure, and 2 on a mistake in its use.
"""

import argparse
import pathlib
import sys

from evaluation_bench import ALLOCATED, FIXED_PLANS
from evaluation_changes import run_drift, run_replan
from evaluation_grid import run_grid
from evaluation_lanes import jobs_of, run_jobs
from evaluation_predictions import run_model, run_profile, run_simulator
from evaluation_report import print_report
from measuring import ROWS_OF_A_REQUEST, TIME_OVER, Budget, Failed, TimeOver, end_on_sigterm

COMMANDS = {
    "profile": (run_profile, "measures the cascade's profile"),
    "grid": (run_grid, "goodput of plans at exit ratios and latency objectives"),
    "model": (run_model, "predicted rates of all plans beside measured ones, without gRPC"),
    "simulator": (run_simulator, "simulated latencies beside measured ones"),
    "drift": (run_drift, "the allocation of a daemon while exit ratios change"),
    "replan": (run_replan, "changes of plan under load"),
}
PLANS = (ALLOCATED, *FIXED_PLANS)
NEEDS_PROFILE = ("grid", "model", "simulator", "drift")


def parse_ratios(text):
    return [float(ratio) for ratio in text.split(",")]


def parse_limits(text):
    return [int(limit) for limit in text.split(",")]


def parse_plans(text):
    plans = text.split(",")
    unknown = [plan for plan in plans if plan not in PLANS]
    if unknown:
        raise argparse.ArgumentTypeError(f"{unknown[0]}: expected some of {', '.join(PLANS)}")
    return plans


def add_times(parser):
    """Lengths in seconds, and the number of repetitions."""
    group = parser.add_argument_group("lengths")
    group.add_argument("--max-seconds", type=float, default=540, help="of this run [540]")
    group.add_argument("--repeats", type=int, default=1, help="of the grid's sweeps")
    group.add_argument("--probe-seconds", type=float, default=2.0, help="of one rate of a sweep")
    group.add_argument("--sweep-seconds", type=float, default=40.0, help="at most")
    group.add_argument("--closed-loop-seconds", type=float, default=1.5)
    group.add_argument("--still-seconds", type=float, default=8.0,
                       help="of a steady load: simulator, replan")
    group.add_argument("--changes", type=int, default=5, help="of plan: replan")
    group.add_argument("--pause-seconds", type=float, default=3.0, help="between them")
    group.add_argument("--phase-seconds", type=float, default=75.0, help="of one exit ratio: drift")
    group.add_argument("--settle-seconds", type=float, default=30.0,
                       help="after a change that are not judged: drift")


def add_folders(parser):
    parser.add_argument("--bin", type=pathlib.Path, required=True, help="folder with the programs")
    parser.add_argument("--folder", type=pathlib.Path, required=True,
                        help="what make_benchmark_cascades.py wrote")
    parser.add_argument("--results", type=pathlib.Path, required=True)


def add_measurement(commands, name, text):
    parser = commands.add_parser(name, help=text)
    parser.add_argument("--cascade", required=True, help="its folder in --folder")
    add_folders(parser)
    parser.add_argument("--profile", type=pathlib.Path,
                        help="[RESULTS/profile_CASCADE.json]")
    parser.add_argument("--rows", type=int, help="samples in a request [that of the cascade, or 1]")
    parser.add_argument("--ratios", type=parse_ratios, default=[0.5] if name != "grid" else
                        [0.3, 0.5, 0.8], help="exit ratios of all stages but the last")
    parser.add_argument("--plans", type=parse_plans, default=PLANS,
                        help=f"of the grid [{','.join(PLANS)}]")
    parser.add_argument("--limits", type=parse_limits, default=[16, 32, 64],
                        help="on batches, of all plans: model [16,32,64]")
    parser.add_argument("--in-flight", type=int, default=512, help="samples in a closed loop [512]")
    parser.add_argument("--rate", type=float, help="samples per second: drift")
    add_times(parser)


def add_all(commands):
    parser = commands.add_parser(
        "all", help="all of that, for several cascades, on all GPUs side by side",
        description="Further options go to each command.")
    parser.add_argument("--cascades", type=lambda text: text.split(","), required=True,
                        help="their folders in --folder, the one that takes longest first")
    add_folders(parser)
    parser.add_argument("--gpus", type=lambda text: text.split(","), default=[None],
                        help="each takes one job at a time, with its part of the cores, as in "
                        "CUDA_VISIBLE_DEVICES [one job at a time]")
    parser.add_argument("--max-seconds", type=float, default=1800, help="of this run [1800]")


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    commands = parser.add_subparsers(dest="command", required=True)
    for name, (_, text) in COMMANDS.items():
        add_measurement(commands, name, text)
    add_all(commands)
    report = commands.add_parser("report", help="prints all results as Markdown")
    report.add_argument("results", type=pathlib.Path, metavar="FOLDER")
    arguments, further = parser.parse_known_args()
    if further and arguments.command != "all":
        parser.error(f"unrecognized arguments: {' '.join(further)}")
    return arguments, further


def run_all(arguments, further):
    common = ["--bin", arguments.bin, "--folder", arguments.folder, "--results", arguments.results,
              *further]
    jobs = [job for cascade in arguments.cascades for job in jobs_of(cascade, PLANS)]
    run_jobs(jobs, pathlib.Path(__file__), common, arguments.gpus, arguments.results,
             Budget(arguments.max_seconds))


def run(arguments, further):
    if arguments.command == "report":
        print_report(arguments.results)
        return
    if arguments.command == "all":
        run_all(arguments, further)
        return
    arguments.rows = arguments.rows or ROWS_OF_A_REQUEST.get(arguments.cascade, 1)
    arguments.profile = (arguments.profile
                         or arguments.results / f"profile_{arguments.cascade}.json")
    if arguments.command in NEEDS_PROFILE and not arguments.profile.exists():
        raise Failed(f"{arguments.profile} is not there: measure the profile first")
    COMMANDS[arguments.command][0](arguments, Budget(arguments.max_seconds))


def main():
    arguments, further = parse_arguments()
    end_on_sigterm()
    try:
        run(arguments, further)
    except TimeOver as over:
        print(f"evaluate.py: {over}; the same command goes on", file=sys.stderr)
        return TIME_OVER
    except Failed as failure:
        print(f"evaluate.py: {failure}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
