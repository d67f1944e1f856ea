"""A cascade under measurement: its daemon, its plans, and the load generator beside it."""

import json
import pathlib
import re
import signal
import subprocess
import tempfile

from evaluation.measuring import (
    Escand,
    Failed,
    Records,
    halves_of_cores,
    request_flags,
    start_generator,
)
from evaluation.verification import find_wrong_answer

FIXED_PLANS = ("all_parallel", "sequential", "pipeline", "replicas_6x30")
ALLOCATED = "allocated"
# Times an unbatched pass. The loose one is searched first: it is nearer to where a search begins.
OBJECTIVES = {"loose": 10.0, "tight": 3.0}
START_PART = 0.8  # of the closed loop's rate: where a search begins
UNBATCHED_SECONDS = 2.0
WARM_UP_PART = 1 / 3  # of a closed loop
SIMULATED_REQUESTS = 50_000
MARGIN_SECONDS = 10.0  # for what a measurement needs beside its load


def run_program(command):
    """Returns what it wrote to standard output."""
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True,
                          check=False)
    if done.returncode != 0:
        raise Failed(f"{pathlib.Path(command[0]).name}: {(done.stderr or done.stdout).strip()}")
    return done.stdout


def exit_ratios(ratio, stages):
    """As programs take them: the same for each stage but the last."""
    return ",".join([f"{ratio:g}"] * (stages - 1))


def with_equal_shares(plan):
    """Returns a plan's text in which each worker of one stage has an equal part of the device."""
    share = 100 // len(re.findall(r"thread_percent: 100\b", plan))
    return re.sub(r"thread_percent: 100\b", f"thread_percent: {share}", plan)


class Bench:
    """One daemon for all measurements of a run; it and the generator each have half of the cores.

    A context manager. Plans are files; the one in effect is changed only where it differs.
    """

    def __init__(self, arguments, budget, configuration=None):
        self.arguments = arguments
        self.budget = budget
        self.folder = arguments.folder / arguments.cascade
        self.configuration = configuration or self.folder / "escand.yaml"
        self.work = tempfile.TemporaryDirectory(prefix="escan-evaluate-")
        self.daemon = None
        self.address = None
        self.plan = None  # the text of the one that was set
        self.verdicts = {}  # {text of a plan: what is wrong with its answers, or None}
        self.stages = 0
        self.device = ""  # the names of all
        self.devices = 1

    def __enter__(self):
        try:
            server_cores, self.generator_cores = halves_of_cores()
            self.daemon = Escand(
                self.arguments.bin, self.configuration, pathlib.Path(self.work.name), server_cores
            )
            self.daemon.__enter__()
        except BaseException:
            self.work.cleanup()
            raise
        try:
            self.address = self.daemon.address()
            status = self.daemon.status()
            self.stages = len(status["cascades"][0]["stages"])
            names = [device["name"] for device in status.get("devices", [])]
            self.device = ", ".join(names)
            self.devices = max(1, len(names))
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        self.daemon.__exit__()
        self.work.cleanup()

    def path(self, name):
        return pathlib.Path(self.work.name) / name

    def fixed_plan(self, name):
        """Returns the text of one of FIXED_PLANS."""
        text = (self.folder / "plans" / f"{name}.yaml").read_text()
        return with_equal_shares(text) if name == "pipeline" else text

    def write_plan(self, text):
        file = self.path("plan.yaml")
        file.write_text(text)
        return file

    def set_plan(self, text):
        if text != self.plan:
            self.daemon.set_plan(self.write_plan(text))
            self.plan = text

    def find_wrong_answer(self, text=None):
        """Returns what is wrong with a plan's answers, None if nothing is; the plan is set.

        Without `text` of the one in effect, even if it was asked for before.
        """
        if text is not None:
            self.set_plan(text)
        if text is None or text not in self.verdicts:
            self.budget.need(MARGIN_SECONDS, "the verification of a plan")
            self.verdicts[text] = find_wrong_answer(self.daemon, self.folder, self.generator_cores)
        return self.verdicts[text]

    def search_plan(self, ratio, objective_ms):
        """Returns what escanctl plan search says, as JSON: the plan and what is expected of it."""
        return json.loads(run_program([
            self.arguments.bin / "escanctl", "--json", "plan", "search",
            "--config", self.configuration, "--profile", self.arguments.profile,
            "--devices", self.devices,
            "--rows", self.arguments.rows, "--exit-ratios", exit_ratios(ratio, self.stages),
            "--objective", f"{objective_ms}ms",
        ]))

    def start_load(self, ratio, flags, report):
        """Starts the generator; `ratio` is None where `flags` say where samples exit."""
        exits = [] if ratio is None else ["--exit-ratios", exit_ratios(ratio, self.stages)]
        return start_generator(
            self.arguments.bin,
            [
                "--target", self.address, "--rows", str(self.arguments.rows), "--json", report,
                *exits, *request_flags(self.arguments.cascade), *flags,
            ],
            self.generator_cores,
        )

    def load(self, ratio, flags, may_fail=False):
        """Returns the generator's report. `may_fail`: even where no request succeeded."""
        report = self.path("report.json")
        report.unlink(missing_ok=True)
        status = self.start_load(ratio, flags, report).wait()
        if not report.exists() or (status != 0 and not may_fail):
            raise Failed(f"the load generator ended with status {status}")
        return json.loads(report.read_text())

    def closed_loop(self, ratio):
        """Returns the rate of requests that keep the plan busy."""
        seconds = self.arguments.closed_loop_seconds
        requests = max(1, self.arguments.in_flight // self.arguments.rows)
        report = self.load(ratio, [
            "--concurrency", str(requests), "--warmup", f"{WARM_UP_PART * seconds}s",
            "--duration", f"{seconds}s", "--deadline", "10s",
        ])
        return report["achieved_requests_per_s"]

    def unbatched(self, records):
        """Returns the record of one request alone through all stages, measured and simulated once.

        It has `wrong` in place of figures where the answers are wrong.
        """
        key = {"what": "unbatched", "device": self.device, "rows": self.arguments.rows}
        record = records.find(**key)
        if record is None:
            self.budget.need(UNBATCHED_SECONDS + MARGIN_SECONDS, "an unbatched pass")
            text = self.fixed_plan("sequential")
            wrong = self.find_wrong_answer(text)
            if wrong is not None:
                return records.add(key, wrong=wrong)
            report = self.load(0.0, [
                "--concurrency", "1", "--warmup", "500ms",
                "--duration", f"{UNBATCHED_SECONDS}s", "--deadline", "10s",
            ])
            simulated = Simulator(self, text, 0.0).run(["--concurrency", "1"])
            record = records.add(key, p50_ms=report["latency_ms"]["p50"],
                                 simulated_p50_ms=simulated["latency_ms"]["p50"])
        return record


class Simulator:
    """escanctl simulate of one plan at one exit ratio."""

    def __init__(self, bench, plan_text, ratio, request_overhead_ms=0.0):
        arguments = bench.arguments
        self.command = [
            arguments.bin / "escanctl", "--json", "simulate", "--config", bench.configuration,
            "--profile", arguments.profile, "--plan", bench.write_plan(plan_text),
            "--devices", bench.devices,
            "--rows", arguments.rows, "--exit-ratios", exit_ratios(ratio, bench.stages),
            "--samples", SIMULATED_REQUESTS * arguments.rows,
            "--warmup-samples", SIMULATED_REQUESTS * arguments.rows // 10, "--deadline", "10s",
            "--overhead", f"{request_overhead_ms:.3f}ms",
        ]
        self.rows = arguments.rows

    def run(self, pace):
        report = json.loads(run_program([*self.command, *pace]))
        if report["latency_ms"] is None:
            raise Failed("in the simulation no request was served")
        return report

    def requests_per_s(self, pace):
        return self.run(pace)["achieved_samples_per_s"] / self.rows


def objectives_ms(unbatched):
    """Returns {name: p99 in milliseconds}, multiples of what an unbatched request takes.

    None in place of a time where that is unknown, because the answers were wrong.
    """
    if "wrong" in unbatched:
        return {name: None for name in OBJECTIVES}
    return {name: round(factor * unbatched["p50_ms"], 3) for name, factor in OBJECTIVES.items()}


def overhead_ms(unbatched):
    """Returns the time that a request spends in gRPC and the network, which is not simulated."""
    if "wrong" in unbatched:
        raise Failed(f"the plan sequential answers wrongly: {unbatched['wrong']}")
    return max(0.0, unbatched["p50_ms"] - unbatched["simulated_p50_ms"])


def records_of(arguments, what):
    arguments.results.mkdir(parents=True, exist_ok=True)
    return Records(arguments.results / f"{what}_{arguments.cascade}.json")


def deadline(objectives_ms):
    """Of requests, equal for all plans: beyond every objective, and soon enough to drain a queue."""
    return f"{max(1000.0, 2 * max(objectives_ms))}ms"


def end_load(generator, report):
    """Ends a load early; returns its report."""
    generator.send_signal(signal.SIGINT)
    if generator.wait(60) != 0:
        raise Failed(f"the load generator ended with status {generator.returncode}")
    return json.loads(report.read_text())
