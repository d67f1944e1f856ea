"""The profile of a cascade, and what is predicted from it beside what is measured."""

import json
import os
import pathlib
import signal
import subprocess
import tempfile

from evaluation.bench import (
    MARGIN_SECONDS,
    WARM_UP_PART,
    Bench,
    Simulator,
    exit_ratios,
    overhead_ms,
    records_of,
    run_program,
)
from evaluation.measuring import Failed, Records, TimeOver, child_on, halves_of_cores

BENCHMARK = "escan-cascade-benchmark"
SIMULATED_PLANS = ("sequential", "pipeline", "replicas_6x30")
LOADS = (0.5, 0.8)  # of each side's own closed-loop rate


def run_profile(arguments, budget):
    if arguments.profile.exists():
        return
    arguments.profile.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="escan-evaluate-") as work:
        run_resumable([
            arguments.bin / "escand", "--listen", "127.0.0.1:0", "--metrics", "off",
            "--config", arguments.folder / arguments.cascade / "escand.yaml",
            "--admin", f"unix:{work}/admin.sock", "--write-profile", arguments.profile,
        ], budget, "the profile")


def run_resumable(command, budget, what, variables=None):
    """Runs a program that keeps what it measured, on the cores that serve."""
    server_cores, _ = halves_of_cores()
    process = subprocess.Popen(
        command, stdin=subprocess.DEVNULL, preexec_fn=child_on(server_cores),
        env={**os.environ, **(variables or {})})
    try:
        if process.wait(max(1.0, budget.left())) != 0:
            raise Failed(f"{what}: {command[0]} ended with status {process.returncode}")
    except subprocess.TimeoutExpired:
        raise TimeOver(f"{what}: not complete") from None
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGINT)
            process.wait()


def run_model(arguments, budget):
    """Compares the predicted rates of all plans with those that escan-cascade-benchmark measures."""
    records = records_of(arguments, "model")
    ratios = exit_ratios(arguments.ratios[0], stage_count(arguments.profile))
    for record in measured_plans(arguments, ratios, budget):
        key = record["key"]
        if records.find(**key):
            continue
        if "wrong" in record:
            records.add(key, wrong=record["wrong"])
            continue
        plan = arguments.folder / arguments.cascade / "plans" / f"{key['plan']}.yaml"
        said = run_program([
            arguments.bin / "escanctl", "--json", "plan", "predict", "--plan", plan,
            "--config", arguments.folder / arguments.cascade / "escand.yaml",
            "--profile", arguments.profile, "--limit", key["limit"], "--rows", key["rows"],
            "--exit-ratios", ratios,
        ])
        records.add(key, predicted=json.loads(said.splitlines()[0]),
                    measured_samples_per_s=record["samples_per_second"])


def measured_plans(arguments, ratios, budget):
    """Returns the records of all plans of the cascade in a closed loop without gRPC."""
    folder = arguments.folder / arguments.cascade
    file = arguments.results / f"plans_{arguments.cascade}.json"
    plans = sorted((folder / "plans").glob("*.yaml"))
    seconds = arguments.closed_loop_seconds
    budget.need(MARGIN_SECONDS, "the rates of all plans")
    run_resumable([
        benchmark_program(arguments.bin), "--config", folder / "escand.yaml",
        "--plans", ",".join(str(plan) for plan in plans),
        "--limits", ",".join(str(limit) for limit in arguments.limits),
        "--exit-ratios", ratios, "--rows", str(arguments.rows),
        "--warm-up", str(WARM_UP_PART * seconds), "--seconds", str(seconds), "--output", file,
    ], budget, "the rates of all plans", {"ESCAN_BIN": str(arguments.bin)})
    return [record for record in Records(file).all()
            if record["key"]["exit_ratios"] == [float(ratio) for ratio in ratios.split(",")]
            and record["key"]["rows"] == arguments.rows and record["key"]["limit"] in arguments.limits]


def stage_count(profile):
    return len(json.loads(profile.read_text())["stages"])


def benchmark_program(folder):
    """In a package it lies beside the scripts, in a build with the other programs."""
    for place in (folder, pathlib.Path(__file__).resolve().parent):
        if (place / BENCHMARK).exists():
            return place / BENCHMARK
    raise Failed(f"{folder} has no {BENCHMARK}")


def run_simulator(arguments, budget):
    """Compares simulated with measured latencies, each side at parts of its own closed-loop rate."""
    records = records_of(arguments, "simulator")
    ratio = arguments.ratios[0]
    with Bench(arguments, budget) as bench:
        unbatched = bench.unbatched(records_of(arguments, "grid"))
        for plan in SIMULATED_PLANS:
            key = {"what": "simulator", "device": bench.device, "rows": arguments.rows,
                   "plan": plan, "exit_ratio": ratio}
            if records.find(**key):
                continue
            budget.need(
                len(LOADS) * arguments.still_seconds + arguments.closed_loop_seconds
                + MARGIN_SECONDS, plan)
            text = bench.fixed_plan(plan)
            wrong = unbatched.get("wrong") or bench.find_wrong_answer(text)
            if wrong is not None:
                records.add(key, wrong=wrong)
                print(f"  {plan}: wrong: {wrong}", flush=True)
                continue
            overhead = overhead_ms(unbatched)
            records.add(key, overhead_ms=overhead,
                        **compare(bench, Simulator(bench, text, ratio, overhead), ratio))
            print(f"  {plan}: {json.dumps(records.find(**key)['loads'])}", flush=True)


def compare(bench, simulator, ratio):
    measured = bench.closed_loop(ratio)
    requests = max(1, bench.arguments.in_flight // bench.arguments.rows)
    simulated = simulator.requests_per_s(["--concurrency", requests])
    loads = []
    for part in LOADS:
        report = bench.load(ratio, ["--rate", f"{part * measured:.3f}", "--deadline", "10s",
                                    "--duration", f"{bench.arguments.still_seconds}s"])
        latency = simulator.run(["--rate", f"{part * simulated:.3f}"])["latency_ms"]
        loads.append({
            "load": part,
            "measured_ms": {name: report["latency_ms"][name] for name in ("p50", "p99")},
            "simulated_ms": {name: latency[name] for name in ("p50", "p99")},
        })
    rows = bench.arguments.rows
    return {"measured_samples_per_s": measured * rows, "simulated_samples_per_s": simulated * rows,
            "loads": loads}
