"""The goodput of plans at several exit ratios and latency objectives."""

import statistics
import time

from evaluation.bench import (
    ALLOCATED,
    MARGIN_SECONDS,
    START_PART,
    Bench,
    deadline,
    objectives_ms,
    overhead_ms,
    records_of,
)

GOODPUT = "goodput_samples_per_s"


def sweeps(records, figure):
    """Returns {(exit ratio, objective): {plan: [a figure, of each repetition]}}.

    A plan that answered wrongly in one repetition has no figure.
    """
    wrong = wrong_plans(records)
    values = {}
    for record in records:
        key = record["key"]
        if key["what"] != "sweep":
            continue
        cell = values.setdefault((key["exit_ratio"], key["objective"]), {})
        if key["plan"] not in wrong.get((key["exit_ratio"], key["objective"]), {}):
            if record.get(figure) is not None:
                cell.setdefault(key["plan"], []).append(record[figure])
    return dict(sorted(values.items()))


def wrong_plans(records):
    """Returns {(exit ratio, objective): {plan: what was wrong with its answers}}."""
    wrong = {}
    for record in records:
        key = record["key"]
        if key["what"] == "sweep" and "wrong" in record:
            cell = wrong.setdefault((key["exit_ratio"], key["objective"]), {})
            cell[key["plan"]] = record["wrong"]
    return wrong


def medians(cells):
    return {cell: {plan: statistics.median(found) for plan, found in plans.items()}
            for cell, plans in cells.items()}


class Grid:
    """What is to be measured of a cascade, one sweep after the other.

    A sweep is a search for the highest rate of one plan at one exit ratio; it reads all objectives
    off the same probes, unless the allocation has another plan for each.
    """

    def __init__(self, bench, arguments):
        self.bench = bench
        self.arguments = arguments
        self.records = records_of(arguments, "grid")
        unbatched = bench.unbatched(self.records)
        self.objectives = objectives_ms(unbatched)
        self.unbatched = unbatched
        self.seconds = []  # of the sweeps of this run

    def run(self):
        missing = [sweep for sweep in self.sweeps() if not self.is_done(*sweep)]
        for done, (repeat, plan, ratio) in enumerate(missing):
            left = len(missing) - done
            print(f"{self.arguments.cascade}: {left} to measure, about {left * self.estimate():.0f} s",
                  flush=True)
            self.bench.budget.need(self.estimate(), f"{plan} at exit ratio {ratio:g}")
            start = time.monotonic()
            self.measure(repeat, plan, ratio)
            self.seconds.append(time.monotonic() - start)

    def sweeps(self):
        """By plan, because a fixed one serves all exit ratios without a change of plan."""
        for repeat in range(self.arguments.repeats):
            for plan in self.arguments.plans:
                for ratio in self.arguments.ratios:
                    yield repeat, plan, ratio

    def key(self, repeat, plan, ratio, objective):
        return {"what": "sweep", "device": self.bench.device, "rows": self.arguments.rows,
                "plan": plan, "exit_ratio": ratio, "objective": objective, "repeat": repeat}

    def is_done(self, repeat, plan, ratio):
        return all(self.records.find(**self.key(repeat, plan, ratio, objective))
                   for objective in self.objectives)

    def estimate(self):
        """Seconds of a sweep: as those of this run, at first as long as it may take."""
        if not self.seconds:
            return self.arguments.sweep_seconds + MARGIN_SECONDS
        return sum(self.seconds) / len(self.seconds) + self.arguments.probe_seconds

    def measure(self, repeat, plan, ratio):
        if "wrong" in self.unbatched:
            self.add_wrong(repeat, plan, ratio, self.objectives,
                           f"no objectives without the plan sequential: {self.unbatched['wrong']}")
            return
        if plan != ALLOCATED:
            self.sweep(repeat, plan, ratio, self.bench.fixed_plan(plan), self.objectives)
            return
        objectives_of = {}  # by plan
        expected = {}  # by objective
        for objective, p99_ms in self.objectives.items():
            found = self.bench.search_plan(ratio, p99_ms - overhead_ms(self.unbatched))
            objectives_of.setdefault(found["plan"], {})[objective] = p99_ms
            expected[objective] = found["simulated_goodput_samples_per_s"]
        for text, objectives in objectives_of.items():
            self.sweep(repeat, plan, ratio, text, objectives, expected)

    def sweep(self, repeat, plan, ratio, text, objectives, expected=None):
        wrong = self.bench.find_wrong_answer(text)
        if wrong is not None:
            self.add_wrong(repeat, plan, ratio, objectives, wrong, plan_text=text)
            return
        closed_loop = self.bench.closed_loop(ratio)
        report = self.bench.load(ratio, [
            "--find-max-rate", "--slo", ",".join(f"p99={p99}ms" for p99 in objectives.values()),
            "--start-rate", f"{START_PART * closed_loop:.3f}",
            "--duration", f"{self.arguments.probe_seconds}s",
            "--max-seconds", f"{self.arguments.sweep_seconds}",
            "--deadline", deadline(self.objectives.values()), "--seed", str(1000 * repeat + 1),
        ], may_fail=True)
        for objective, found in zip(objectives, report["objectives"]):
            self.records.add(
                self.key(repeat, plan, ratio, objective),
                plan_text=text,
                simulated_samples_per_s=(expected or {}).get(objective),
                closed_loop_samples_per_s=closed_loop * self.arguments.rows,
                probes=[probe_figures(probe) for probe in report["probes"]],
                generator_was_late=any(probe["generator_was_late"] for probe in report["probes"]),
                seconds=report["elapsed_s"],
                **found,
            )
            print(f"  {plan}, exit ratio {ratio:g}, {objective} (p99 {found['p99_ms']:g} ms): "
                  f"{found[GOODPUT]:,.0f} samples/s, {len(report['probes'])} probes "
                  f"in {report['elapsed_s']:.0f} s", flush=True)


    def add_wrong(self, repeat, plan, ratio, objectives, wrong, **more):
        for objective in objectives:
            self.records.add(self.key(repeat, plan, ratio, objective), wrong=wrong, **more)
            print(f"  {plan}, exit ratio {ratio:g}, {objective}: wrong: {wrong}", flush=True)


def probe_figures(probe):
    """Returns what tells why a rate was kept or missed."""
    level = probe["service_level"]
    return {"rate_requests_per_s": probe["rate_requests_per_s"],
            "kept": [objective["kept"] for objective in level["objectives"]],
            "p99_ms": level["p99_with_misses_ms"], "steady": level["steady"],
            "lateness_p99_ms": (probe["send_lateness_ms"] or {}).get("p99"),
            "generator_cpu_s": probe["generator_cpu_s"]}


def run_grid(arguments, budget):
    with Bench(arguments, budget) as bench:
        Grid(bench, arguments).run()
