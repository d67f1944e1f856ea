"""The best plan of a benchmark cascade through gRPC, beside a bare echo server.

Reads what escan-cascade-benchmark found, serves the plan and batch limit with the most samples a
second with escand, and loads it with escan-loadgen in a closed loop of as many samples. Then does
the same with escan-echo-server, whose rows and answers have the same size. Servers and generator
run on the same machine, each on one half of its cores. Writes one JSON object.
"""

import json
import re
import time

from evaluation.measuring import (
    Escand,
    Failed,
    Server,
    halves_of_cores,
    processor_seconds,
    request_flags,
    start_generator,
    write_configuration,
)
from evaluation.verification import find_wrong_answer

ROW = {  # of the input beside `difficulty`: bytes, and the classes of the answer
    "heavy": {"bytes": 224 * 224 * 3, "classes": 1000},
    "cifar": {"bytes": 32 * 32 * 3, "classes": 10},
    "text": {"bytes": 128 * 4, "classes": 4},
}
DIFFICULTY_BYTES = 4


def best_plan(results, cascade):
    """Returns the record of the plan with the highest rate among the JSON lines in `results`."""
    records = [json.loads(line) for line in results.read_text().splitlines()]
    plans = [
        record
        for record in records
        if record["key"]["cascade"] == cascade
        and not record["key"]["plan"].startswith("only ")
        and "wrong" not in record
    ]
    if not plans:
        raise Failed(f"{results} has no plan of the cascade {cascade} that answers rightly")
    return max(plans, key=lambda record: record["samples_per_second"])


def configuration_of(folder, key):
    """Returns a configuration beside the cascade's own that serves the plan with its limit."""
    plan = (folder / "plans" / f"{key['plan']}.yaml").read_text()
    (folder / "plans" / "measured.yaml").write_text(
        re.sub(r"max_batch: \d+", f"max_batch: {key['limit']}", plan)
    )
    return write_configuration(folder, "measured", "plans/measured.yaml")


def load(arguments, server, address, model, flags, cores):
    """Returns the generator's report, with the server's processor time of 1,000 samples."""
    report = server.log.with_suffix(".json")
    generator = start_generator(
        arguments.bin,
        [
            "--target", address, "--model", model, "--rows", str(arguments.rows),
            "--concurrency", str(arguments.requests), "--deadline", "10s", "--warmup", "2s",
            "--duration", f"{arguments.seconds}s", "--json", report, *flags,
        ],
        cores,
    )
    time.sleep(2.5)  # in the middle of the measurement
    before, start = processor_seconds(server.process.pid), time.monotonic()
    time.sleep(max(1.0, arguments.seconds - 1.5))
    used = processor_seconds(server.process.pid) - before
    seconds = time.monotonic() - start
    if generator.wait() != 0:
        raise Failed(f"the load generator ended with status {generator.returncode}")
    result = json.loads(report.read_text())
    if result["errors"]:
        raise Failed(f"requests failed: {result['errors']}")
    rate = result["achieved_samples_per_s"]
    return {
        "samples_per_second": rate,
        "p50_ms": result["latency_ms"]["p50"],
        "p99_ms": result["latency_ms"]["p99"],
        "server_cpu_seconds_per_1000": used / seconds / rate * 1000,
    }


def measure_escand(arguments, configuration, server_cores, generator_cores):
    flags = ["--exit-ratios", arguments.exit_ratios, *request_flags(arguments.cascade)]
    with Escand(arguments.bin, configuration, arguments.work, server_cores) as server:
        folder = arguments.folder / arguments.cascade
        if (wrong := find_wrong_answer(server, folder, generator_cores)) is not None:
            return {"wrong": wrong}
        return load(
            arguments, server, server.address(), arguments.cascade, flags, generator_cores
        )


def measure_echo(arguments, server_cores, generator_cores):
    row = ROW[arguments.cascade]
    command = [
        arguments.echo, "--shape", str(row["bytes"] + DIFFICULTY_BYTES),
        "--classes", str(row["classes"]),
    ]
    with Server(command, server_cores, arguments.work / "echo.log") as server:
        return load(arguments, server, server.address(), "echo", [], generator_cores)


def run_grpc(arguments):
    """Measures, and writes the figures to `arguments.output`."""
    best = best_plan(arguments.plans, arguments.cascade)
    if best["key"]["rows"] != arguments.rows:
        raise Failed(f"{arguments.plans} was measured with {best['key']['rows']} rows a request")
    arguments.requests = best["clients"]
    configuration = configuration_of(arguments.folder / arguments.cascade, best["key"])
    server_cores, generator_cores = halves_of_cores()
    result = {
        "cascade": arguments.cascade,
        "plan": best["key"]["plan"],
        "limit": best["key"]["limit"],
        "rows": arguments.rows,
        "requests_under_way": arguments.requests,
        "without_grpc": best["samples_per_second"],
        "escand": measure_escand(arguments, configuration, server_cores, generator_cores),
        "echo": measure_echo(arguments, server_cores, generator_cores),
    }
    arguments.output.write_text(json.dumps(result, indent=1) + "\n")
