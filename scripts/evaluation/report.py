"""The results of evaluate.py as Markdown tables, and the drift as a plot."""

import statistics

from evaluation.bench import ALLOCATED, FIXED_PLANS, OBJECTIVES
from evaluation.grid import GOODPUT, medians, sweeps, wrong_plans
from evaluation.measuring import Records
from evaluation.tables import WRONG, print_table, print_wrong

PREDICTED_RATES = {"rate": "model", "simulated_rate": "simulator"}
PLOT = {"width": 720, "height": 240, "margin": 48}


def measured(folder, what):
    """Yields cascade, device or None, and the records of that kind."""
    for file in sorted(folder.glob(f"{what}_*.json")):
        by_device = {}
        for record in Records(file).all():
            by_device.setdefault(record["key"].get("device"), []).append(record)
        for device, records in by_device.items():
            yield file.stem.removeprefix(f"{what}_"), device, records


def results(folder, what):
    """As measured(), cascade and device as one name."""
    for cascade, device, records in measured(folder, what):
        yield f"{cascade} on {device}" if device else cascade, records


def of_all_cascades(folder, what):
    """Returns {device: {cascade: records}}."""
    devices = {}
    for cascade, device, records in measured(folder, what):
        devices.setdefault(device, {})[cascade] = records
    return devices


def geometric_mean(values):
    return statistics.geometric_mean(values) if values else float("nan")


def spread(values):
    """Returns the part of the median by which repetitions differ, or None of a single one."""
    middle = statistics.median(values)
    return (max(values) - min(values)) / middle if len(values) > 1 and middle > 0 else None


def right(records):
    """Returns the records of plans that answered rightly."""
    return [record for record in records if "wrong" not in record]


def unsettled(records):
    """Returns the cells and plans of which a search ended before its end."""
    return {(record["key"]["exit_ratio"], record["key"]["objective"], record["key"]["plan"])
            for record in right(records)
            if record["key"]["what"] == "sweep" and not record["settled"]}


def grid_rows(records):
    repetitions = sweeps(records, GOODPUT)
    simulated = medians(sweeps(records, "simulated_samples_per_s"))
    open_searches = unsettled(records)
    wrong = wrong_plans(records)
    for cell, plans in medians(repetitions).items():
        fixed = {plan: plans[plan] for plan in FIXED_PLANS if plan in plans}
        best = max(fixed, key=fixed.get, default=None)
        gain, spreads = "", []
        if ALLOCATED in plans and best and fixed[best] > 0:
            gain = f"{part_of(plans[ALLOCATED], fixed[best])} of {best}"
            spreads = [spread(repetitions[cell][plan]) for plan in (ALLOCATED, best)]
        marks = {plan: "*" if (*cell, plan) in open_searches else "" for plan in plans}
        figures = {plan: f"{plans[plan]:,.0f}{marks[plan]}" for plan in plans}
        figures.update((plan, WRONG) for plan in wrong.get(cell, {}))
        yield [f"{cell[0]:g}", cell[1],
               *(figures.get(plan, "") for plan in (ALLOCATED, *FIXED_PLANS)),
               gain,
               " / ".join(f"{part:.0%}" for part in spreads if part is not None),
               part_of(simulated[cell][ALLOCATED], plans[ALLOCATED])
               if ALLOCATED in simulated.get(cell, {}) else ""]


def gain_rows(cells):
    """The allocation against each fixed plan, over the cells in which both kept the objective."""
    for other in FIXED_PLANS:
        pairs = [(plans.get(ALLOCATED, 0), plans.get(other, 0)) for plans in cells.values()]
        ratios = [allocated / fixed for allocated, fixed in pairs if allocated > 0 and fixed > 0]
        if ratios:
            yield [other, f"{geometric_mean(ratios):.2f}", f"{min(ratios):.2f}",
                   f"{max(ratios):.2f}", f"{len(ratios)} of {len(pairs)}"]


def print_gains(title, cells):
    print_table(title, ["plan", "geometric mean", "least", "greatest", "cells"], gain_rows(cells))


def as_good(repetitions):
    """Returns {cell: whether the allocation is as good as the best fixed plan}."""
    found = {}
    for cell, plans in medians(repetitions).items():
        best = max((plan for plan in FIXED_PLANS if plan in plans), key=plans.get, default=None)
        if best is not None and ALLOCATED in plans:
            spreads = [spread(repetitions[cell][plan]) or 0 for plan in (ALLOCATED, best)]
            found[cell] = plans[ALLOCATED] >= (1 - max(0.05, *spreads)) * plans[best]
    return found


def print_overall(folder):
    for device, cascades in of_all_cascades(folder, "grid").items():
        repetitions = {(cascade, *cell): plans for cascade, records in cascades.items()
                       for cell, plans in sweeps(records, GOODPUT).items()}
        found = as_good(repetitions)
        if found:
            print_gains(f"Goodput of the allocation on {device}, as a multiple of fixed plans'",
                        medians(repetitions))
            print("\nAt least that of the best fixed plan, less the larger of 5 % and the spreads, in "
                  f"{sum(found.values())} of {len(found)} cells.")


def print_grid(folder):
    for cascade, records in results(folder, "grid"):
        unbatched = [record["p50_ms"] for record in right(records)
                     if record["key"]["what"] == "unbatched"]
        objectives = ", ".join(f"{name} {factor * unbatched[-1]:.1f} ms" if unbatched
                               else f"{name} unknown" for name, factor in OBJECTIVES.items())
        print_table(
            f"Goodput of {cascade}, samples/s ({objectives})",
            ["exit ratio", "objective", ALLOCATED, *FIXED_PLANS, "allocated / best fixed",
             "spreads", "simulated / allocated"],
            grid_rows(records))
        print_gains(f"Goodput of the allocation of {cascade}, as a multiple of fixed plans'",
                    medians(sweeps(records, GOODPUT)))
        if unsettled(records):
            print("\n*: a search ended before it had a bracket to within its tolerance.")
        print_wrong(records)
        late = sum(record.get("generator_was_late", False) for record in records)
        if late:
            print(f"\nIn {late} of the sweeps the generator was late at some rate.")


def ranks(values):
    """Ranks from 1; equal values share the mean of theirs."""
    ordered = sorted(values)
    return [ordered.index(value) + (ordered.count(value) + 1) / 2 for value in values]


def spearman(first, second):
    """Returns the rank correlation, or None where one side has no differences."""
    try:
        return statistics.correlation(ranks(first), ranks(second))
    except statistics.StatisticsError:
        return None


def model_rows(records):
    for record in records:
        if "wrong" in record:
            yield [record["key"]["plan"], str(record["key"]["limit"]), WRONG, *[""] * 7]
            continue
        predicted = record["predicted"]
        measured = record["measured_samples_per_s"]
        yield [record["key"]["plan"], str(record["key"]["limit"]), f"{measured:,.0f}",
               *(text for rate in PREDICTED_RATES
                 for text in (f"{predicted[rate]:,.0f}", f"{predicted[rate] / measured - 1:+.1%}")),
               *(f"{predicted[bound]:,.0f}" if predicted.get(bound) else ""
                 for bound in ("worker_bound", "device_bound", "bus_bound"))]


def print_errors(records, of=""):
    if not records:
        return
    measured = [record["measured_samples_per_s"] for record in records]
    for rate, whose in PREDICTED_RATES.items():
        predicted = [record["predicted"][rate] for record in records]
        errors = [abs(p / m - 1) for p, m in zip(predicted, measured)]
        correlation = spearman(measured, predicted)
        print(f"\nError of the {whose}{of}: median {statistics.median(errors):.1%}, "
              f"worst {max(errors):.1%}"
              + (f"; rank correlation {correlation:.2f}" if correlation is not None else "") + ".")


def print_model(folder):
    for cascade, records in results(folder, "model"):
        print_table(f"Predicted rates of {cascade}, samples/s",
                    ["plan", "batch limit", "measured", "predicted", "error", "simulated", "error",
                     "worker bound", "device bound", "bus bound"], model_rows(records))
        print_wrong(records)
        print_errors(right(records))
    for cascades in of_all_cascades(folder, "model").values():
        if len(cascades) > 1:
            records = right(sum(cascades.values(), []))
            print_errors(records, f" over all {len(records)} plans")


def simulator_rows(records):
    for record in records:
        if "wrong" in record:
            yield [record["key"]["plan"], "", WRONG, *[""] * 5]
            continue
        for load in record["loads"]:
            measured, simulated = load["measured_ms"], load["simulated_ms"]
            yield [record["key"]["plan"], f"{load['load']:.0%}",
                   f"{record['measured_samples_per_s']:,.0f}",
                   f"{record['simulated_samples_per_s']:,.0f}",
                   *(f"{side[name]:.2f}" for name in ("p50", "p99") for side in (measured, simulated))]


def print_simulator(folder):
    for cascade, records in results(folder, "simulator"):
        print_table(
            f"The simulator beside {cascade}",
            ["plan", "load", "closed loop, samples/s", "simulated", "p50, ms", "simulated",
             "p99, ms", "simulated"], simulator_rows(records))
        print_wrong(records)
        if measured_rightly := right(records):
            print(f"\nSimulated with an overhead of {measured_rightly[-1]['overhead_ms']:.2f} ms a "
                  "request.")


def part_of(value, whole):
    return f"{value / whole:.2f}" if whole > 0 else ""


def print_drift(folder):
    for cascade, records in results(folder, "drift"):
        print_wrong(records)
        for record in right(records):
            key = record["key"]
            print_table(
                f"Exit ratios of {cascade} that change, {key['rate_samples_per_s']:,.0f} samples/s, "
                f"p99 {key['p99_ms']:g} ms",
                ["exit ratio", "goodput once settled, samples/s", "best plan", "its goodput",
                 "part of it"],
                ([f"{phase['exit_ratio']:g}", f"{phase['goodput_samples_per_s']:,.0f}",
                  phase["best_plan"], f"{phase['best_samples_per_s']:,.0f}",
                  part_of(phase["goodput_samples_per_s"], phase["best_samples_per_s"])]
                 for phase in record["phases"]))
            print(f"\n{record['plan_changes']} changes of plan; {record['failed']} requests failed, "
                  f"{record['not_sent']} were not sent, {record['misplaced_samples']} samples left "
                  "at the wrong stage.")
        plot(folder / f"drift_{cascade.replace(' ', '_')}.svg", records[-1])


def plot(file, record):
    """Goodput over time, one point for each second."""
    rows, timeline = record["key"]["rows"], record["timeline"]
    goodput = [interval["within"][0] * rows for interval in timeline]
    top, last = max([1, *goodput]), max(1, len(goodput) - 1)
    width, height, margin = PLOT["width"], PLOT["height"], PLOT["margin"]
    points = " ".join(
        f"{margin + i / last * (width - 2 * margin):.1f},"
        f"{height - margin - value / top * (height - 2 * margin):.1f}"
        for i, value in enumerate(goodput))
    bottom = height - margin
    file.write_text(
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" '
        'font-family="sans-serif" font-size="11">\n'
        f'<path d="M{margin} {margin}V{bottom}H{width - margin}" fill="none" stroke="#888"/>\n'
        f'<polyline points="{points}" fill="none" stroke="#06c"/>\n'
        f'<text x="{margin}" y="{margin - 8}">goodput, samples/s (top: {top:,})</text>\n'
        f'<text x="{margin}" y="{height - 20}">0 s</text>\n'
        f'<text x="{width - margin}" y="{height - 20}" text-anchor="end">{len(goodput)} s</text>\n'
        "</svg>\n")


def replan_rows(records):
    for cascade, record in records:
        if "wrong" in record:
            yield [cascade, " ↔ ".join(record["key"]["plans"]), str(record["key"]["changes"]), WRONG,
                   *[""] * 6]
            continue
        yield [cascade, " ↔ ".join(record["key"]["plans"]), str(record["key"]["changes"]),
               f"{statistics.median(record['change_seconds']):.1f}", f"{record['requests']:,}",
               str(record["failed"] + record["not_sent"]), str(record["misplaced_samples"]),
               " / ".join(f"{p99:.1f}" for p99 in record["p99_ms_without"]),
               f"{record['p99_ms_with']:.1f}", f"{record['max_ms_with']:.1f}"]


def print_replan(folder):
    records = [(cascade, record) for cascade, found in results(folder, "replan") for record in found]
    if records:
        print_table(
            "Changes of plan under load",
            ["cascade", "plans", "changes", "seconds each", "answered", "lost", "wrong",
             "p99 without, ms", "p99 with, ms", "longest with, ms"], replan_rows(records))
        print_wrong([record for _, record in records])


def print_report(folder):
    for section in (print_overall, print_grid, print_model, print_simulator, print_drift,
                    print_replan):
        section(folder)
