"""What scripts/gpu_test.sh --benchmark measured as the tables of docs/performance.md.

Tables that were not measured, or not to their end, are left out or shorter.
"""

import json

from evaluation.tables import WRONG, print_table, print_wrong

CASCADES = ("heavy", "cifar", "text")
ALONE = "only "  # begins the name of a plan that keeps the device busy with one stage


def load_lines(folder, name):
    """Returns the JSON lines of a table, of an unfinished one too."""
    for path in (folder / f"{name}.json", folder / f"{name}.json.partial"):
        if path.exists():
            return [json.loads(line) for line in path.read_text().splitlines()]
    return []


def step_rows(lines):
    for line in lines:
        yield [
            f"{line['rows']}",
            f"{line['replay_us']:,.0f}",
            f"{line['transfer_us']:,.0f}",
            f"{line['step_us']:,.0f}",
            f"{line['step_allowed_us']:,.0f}",
            f"{line['steady_step_us']:,.0f}",
            f"{line['steady_part_of_replay_rate']:.2f}",
            f"{line['cpu_seconds_per_1000_samples']:.3f}",
        ]


def of_stages(stages, key, form):
    return " / ".join(form.format(stage[key]) for stage in stages)


def saturated_rates(records):
    """Returns the highest rate of each stage alone: {batch limit: {stage: samples a second}}."""
    rates = {}
    for record in records:
        key = record["key"]
        if key["plan"].startswith(ALONE) and "wrong" not in record:
            stage = key["plan"].split()[1]
            at_limit = rates.setdefault(key["limit"], {})
            at_limit[stage] = max(at_limit.get(stage, 0.0), record["samples_per_second"])
    return rates


def limit_of(record, rates):
    """Returns the rate at which the samples' steps take the whole device, or None if unknown.

    1 / sum of reach x seconds per sample, each stage at its batch limit with the device saturated.
    """
    stages = list(rates.get(record["key"]["limit"], {}).values())
    ratios = record["key"]["exit_ratios"]
    if len(stages) != len(ratios) + 1:
        return None
    seconds, reach = 0.0, 1.0
    for rate, ratio in zip(stages, [*ratios, 1.0]):
        seconds += reach / rate
        reach *= 1.0 - ratio
    return 1.0 / seconds


def plan_rows(records):
    rates = saturated_rates(records)
    for record in records:
        key = record["key"]
        if key["plan"].startswith(ALONE):
            continue
        if "wrong" in record:
            yield [key["plan"], str(key["limit"]), WRONG, *[""] * 6]
            continue
        limit = limit_of(record, rates)
        yield [
            key["plan"],
            str(key["limit"]),
            f"{record['samples_per_second']:,.0f}",
            f"{record['samples_per_second'] / limit:.2f}" if limit else "",
            f"{record['p50_seconds'] * 1e3:.1f}",
            f"{record['p99_seconds'] * 1e3:.1f}",
            of_stages(record["stages"], "mean_batch", "{:.1f}"),
            f"{record['daemon_cpu_seconds_per_1000']:.3f}",
            f"{record['worker_cpu_seconds_per_1000']:.3f}",
        ]


def alone_rows(records):
    for record in records:
        key = record["key"]
        if not key["plan"].startswith(ALONE):
            continue
        _, stage, workers = key["plan"].split()
        if "wrong" in record:
            yield [stage, workers.replace("x", " × ") + " %", str(key["limit"]), WRONG, "", ""]
            continue
        yield [
            stage,
            workers.replace("x", " × ") + " %",
            str(key["limit"]),
            f"{record['samples_per_second']:,.0f}",
            f"{record['daemon_cpu_seconds_per_1000']:.3f}",
            f"{record['worker_cpu_seconds_per_1000']:.3f}",
        ]


def load_grpc(folder):
    """Returns what was measured through gRPC, of each cascade."""
    paths = [folder / f"grpc_{cascade}.json" for cascade in CASCADES]
    texts = [path.read_text() for path in paths if path.exists()]
    return [json.loads(text) for text in texts if text]  # a run that ended early left it empty


def grpc_rows(results):
    for result in results:
        cascade = result["cascade"]
        if "wrong" in result["escand"]:
            yield [cascade, f"{result['plan']}, {result['limit']}", str(result["rows"]),
                   f"{result['without_grpc']:,.0f}", f"{result['echo']['samples_per_second']:,.0f}",
                   WRONG, *[""] * 4]
            continue
        smaller = min(result["without_grpc"], result["echo"]["samples_per_second"])
        yield [
            cascade,
            f"{result['plan']}, {result['limit']}",
            str(result["rows"]),
            f"{result['without_grpc']:,.0f}",
            f"{result['echo']['samples_per_second']:,.0f}",
            f"{result['escand']['samples_per_second']:,.0f}",
            f"{result['escand']['samples_per_second'] / smaller:.2f}",
            f"{result['escand']['p99_ms']:.1f}",
            f"{result['escand']['server_cpu_seconds_per_1000']:.3f}",
            f"{result['echo']['server_cpu_seconds_per_1000']:.3f}",
        ]


def print_gpu_report(folder):
    if step := load_lines(folder, "step_heavy"):
        print_table(
            "One step of a worker, ResNet-50 in FP16",
            ["rows", "bare replay, µs", "transfer, µs", "step, µs", "allowed, µs",
             "with two credits, µs", "of the replay's rate", "CPU s / 1,000"],
            step_rows(step))
    for cascade in CASCADES:
        records = load_lines(folder, f"plans_{cascade}")
        if not records:
            continue
        print_table(
            f"Plans of {cascade}",
            ["plan", "batch limit", "samples/s", "of the limit", "p50, ms", "p99, ms",
             "mean batch by stage", "CPU s / 1,000, daemon", "workers"],
            plan_rows(records))
        print_table(f"Stages of {cascade} alone, the device kept busy",
                    ["stage", "workers", "batch limit", "samples/s", "CPU s / 1,000, daemon",
                     "workers"], alone_rows(records))
        print_wrong(records)
    if results := load_grpc(folder):
        print_table(
            "Through gRPC",
            ["cascade", "plan, limit", "rows a request", "without gRPC, samples/s",
             "echo server", "escand", "of the smaller", "p99, ms", "CPU s / 1,000, escand and workers",
             "echo server"],
            grpc_rows(results))
        print_wrong([result["escand"] for result in results])
