"""The report of a calibration: one HTML page that needs nothing else."""

import html

import numpy as np

from . import statistics

STYLE = """
:root{color-scheme:light dark;--fg:#222;--bg:#fff;--soft:#8888;--a:#1668c4;--b:#c8501e}
@media(prefers-color-scheme:dark){:root{--fg:#ddd;--bg:#181818;--a:#6ab0ff;--b:#ff9a66}}
body{font:16px/1.45 system-ui,sans-serif;color:var(--fg);background:var(--bg);max-width:52rem;margin:auto;padding:1rem}
svg{width:100%;height:auto;max-width:34rem}text{fill:var(--fg);font-size:12px}
table{border-collapse:collapse;display:block;overflow-x:auto}td,th{padding:.2rem .6rem;text-align:right;
border-bottom:1px solid var(--soft)}td:first-child,th:first-child{text-align:left}
"""
WIDTH, HEIGHT, MARGIN = 400, 260, 46


def chart(series, x_name, y_name):
    """An SVG of `series`: [(points [(x, y)], colour, radius, whether they are joined)]."""
    every = np.array([point for points, *_ in series for point in points], float)
    low, high = every.min(0), every.max(0)
    span = np.where(high > low, high - low, 1.0)

    def place(point):
        x, y = (np.asarray(point) - low) / span
        return MARGIN + x * (WIDTH - MARGIN - 10), HEIGHT - MARGIN + 10 - y * (HEIGHT - MARGIN)

    parts = [f'<svg viewBox="0 0 {WIDTH} {HEIGHT + 10}" role="img" aria-label="{y_name} against {x_name}">']
    for points, colour, radius, joined in series:
        places = [place(point) for point in points]
        if joined:
            line = " ".join(f"{x:.1f},{y:.1f}" for x, y in places)
            parts.append(f'<polyline points="{line}" fill="none" stroke="{colour}"/>')
        parts += [f'<circle cx="{x:.1f}" cy="{y:.1f}" r="{radius}" fill="{colour}"/>' for x, y in places]
    for value, anchor, x in ((low[0], "start", MARGIN), (high[0], "end", WIDTH - 10)):
        parts.append(f'<text x="{x}" y="{HEIGHT - 18}" text-anchor="{anchor}">{value:.4g}</text>')
    for value, y in ((low[1], HEIGHT - MARGIN + 10), (high[1], 14)):
        parts.append(f'<text x="{MARGIN - 4}" y="{y}" text-anchor="end">{value:.4g}</text>')
    parts.append(f'<text x="{WIDTH / 2}" y="{HEIGHT}" text-anchor="middle">{x_name}</text>'
                 f'<text x="2" y="{HEIGHT / 2}" transform="rotate(-90 10 {HEIGHT / 2})">{y_name}</text></svg>')
    return "".join(parts)


def table(heads, rows):
    def row(cells, tag):
        return "<tr>" + "".join(f"<{tag}>{html.escape(str(cell))}</{tag}>" for cell in cells) + "</tr>"
    return f"<table>{row(heads, 'th')}{''.join(row(each, 'td') for each in rows)}</table>"


def accuracy_and_cost(points, last_accuracy, chosen):
    """At most 600 of the points, and all that no cheaper one is as accurate as."""
    ordered = sorted(points, key=lambda point: (point.cost, point.loss))
    front, best = [], np.inf
    for point in ordered:
        if point.loss < best:
            front.append(point)
            best = point.loss
    some = ordered[::max(1, len(ordered) // 600)]
    xy = lambda of: [(point.cost, 100 * (last_accuracy - point.loss)) for point in of]
    return chart([(xy(some), "var(--soft)", 1.2, False), (xy(front), "var(--a)", 2, True),
                  (xy([chosen]), "var(--b)", 5, False)], "microseconds a sample", "accuracy, %")


def confusion(answers, truth, place, last):
    """[(right class, answered, last stage's answer, times)] of exits that answer otherwise and wrongly."""
    early = answers.argmax(2)[place, np.arange(len(place))]
    final = answers[last].argmax(1)
    spoilt = (early != truth) & (final == truth)
    pairs, counts = np.unique(np.stack([truth[spoilt], early[spoilt]], 1), axis=0, return_counts=True)
    order = np.argsort(-counts)[:15]
    return [(int(pairs[i][0]), int(pairs[i][1]), int(counts[i])) for i in order]


def places(answers, found):
    """The stage at which each sample leaves."""
    last = len(answers) - 1
    place = np.full(answers.shape[1], last)
    for stage in reversed(range(last)):
        place[answers[stage].max(1) >= found.thresholds[stage]] = stage
    return place


def page(result, points, raw, answers, truth, held_out, found):
    """The page as text. `points` are of the finding part, everything else of the part held out."""
    raw, answers, truth = raw[:, held_out], answers[:, held_out], truth[held_out]
    finding_accuracy = result["stages"][-1]["accuracy"]
    percent = lambda value: f"{100 * value:.2f} %"
    low, high = result["interval"]
    place = places(answers, found)
    rows = []
    for index, stage in enumerate(result["stages"]):
        mine = place == index
        right = answers[index].argmax(1) == truth
        threshold = stage["threshold"]
        rows.append((stage["name"], f"{stage['cost_us']:.1f}", percent(stage["accuracy"]),
                     "—" if threshold is None else f"{threshold:.4f}", percent(stage["exits"]),
                     percent(right[mine].mean()) if mine.any() else "—", f"{stage['temperature']:.3f}",
                     " → ".join(f"{each:.3f}" for each in stage["calibration_error"])))
    diagrams = []
    for index, stage in enumerate(result["stages"]):
        curve = lambda of: [point[:2] for point in statistics.reliability(
            of[index].max(1), of[index].argmax(1) == truth)]
        diagrams.append(f"<h3>{html.escape(stage['name'])}</h3>" + chart(
            [([(0, 0), (1, 1)], "var(--soft)", 0, True), (curve(raw), "var(--b)", 3, True),
             (curve(answers), "var(--a)", 3, True)], "confidence", "accuracy"))
    lines = "".join(f"<li>{html.escape(line)}</li>" for line in result["advice"]) or "<li>every stage pays</li>"
    other = "".join(f"<li>{html.escape(rule['text'])}{'' if rule['worth'] else ': not worth it'}</li>"
                    for rule in result["other_rules"])
    saved = 1 - result["cost_us"] / result["last_stage_cost_us"]
    return f"""<!doctype html><html lang="en"><meta charset="utf-8">
<meta name="viewport" content="width=device-width,initial-scale=1"><title>Calibration</title><style>{STYLE}</style>
<h1>Calibration</h1>
<p><b>{result['cost_us']:.1f} µs a sample</b>, {percent(saved)} less than the last stage alone. Loss of accuracy
{percent(result['loss'])} (95 % interval {percent(low)} to {percent(high)}, {result['samples']['held_out']} samples
held out). {html.escape(result['text'])}.</p>
<p>Labels: {html.escape(result['labels'])}. Costs are of steps in full batches of {result['batch']}, measured through
the daemon. The served cascade answered {percent(result['served']['accuracy'])} of the held-out samples rightly.</p>
<h2>Stages</h2>
{table(("stage", "µs a sample", "accuracy", "threshold", "exits", "right of those", "temperature",
        "calibration error"), rows)}
<h2>Accuracy against cost</h2><p>Combinations of thresholds on the samples that they were found with; the line
joins the best, the large dot is the choice.</p>{accuracy_and_cost(points, finding_accuracy, found)}
<h2>Advice</h2><ul>{lines}</ul><h2>Other exit rules that were tried</h2><ul>{other}</ul>
<h2>What exits confuse</h2><p>Samples that the last stage answers rightly and an early exit does not.</p>
{table(("right class", "answered", "samples"), confusion(answers, truth, place, len(answers) - 1))}
<h2>Reliability</h2><p>Before (orange) and after (blue) temperature scaling.</p>{''.join(diagrams)}</html>
"""
