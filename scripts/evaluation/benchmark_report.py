"""The figures of the benchmarks of tests/benchmarks as the tables of docs/performance.md.

A cell is the median of the repetitions, with the least and the greatest in parentheses.
"""

import collections
import json
import pathlib
import statistics

from evaluation.measuring import Failed
from evaluation.tables import print_table


def load(path):
    """Returns the context, and the repetitions of each benchmark by its name and arguments.

    "FrontEnd/row_bytes:784/iterations:1" becomes ("FrontEnd", {"row_bytes": "784", ...}). Raises
    Failed where a program noted an error in place of a measurement.
    """
    document = json.loads(path.read_text())
    repetitions = collections.defaultdict(list)
    for run in document["benchmarks"]:
        if run.get("error_occurred"):
            raise Failed(f"{run['name']}: {run['error_message']}")
        if run["run_type"] == "iteration":
            repetitions[run["run_name"]].append(run)
    benchmarks = []
    for name, runs in repetitions.items():
        words = [word.partition(":") for word in name.split("/")]
        arguments = {key: value for key, colon, value in words if colon}
        plain = "/".join(key for key, colon, _ in words if not colon)
        benchmarks.append((plain.removesuffix("/real_time"), arguments, runs))
    return document["context"], benchmarks


def cell(runs, key, form):
    values = [run[key] for run in runs]
    text = form.format(statistics.median(values))
    if len(values) == 1:
        return text
    return f"{text} ({form.format(min(values))}–{form.format(max(values))})"


def microseconds(runs, key):
    """Of a request, from seconds of a thousand requests."""
    return cell([{key: 1000 * run[key]} for run in runs], key, "{:.1f}")


def front_end_rows(benchmarks):
    for name, arguments, runs in benchmarks:
        if name == "FrontEnd":
            yield [
                f"{int(arguments['row_bytes']):,} B",
                cell(runs, "escand_requests_per_s", "{:,.0f}"),
                cell(runs, "echo_requests_per_s", "{:,.0f}"),
                cell(runs, "ratio", "{:.2f}"),
            ]


def processor_rows(benchmarks):
    for name, arguments, runs in benchmarks:
        if name == "FrontEnd":
            yield [
                f"{int(arguments['row_bytes']):,} B",
                microseconds(runs, "escand_cpu_s_per_1000"),
                microseconds(runs, "worker_cpu_s_per_1000"),
                microseconds(runs, "echo_cpu_s_per_1000"),
                cell([{"ratio": processor_ratio(run)} for run in runs], "ratio", "{:.2f}"),
                microseconds(runs, "client_cpu_s_per_1000"),
            ]


def processor_ratio(run):
    """Of the echo server to the daemon with its worker."""
    return run["echo_cpu_s_per_1000"] / (
        run["escand_cpu_s_per_1000"] + run["worker_cpu_s_per_1000"]
    )


def rest_rows(benchmarks):
    for name, arguments, runs in benchmarks:
        kind, _, moment = name.partition("/")
        if kind == "DaemonAtRest":
            yield [
                f"{moment.replace('_', ' ')}, {int(arguments['row_bytes']):,} B",
                cell(runs, "cpu_percent", "{:.2f} %"),
                cell(runs, "resident_mb", "{:.0f} MB"),
            ]


def engine_rows(benchmarks):
    for _, arguments, runs in benchmarks:
        yield [
            arguments["rows_a_request"],
            arguments["stages"],
            arguments["requests_under_way"],
            cell(runs, "items_per_second", "{:,.0f}"),
            cell(runs, "mean_batch_rows", "{:.1f}"),
        ]


def scheduler_rows(benchmarks):
    for _, arguments, runs in benchmarks:
        yield [arguments["rows_a_request"], cell(runs, "items_per_second", "{:,.0f}")]


def processor_model():
    for line in pathlib.Path("/proc/cpuinfo").read_text().splitlines():
        key, _, value = line.partition(":")
        if key.strip() == "model name":
            return value.strip()
    return "unknown"


def print_benchmark_report(folder):
    """`folder` has a file of JSON of each program, as Google Benchmark writes it."""
    scheduler_context, scheduler = load(folder / "scheduler_benchmark.json")
    _, engine = load(folder / "engine_benchmark.json")
    _, front_end = load(folder / "front_end_benchmark.json")
    print(
        f"{scheduler_context['num_cpus']} CPUs, {processor_model()}; load average before the run"
        f" {scheduler_context['load_avg'][0]:.1f}."
    )
    print_table("Front end", ["row", "escand, requests/s", "echo, requests/s", "ratio"],
                front_end_rows(front_end))
    print_table("Processor time of a request, µs",
                ["row", "escand", "worker", "echo", "ratio", "generator"],
                processor_rows(front_end))
    print_table("Daemon at rest", ["moment", "of one core", "resident"], rest_rows(front_end))
    print_table("Engine",
                ["rows a request", "stages", "requests under way", "samples/s", "mean batch rows"],
                engine_rows(engine))
    print_table("Scheduler", ["rows a request", "samples/s"], scheduler_rows(scheduler))
