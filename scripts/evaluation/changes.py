"""A cascade while something changes: the exit ratios under an allocation that follows, or the plan."""

import time

from evaluation.bench import MARGIN_SECONDS, Bench, deadline, end_load, overhead_ms, records_of
from evaluation.grid import GOODPUT, medians, sweeps
from evaluation.measuring import Failed, write_configuration

DRIFT_RATIOS = (0.8, 0.3, 0.8)
DRIFT_OBJECTIVE = "loose"
DRIFT_LOAD = 0.95  # of what the best plan for the hardest ratio serves
REPLAN_PLANS = ("pipeline", "replicas_6x30")
REPLAN_LOAD = 0.5  # of the slower plan's closed-loop rate


def failures(report):
    """Requests that got no answer: failed, and not sent."""
    requests = report["requests"]
    return {"failed": requests["failed"],
            "not_sent": requests["not_sent_outstanding"] + requests["not_sent_late"],
            "misplaced_samples": report.get("misplaced_samples", 0)}


def best_goodput(goodputs, ratio):
    """Returns the highest goodput at an exit ratio, in samples a second, and its plan."""
    plans = goodputs.get((ratio, DRIFT_OBJECTIVE))
    if not plans:
        raise Failed(f"no goodput at exit ratio {ratio:g} on this device: measure the grid first")
    best = max(plans, key=plans.get)
    return plans[best], best


def phases(report, seconds, settle, best, rows):
    """Returns the goodput of each phase from `settle` seconds on, and what the best plan could do."""
    offered = report["offered_samples_per_s"]
    result = []
    for number, ratio in enumerate(DRIFT_RATIOS):
        start, end = number * seconds + settle, (number + 1) * seconds
        settled = [interval["within"][0] * rows for interval in report["timeline"]
                   if start <= interval["start_s"] < end]
        goodput, plan = best[ratio]
        result.append({
            "exit_ratio": ratio,
            "goodput_samples_per_s": sum(settled) / max(1, len(settled)),
            "best_plan": plan,
            "best_samples_per_s": min(offered, goodput),
        })
    return result


def run_drift(arguments, budget):
    records = records_of(arguments, "drift")
    grid = records_of(arguments, "grid")
    length = arguments.phase_seconds * len(DRIFT_RATIOS)
    budget.need(length + 3 * MARGIN_SECONDS, "the drift")
    p99_ms = last(grid, "objective", DRIFT_OBJECTIVE)["p99_ms"]
    of_engine = p99_ms - overhead_ms(last(grid, "what", "unbatched"))
    configuration = write_configuration(
        arguments.folder / arguments.cascade, "drifting", "auto",
        f"profile: {arguments.profile.resolve()}\nlatency_objective: {{p99: {of_engine:.3f}ms}}",
    )
    with Bench(arguments, budget, configuration) as bench:
        here = [record for record in grid.all() if record["key"]["device"] == bench.device]
        goodputs = medians(sweeps(here, GOODPUT))
        best = {ratio: best_goodput(goodputs, ratio) for ratio in DRIFT_RATIOS}
        rate = arguments.rate or DRIFT_LOAD * min(goodput for goodput, _ in best.values())
        if rate <= 0:
            raise Failed("no plan keeps the objective at every exit ratio: name a --rate")
        key = {"what": "drift", "device": bench.device, "rows": arguments.rows, "p99_ms": p99_ms,
               "rate_samples_per_s": round(rate, 1), "phase_seconds": arguments.phase_seconds}
        if records.find(**key):
            return
        cascade = bench.daemon.status()["cascades"][0]
        if cascade.get("plan_mode") != "auto":
            raise Failed("\n".join([f"the plan is {cascade.get('plan_mode')}, expected auto",
                                    *bench.daemon.warnings()]))
        if (wrong := bench.find_wrong_answer()) is not None:
            records.add(key, wrong=wrong)
            return
        report = bench.load(None, [
            "--drift", write_drift(bench, arguments.phase_seconds),
            "--rate", f"{rate / arguments.rows:.3f}", "--duration", f"{length}s",
            "--slo", f"p99={p99_ms}ms", "--timeline", "1s", "--deadline", deadline([p99_ms]),
            # More than the server has room for: it refuses the others, and the load stays steady.
            "--max-outstanding", str(max(4096, 2 * cascade["slots"] // arguments.rows)),
        ], may_fail=True)
        changes = bench.daemon.status()["cascades"][0].get("plan_changes", "0")
        decisions = bench.daemon.plan_history()
        if (wrong := bench.find_wrong_answer()) is not None:  # of the plan at the end
            records.add(key, wrong=wrong)
            return
    records.add(key, timeline=report["timeline"], plan_changes=int(changes), decisions=decisions,
                **failures(report),
                phases=phases(report, arguments.phase_seconds, arguments.settle_seconds, best,
                              arguments.rows))


def last(grid, part, value):
    """Returns the grid's last record in whose key a part has that value."""
    records = [record for record in grid.all()
               if record["key"].get(part) == value and "wrong" not in record]
    if not records:
        raise Failed(f"{grid.file} has no figures with {part} {value}: measure the grid first")
    return records[-1]


def write_drift(bench, seconds):
    exits = range(1, bench.stages)
    lines = [",".join(["seconds", *(f"exit_{stage}" for stage in exits)])]
    for number, ratio in enumerate(DRIFT_RATIOS):
        lines.append(",".join([f"{number * seconds:g}", *(f"{ratio:g}" for _ in exits)]))
    file = bench.path("drift.csv")
    file.write_text("\n".join(lines) + "\n")
    return file


def run_replan(arguments, budget):
    records = records_of(arguments, "replan")
    ratio = arguments.ratios[0]
    with Bench(arguments, budget) as bench:
        key = {"what": "replan", "device": bench.device, "rows": arguments.rows,
               "exit_ratio": ratio, "plans": list(REPLAN_PLANS), "changes": arguments.changes}
        if records.find(**key):
            return
        texts = [bench.fixed_plan(name) for name in REPLAN_PLANS]
        for text in texts:
            if (wrong := bench.find_wrong_answer(text)) is not None:
                records.add(key, wrong=wrong)
                return
        rate = REPLAN_LOAD * min(rates_of(bench, texts, ratio))
        flags = ["--rate", f"{rate:.3f}", "--deadline", "10s"]
        still = []
        for text in texts:
            budget.need(arguments.still_seconds + MARGIN_SECONDS, "the load without changes")
            bench.set_plan(text)
            still.append(bench.load(ratio, [*flags, "--duration", f"{arguments.still_seconds}s"]))
        budget.need(arguments.changes * arguments.pause_seconds + 2 * MARGIN_SECONDS,
                    "the changes of plan")
        seconds, changing = change_back_and_forth(bench, texts, ratio, flags)
    records.add(
        key,
        rate_samples_per_s=rate * arguments.rows,
        change_seconds=seconds,
        p99_ms_without=[report["latency_ms"]["p99"] for report in still],
        p99_ms_with=changing["latency_ms"]["p99"],
        max_ms_with=changing["latency_ms"]["max"],
        requests=changing["requests"]["succeeded"],
        **failures(changing),
    )


def rates_of(bench, texts, ratio):
    for text in texts:
        bench.set_plan(text)
        yield bench.closed_loop(ratio)


def change_back_and_forth(bench, texts, ratio, flags):
    """Returns how long each change of plan took, and the report of the load meanwhile."""
    report = bench.path("changing.json")
    seconds = []
    generator = bench.start_load(
        ratio, [*flags, "--warmup", "0s", "--duration", f"{bench.budget.left():.0f}s"], report)
    try:
        for change in range(bench.arguments.changes):
            time.sleep(bench.arguments.pause_seconds)
            bench.budget.need(MARGIN_SECONDS, "another change of plan")
            if generator.poll() is not None:
                raise Failed("the load ended before the last change of plan")
            start = time.monotonic()
            bench.set_plan(texts[change % len(texts)])
            seconds.append(time.monotonic() - start)
        time.sleep(bench.arguments.pause_seconds)
        return seconds, end_load(generator, report)
    finally:
        if generator.poll() is None:
            generator.kill()
            generator.wait()
