"""The options of scripts/evaluate.py."""

import argparse
import pathlib

from evaluation.bench import ALLOCATED, FIXED_PLANS
from evaluation.recipes import CASCADES

PLANS = (ALLOCATED, *FIXED_PLANS)
MEASUREMENTS = {
    "profile": "measures the cascade's profile",
    "grid": "goodput of plans at exit ratios and latency objectives",
    "model": "predicted rates of all plans beside measured ones, without gRPC",
    "simulator": "simulated latencies beside measured ones",
    "drift": "the allocation of a daemon while exit ratios change",
    "replan": "changes of plan under load",
}


def parse_ratios(text):
    return [float(ratio) for ratio in text.split(",")]


def parse_limits(text):
    return [int(limit) for limit in text.split(",")]


def parse_cascades(text):
    names = text.split(",")
    unknown = [name for name in names if name not in CASCADES]
    if unknown:
        raise argparse.ArgumentTypeError(
            f"no cascade '{unknown[0]}', expected some of {','.join(CASCADES)}")
    return names


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
                        help="what the command cascades wrote")
    parser.add_argument("--results", type=pathlib.Path, required=True)


def add_measurement(commands, name):
    parser = commands.add_parser(name, help=MEASUREMENTS[name])
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


def add_cascades(commands):
    parser = commands.add_parser(
        "cascades", help="writes the benchmark cascades; needs torch",
        description="Writes cascades with random weights and exits that the client sets.")
    parser.add_argument("--output", type=pathlib.Path, required=True,
                        help="folder that gets one folder for each cascade")
    parser.add_argument("--cascades", type=parse_cascades, default=",".join(CASCADES),
                        metavar="NAME,...", help="default: %(default)s")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--small", action="store_true",
                        help="tiny networks of the same kinds and names, to try everything around "
                        "them on a CPU")


def add_grpc(commands):
    parser = commands.add_parser(
        "grpc", help="the best plan of a benchmark cascade through gRPC, beside an echo server",
        description="Serves the plan and batch limit with the most samples a second, and loads it "
        "in a closed loop of as many samples; then a bare echo server with the same sizes.")
    parser.add_argument("--bin", type=pathlib.Path, required=True, help="folder with escand")
    parser.add_argument("--echo", type=pathlib.Path, required=True, help="escan-echo-server")
    parser.add_argument("--folder", type=pathlib.Path, required=True,
                        help="what the command cascades wrote")
    parser.add_argument("--cascade", choices=CASCADES, required=True)
    parser.add_argument("--plans", type=pathlib.Path, required=True,
                        help="JSON lines of escan-cascade-benchmark")
    parser.add_argument("--rows", type=int, required=True, help="of a request")
    parser.add_argument("--exit-ratios", default="0.5,0.5")
    parser.add_argument("--seconds", type=float, default=6)
    parser.add_argument("--work", type=pathlib.Path, required=True, help="folder for logs")
    parser.add_argument("--output", type=pathlib.Path, required=True)


def add_report(commands, name, text):
    parser = commands.add_parser(name, help=f"prints {text} as Markdown")
    parser.add_argument("results", type=pathlib.Path, metavar="FOLDER")


def parse_arguments(description):
    """Returns the options, and those that the command all passes on."""
    parser = argparse.ArgumentParser(description=description)
    commands = parser.add_subparsers(dest="command", required=True)
    add_cascades(commands)
    for name in MEASUREMENTS:
        add_measurement(commands, name)
    add_all(commands)
    add_grpc(commands)
    add_report(commands, "report", "all results")
    add_report(commands, "gpu-report", "what gpu_test.sh --benchmark measured")
    add_report(commands, "benchmark-report", "the JSON of the programs that benchmark.sh runs")
    arguments, further = parser.parse_known_args()
    if further and arguments.command != "all":
        parser.error(f"unrecognized arguments: {' '.join(further)}")
    return arguments, further
