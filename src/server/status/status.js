"use strict";
// Shows /status.json and asks for it again and again. Everything that comes from there is put in as
// text, never as markup.

const PERIOD_MS = 2000;

function element(tag, attributes, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes || {})) made.setAttribute(name, value);
  made.append(...children.filter((child) => child !== null));
  return made;
}

function drawn(tag, attributes, text) {
  const made = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  if (text !== undefined) made.textContent = text;
  return made;
}

const last = (values) => (values.length > 0 ? values[values.length - 1] : null);
const sum = (values) => values.reduce((total, value) => total + value, 0);

function number(value) {
  if (value === null || value === undefined) return "–";
  if (value >= 10000) return Math.round(value).toLocaleString("en");
  if (Number.isInteger(value)) return String(value);
  if (value >= 100) return value.toFixed(0);
  if (value >= 10) return value.toFixed(1);
  return value.toPrecision(2);
}

const milliseconds = (value) => (value === null ? "–" : `${number(value)} ms`);
const percent = (part) => `${(100 * part).toFixed(1)} %`;
const seconds = (duration) => parseFloat(duration || "0");
const clock = (time) => new Date(time).toLocaleTimeString();

function duration(total) {
  const days = Math.floor(total / 86400);
  const hours = Math.floor(total / 3600) % 24;
  const minutes = Math.floor(total / 60) % 60;
  if (days > 0) return `${days} d ${hours} h`;
  if (hours > 0) return `${hours} h ${minutes} min`;
  return minutes > 0 ? `${minutes} min` : `${Math.floor(total)} s`;
}

function memory(bytes) {
  const mib = Number(bytes) / 1048576;
  if (mib === 0) return "–";
  return mib < 1024 ? `${mib.toFixed(0)} MiB` : `${(mib / 1024).toFixed(1)} GiB`;
}

function table(heads, rows) {
  return element("div", {class: "scroll"}, element("table", {},
    element("thead", {}, element("tr", {}, ...heads.map((head) => element("th", {scope: "col"}, head)))),
    element("tbody", {}, ...rows.map((cells) =>
      element("tr", {}, ...cells.map((cell) => element("td", {}, cell)))))));
}

function card(title, size, ...children) {
  return element("div", {class: `card ${size}`}, element("h3", {}, title), ...children);
}

// The cascade from left to right (on a phone from top to bottom): what a stage executes, how much of
// it leaves there, what goes on.
function flow(cascade, history) {
  const made = element("div", {class: "flow"});
  cascade.stages.forEach((stage, index) => {
    const rates = history.stages[index];
    const executed = last(rates.samples_per_second) || 0;
    const exits = last(rates.exits_per_second) || 0;
    if (index > 0) {
      made.append(element("div", {class: "arrow"}, `${number(executed)}/s`));
    }
    const part = stage.exit_ratio ? stage.exit_ratio.ratio : (index + 1 === cascade.stages.length ? 1 : 0);
    const bar = element("span", {});
    bar.style.width = `${100 * part}%`;
    const busy = stage.ready_workers > 0;
    made.append(element("div", {class: "stage"},
      element("div", {class: "name"}, stage.name, stage.speculate ? " (speculated)" : ""),
      element("div", {class: "rate"}, `${number(executed)}/s`),
      element("div", {class: busy ? "quiet" : "bad"},
        `${stage.queued} queued · ${stage.in_flight} in flight · ${stage.ready_workers} ready`),
      element("div", {class: "quiet"},
        `batch ${number(stage.mean_batch_rows)} of ${stage.max_batch} · step ` +
        milliseconds(seconds(stage.mean_step_time) * 1000)),
      element("div", {class: "bar", title: "part that leaves here"}, bar),
      element("div", {class: "exit"}, `↳ ${number(exits)}/s leave`,
        stage.exit_ratio ? ` · ${percent(part)}` : "",
        stage.threshold !== undefined ? ` at ≥ ${number(stage.threshold)}` : "")));
  });
  return made;
}

// Lines over the last minutes. `lines` are {values, kind}, `limit` a horizontal line or null.
function chart(ages, lines, limit, unit) {
  const width = 400, height = 130, left = 40, bottom = 18, top = 8;
  const made = drawn("svg", {viewBox: `0 0 ${width} ${height}`, role: "img"});
  const shown = lines.flatMap((line) => line.values).filter((value) => value !== null);
  const most = Math.max(1e-9, ...shown, limit !== null && shown.length > 0 ? limit * 1.05 : 0);
  const oldest = Math.max(60, ...ages);
  const x = (age) => left + (width - left) * (1 - age / oldest);
  const y = (value) => top + (height - bottom - top) * (1 - value / most);
  for (const part of [0, 0.5, 1]) {
    made.append(drawn("line", {class: "axis", x1: left, x2: width, y1: y(part * most), y2: y(part * most)}));
    made.append(drawn("text", {x: 0, y: y(part * most) + 4}, shown.length > 0 || part === 0 ? number(part * most) : ""));
  }
  made.append(drawn("text", {x: left, y: height - 4}, `${duration(oldest)} ago`));
  made.append(drawn("text", {class: "end", x: width, y: height - 4}, unit));
  if (limit !== null) {
    made.append(drawn("line", {class: "objective", x1: left, x2: width, y1: y(limit), y2: y(limit)}));
  }
  for (const line of lines) {
    let path = "";
    let pen = "M";
    line.values.forEach((value, index) => {
      if (value === null) { pen = "M"; return; }
      path += `${pen}${x(ages[index]).toFixed(1)} ${y(value).toFixed(1)}`;
      pen = "L";
    });
    made.append(drawn("path", {class: line.kind, d: path}));
  }
  return made;
}

function latencyCard(told) {
  const history = told.history;
  return card("Latency", "",
    chart(history.age_s, [{values: history.p50_ms, kind: "first"}, {values: history.p99_ms, kind: "second"}],
      told.latency_objective_ms, "ms"),
    element("p", {class: "key"},
      element("span", {class: "first"}, `p50 ${milliseconds(last(history.p50_ms))}`), "  ",
      element("span", {class: "second"}, `p99 ${milliseconds(last(history.p99_ms))}`),
      told.latency_objective_ms === null ? "" : ` · objective ${milliseconds(told.latency_objective_ms)}`));
}

function rateCard(told, cascade) {
  const history = told.history;
  return card("Requests", "",
    chart(history.age_s, [{values: history.requests_per_second, kind: "first"},
      {values: history.failed_per_second, kind: "second"}], null, "1/s"),
    element("p", {class: "key"},
      element("span", {class: "first"}, `answered ${number(last(history.requests_per_second))}/s`), "  ",
      element("span", {class: "second"}, `failed ${number(last(history.failed_per_second))}/s`),
      ` · ${cascade.slots_in_use} of ${cascade.slots} slots in use`));
}

function workersCard(cascade) {
  const with_memory = cascade.workers.some((worker) => Number(worker.device_memory_bytes) > 0);
  const rows = cascade.workers.map((worker) => {
    const preparing = worker.progress_done < worker.progress_total;
    const state = preparing ? `${worker.state} ${worker.progress_done}/${worker.progress_total}` : worker.state;
    const kind = worker.state === "ready" ? "good" : worker.state === "failed" ? "bad" : "warn";
    return [String(worker.id), element("span", {class: kind}, state), worker.stages.join(", "), worker.device,
      `${worker.thread_percent} %`, ...(with_memory ? [memory(worker.device_memory_bytes)] : []),
      String(worker.restarts)];
  });
  return card("Workers", "wide", table(["Worker", "State", "Stages", "Device", "Share",
    ...(with_memory ? ["Memory"] : []), "Restarts"], rows));
}

function why(told, cascade) {
  const decision = last(told.decisions);
  if (cascade.plan_mode === "fixed") {
    return cascade.plan_differs_from_file ? "fixed; an operator set another than the file's" : "fixed, the file's";
  }
  if (decision === null) return `${cascade.plan_mode}; the first one is in effect`;
  return `${cascade.plan_mode}; last looked for a better one at ${clock(Date.parse(decision.time))}: ` +
    `${decision.action} (${decision.trigger}: ${decision.cause})${decision.reason ? `, ${decision.reason}` : ""}`;
}

function planCard(told, cascade) {
  return card("Plan", "double", element("p", {class: "key"}, why(told, cascade)),
    element("pre", {}, told.plan_yaml));
}

function verificationCard(cascade) {
  const rows = cascade.stages.map((stage) => {
    const counted = (count) => element("span", {class: Number(count) > 0 ? "bad" : "good"}, number(Number(count)));
    return [stage.name, number(Number(stage.answers_checked)), counted(stage.answers_wrong),
      counted(stage.answers_doubtful), counted(stage.samples_failed)];
  });
  const unscored = cascade.stages.filter((stage) => Number(stage.score_nan) > 0).map((stage) =>
    element("li", {class: "bad"}, `${stage.name}: the score of ${stage.score_nan} samples is NaN, which never exits`));
  const shares = cascade.doubtful_shares.map((share) => element("li", {class: "bad"},
    `device ${share.device_index}, ${share.thread_percent} %: ${share.replaced} workers replaced for wrong answers`));
  return card("Verification", "",
    table(["Stage", "Checked", "Wrong", "Doubtful", "Failed"], rows),
    element("ul", {}, ...unscored, ...shares));
}

function eventsCard(told) {
  const decided = told.decisions.filter((decision) => decision.action !== "kept").map((decision) => ({
    time_ms: Date.parse(decision.time), bad: decision.action === "failed",
    text: `plan ${decision.action}: ${decision.trigger}, ${decision.cause}`}));
  const events = [...told.events, ...decided].sort((a, b) => b.time_ms - a.time_ms).slice(0, 12);
  const items = events.map((event) => element("li", {},
    element("span", {class: "quiet"}, clock(event.time_ms)), " ",
    element("span", {class: event.bad ? "bad" : ""}, event.text)));
  return card("Events", "", items.length > 0 ? element("ul", {}, ...items)
    : element("p", {class: "quiet"}, "none in the last minutes"));
}

function section(told, cascade) {
  const ready = told.not_ready === "";
  return element("section", {class: "cascade"},
    element("div", {class: "title"}, element("h2", {}, cascade.name),
      element("span", {class: ready ? "good" : "bad"}, ready ? "ready" : told.not_ready),
      element("span", {class: "quiet"}, `${number(cascade.arrivals.samples_per_second)} samples/s arrive, ` +
        `${number(sum(told.history.stages.map((stage) => last(stage.exits_per_second) || 0)))}/s are answered`)),
    flow(cascade, told.history),
    element("div", {class: "grid"}, latencyCard(told), rateCard(told, cascade), verificationCard(cascade),
      workersCard(cascade), planCard(told, cascade), eventsCard(told)));
}

function show(all) {
  const status = all.status;
  document.getElementById("cascades").replaceChildren(
    ...all.cascades.map((told, index) => section(told, status.cascades[index])));
  const summary = document.getElementById("summary");
  summary.textContent = status.draining ? "draining" : status.ready ? "ready" : "not ready";
  summary.className = status.ready && !status.draining ? "good" : "bad";
  document.title = `${status.ready && !status.draining ? "" : "⚠ "}ESCAN`;
  const devices = status.devices.map((device) => device.name).join(", ");
  document.getElementById("server").textContent =
    `version ${status.version} · up ${duration(seconds(status.uptime))} · ${devices} · ${clock(all.time_ms)} ·`;
}

async function follow() {
  try {
    const response = await fetch("/status.json", {signal: AbortSignal.timeout(10000)});
    if (!response.ok) throw new Error(`status ${response.status}`);
    show(await response.json());
  } catch (error) {
    const summary = document.getElementById("summary");
    summary.textContent = `the daemon does not answer: ${error.message}`;
    summary.className = "bad";
  }
  setTimeout(follow, PERIOD_MS);
}

follow();
