#include "ctl/format.h"

#include <google/protobuf/util/json_util.h>

#include <algorithm>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "absl/time/time.h"
#include "ctl/monitoring_lines.h"
#include "ctl/text_table.h"

namespace escan::ctl {
namespace {

constexpr auto kLeft = TextTable::Align::kLeft;
constexpr auto kRight = TextTable::Align::kRight;
constexpr char kAbsent[] = "-";

absl::Duration ToAbsl(const google::protobuf::Duration& duration) {
  return absl::Seconds(duration.seconds()) + absl::Nanoseconds(duration.nanos());
}

std::string DurationText(const google::protobuf::Duration& duration, absl::Duration unit) {
  return absl::FormatDuration(absl::Trunc(ToAbsl(duration), unit));
}

// 12 -> "12 requests", 1 -> "1 request"
std::string Count(int64_t count, const std::string& noun) {
  return absl::StrCat(count, " ", noun, count == 1 ? "" : "s");
}

// NaN never exits, which explains a low ratio.
std::string ExitRatioText(const v1::StageStatus& stage) {
  std::vector<std::string> parts;
  if (stage.has_exit_ratio()) {
    const v1::ExitRatio& exits = stage.exit_ratio();
    parts.push_back(absl::StrFormat("%.1f %% [%.1f, %.1f] of %d", 100 * exits.ratio(),
                                    100 * exits.low(), 100 * exits.high(), exits.samples()));
  }
  if (stage.score_nan() > 0) {
    parts.push_back(
        absl::StrFormat("NaN %.3g %%", 100 * static_cast<double>(stage.score_nan()) /
                                           static_cast<double>(stage.samples_executed())));
  }
  return parts.empty() ? kAbsent : absl::StrJoin(parts, ", ");
}

std::string StageTable(const v1::CascadeStatus& cascade) {
  TextTable table({{"STAGE", kLeft},
                   {"WORKERS", kRight},
                   {"THRESHOLD", kRight},
                   {"EXIT RATIO", kRight},
                   {"QUEUED", kRight},
                   {"IN FLIGHT", kRight},
                   {"MAX BATCH", kRight},
                   {"MAX DELAY", kRight},
                   {"MEAN BATCH", kRight},
                   {"MEAN STEP", kRight},
                   {"EXECUTED", kRight},
                   {"EXITED", kRight},
                   {"FAILED", kRight}});
  for (const v1::StageStatus& stage : cascade.stages()) {
    const bool executed = stage.samples_executed() > 0;
    table.AddRow({absl::StrCat(stage.name(), stage.speculate() ? " (speculated)" : ""),
                  absl::StrCat(stage.ready_workers()),
                  stage.has_threshold() ? absl::StrFormat("%.4g", stage.threshold()) : kAbsent,
                  ExitRatioText(stage), absl::StrCat(stage.queued()),
                  absl::StrCat(stage.in_flight()), absl::StrCat(stage.max_batch()),
                  DurationText(stage.max_delay(), absl::Microseconds(1)),
                  executed ? absl::StrFormat("%.1f", stage.mean_batch_rows()) : kAbsent,
                  executed ? DurationText(stage.mean_step_time(), absl::Microseconds(1)) : kAbsent,
                  absl::StrCat(stage.samples_executed()), absl::StrCat(stage.samples_exited()),
                  absl::StrCat(stage.samples_failed())});
  }
  return table.ToString("  ");
}

std::string WorkerState(const v1::WorkerStatus& worker) {
  const bool preparing = worker.progress_done() < worker.progress_total();
  return preparing ? absl::StrFormat("%s %d/%d", worker.state(), worker.progress_done(),
                                     worker.progress_total())
                   : worker.state();
}

std::string MemoryText(uint64_t bytes) {
  constexpr uint64_t kMiB = uint64_t{1} << 20;
  constexpr uint64_t kGiB = uint64_t{1} << 30;
  if (bytes == 0) return kAbsent;
  if (bytes < kGiB) return absl::StrCat(bytes / kMiB, " MiB");
  return absl::StrFormat("%.1f GiB", static_cast<double>(bytes) / static_cast<double>(kGiB));
}

std::string CountOrAbsent(uint32_t count) { return count == 0 ? kAbsent : absl::StrCat(count); }

// Where devices have a table of their own, with GPUs among them, workers name them by number.
std::string WorkerTable(const v1::CascadeStatus& cascade, bool with_gpus) {
  std::vector<TextTable::Column> columns = {{"WORKER", kRight},
                                            {"PID", kRight},
                                            {"STATE", kLeft},
                                            {"DEVICE", with_gpus ? kRight : kLeft},
                                            {"THREADS", kRight}};
  if (with_gpus) columns.insert(columns.end(), {{"SMS", kRight}, {"MEMORY", kRight}});
  columns.insert(
      columns.end(),
      {{"CREDITS", kRight}, {"STAGES", kLeft}, {"RESTARTS", kRight}, {"LAST END", kLeft}});
  TextTable table(std::move(columns));
  for (const v1::WorkerStatus& worker : cascade.workers()) {
    std::vector<std::string> cells = {
        absl::StrCat(worker.id()), worker.pid() > 0 ? absl::StrCat(worker.pid()) : kAbsent,
        WorkerState(worker), with_gpus ? absl::StrCat(worker.device_index()) : worker.device(),
        absl::StrCat(worker.thread_percent(), " %")};
    if (with_gpus) {
      cells.push_back(CountOrAbsent(worker.multiprocessors()));
      cells.push_back(MemoryText(worker.device_memory_bytes()));
    }
    cells.insert(cells.end(), {absl::StrCat(worker.credits()), absl::StrJoin(worker.stages(), ","),
                               absl::StrCat(worker.restarts()),
                               worker.last_end().empty() ? kAbsent : worker.last_end()});
    table.AddRow(std::move(cells));
  }
  return table.ToString("  ");
}

std::string DeviceTable(const v1::GetStatusResponse& status) {
  TextTable table(
      {{"DEVICE", kRight}, {"NAME", kLeft}, {"SMS", kRight}, {"MEMORY", kRight}, {"UUID", kLeft}});
  for (const v1::DeviceStatus& device : status.devices()) {
    table.AddRow({absl::StrCat(device.index()), device.name(),
                  CountOrAbsent(device.multiprocessors()), MemoryText(device.memory_bytes()),
                  device.uuid().empty() ? kAbsent : device.uuid()});
  }
  return table.ToString("  ");
}

std::string MpsLine(const v1::MpsStatus& mps) {
  if (mps.mode() == "off") return "MPS is off: processes take turns on a GPU\n";
  std::string line =
      absl::StrCat("MPS (", mps.mode(), ") ",
                   mps.running() ? "runs" : absl::StrCat("does not run: ", mps.reason()));
  if (mps.server_pids_size() > 0) {
    absl::StrAppend(&line, ", server ", absl::StrJoin(mps.server_pids(), ", "));
  }
  return absl::StrCat(line, ", ", Count(static_cast<int64_t>(mps.restarts()), "restart"), "\n");
}

std::string CascadeHeading(const v1::CascadeStatus& cascade) {
  std::string heading =
      absl::StrFormat("cascade %s: %s inside, %d of %d slots in use, %s", cascade.name(),
                      Count(cascade.requests(), "request"), cascade.slots_in_use(), cascade.slots(),
                      Count(static_cast<int64_t>(cascade.plan_changes()), "plan change"));
  if (cascade.plan_change_in_progress()) absl::StrAppend(&heading, ", one in progress");
  if (!cascade.plan_mode().empty()) absl::StrAppend(&heading, ", plan ", cascade.plan_mode());
  if (cascade.plan_differs_from_file())
    absl::StrAppend(&heading, "; the plan differs from the file");
  if (cascade.thresholds_differ_from_file()) {
    absl::StrAppend(&heading, "; the thresholds differ from the file");
  }
  return heading + "\n";
}

std::string GoodputText(const v1::PlanFigures& figures) {
  return absl::StrFormat("%.4g/s", figures.goodput());
}

std::string P99Text(const v1::PlanFigures& figures) {
  return figures.has_p99() ? DurationText(figures.p99(), absl::Microseconds(1)) : "unbounded";
}

// What the simulator says of the plan before and of the one that was found.
std::string OldAndNew(const v1::PlanDecision& decision,
                      std::string (*text)(const v1::PlanFigures& figures)) {
  return absl::StrCat(decision.has_before() ? text(decision.before()) : kAbsent, " -> ",
                      decision.has_after() ? text(decision.after()) : kAbsent);
}

// What computing answers once more has shown.
std::string AnswersLine(const v1::CascadeStatus& cascade) {
  std::vector<std::string> parts;
  for (const v1::StageStatus& stage : cascade.stages()) {
    if (stage.answers_checked() == 0) continue;
    std::string part = absl::StrCat(stage.name(), " ", stage.answers_checked(), " checked");
    if (stage.answers_wrong() > 0) absl::StrAppend(&part, ", ", stage.answers_wrong(), " wrong");
    if (stage.answers_doubtful() > 0) {
      absl::StrAppend(&part, ", ", stage.answers_doubtful(), " doubtful");
    }
    parts.push_back(std::move(part));
  }
  return parts.empty() ? "" : absl::StrCat("  answers: ", absl::StrJoin(parts, "; "), "\n");
}

std::string DoubtfulShareLines(const v1::CascadeStatus& cascade) {
  std::string lines;
  for (const v1::DoubtfulShare& share : cascade.doubtful_shares()) {
    absl::StrAppend(&lines, "  doubtful: ", share.thread_percent(), " % of device ",
                    share.device_index(), " for ", absl::StrJoin(share.stages(), ","), ", ",
                    Count(share.replaced(), "worker"), " replaced for wrong answers\n");
  }
  return lines;
}

std::string ArrivalsLine(const v1::Arrivals& arrivals) {
  if (arrivals.offered_samples() == 0) return "";
  return absl::StrFormat(
      "  arrivals: %.4g samples/s [%.4g, %.4g], %.3g in a request; %d refused of %d\n",
      arrivals.samples_per_second(), arrivals.low(), arrivals.high(), arrivals.rows_per_request(),
      arrivals.refused_samples(), arrivals.offered_samples());
}

}  // namespace

std::string FormatStatus(const v1::GetStatusResponse& status) {
  const char* state = status.draining() ? "draining" : status.ready() ? "ready" : "not ready";
  std::string text = absl::StrFormat("escand %s, %s, up for %s\n", status.version(), state,
                                     DurationText(status.uptime(), absl::Seconds(1)));
  const bool with_gpus =
      std::any_of(status.devices().begin(), status.devices().end(),
                  [](const v1::DeviceStatus& device) { return device.kind() == "gpu"; });
  if (status.has_mps()) absl::StrAppend(&text, MpsLine(status.mps()));
  if (with_gpus) absl::StrAppend(&text, "\n", DeviceTable(status));
  for (const v1::CascadeStatus& cascade : status.cascades()) {
    absl::StrAppend(&text, "\n", CascadeHeading(cascade), ArrivalsLine(cascade.arrivals()),
                    AnswersLine(cascade), MonitoringLines(cascade), DoubtfulShareLines(cascade),
                    StageTable(cascade), "\n", WorkerTable(cascade, with_gpus));
  }
  return text;
}

std::string FormatHealth(const v1::GetHealthResponse& health) {
  return health.ready() ? "ready\n" : absl::StrCat("not ready: ", health.reason(), "\n");
}

std::string FormatPlan(const v1::GetPlanResponse& plan) {
  return absl::StrCat(plan.differs_from_file() ? "# differs from the configuration file\n" : "",
                      plan.plan_yaml(),
                      !plan.plan_yaml().empty() && plan.plan_yaml().back() == '\n' ? "" : "\n");
}

std::string FormatPlanChange(const v1::SetPlanResponse& change) {
  return absl::StrFormat("plan in effect after %s: %s started, %s stopped%s\n",
                         DurationText(change.took(), absl::Milliseconds(1)),
                         Count(change.workers_started(), "worker"),
                         Count(change.workers_stopped(), "worker"),
                         change.frozen() ? "; it is frozen now: `escanctl plan thaw` lets it "
                                           "follow the load again"
                                         : "");
}

std::string FormatPlanHistory(const v1::GetPlanHistoryResponse& history) {
  if (history.decisions().empty()) return "no better plan was looked for\n";
  TextTable table({{"TIME", kLeft},
                   {"TRIGGER", kLeft},
                   {"EXIT RATIOS", kLeft},
                   {"RATE", kRight},
                   {"GOODPUT", kLeft},
                   {"P99", kLeft},
                   {"ACTION", kLeft},
                   {"TOOK", kRight},
                   {"REASON", kLeft}});
  for (const v1::PlanDecision& decision : history.decisions()) {
    const absl::Time time = absl::FromUnixSeconds(decision.time().seconds());
    const std::string ratios = absl::StrJoin(
        decision.exit_ratios(), ",",
        [](std::string* out, double ratio) { absl::StrAppendFormat(out, "%.3f", ratio); });
    table.AddRow({absl::FormatTime("%Y-%m-%dT%H:%M:%S%Ez", time, absl::LocalTimeZone()),
                  decision.trigger(), ratios.empty() ? kAbsent : ratios,
                  decision.has_rate() ? absl::StrFormat("%.4g/s", decision.rate()) : kAbsent,
                  OldAndNew(decision, GoodputText), OldAndNew(decision, P99Text), decision.action(),
                  decision.action() == "kept"
                      ? kAbsent
                      : DurationText(decision.change_time(), absl::Milliseconds(1)),
                  absl::StrCat(decision.cause(), ": ", decision.reason())});
  }
  return table.ToString("");
}

std::string FormatReload(const v1::ReloadResponse& reload) {
  std::string text = absl::StrFormat("configuration in effect after %s\n",
                                     DurationText(reload.took(), absl::Milliseconds(1)));
  const auto add = [&text](const char* what, const auto& names) {
    if (!names.empty()) absl::StrAppend(&text, what, ": ", absl::StrJoin(names, ", "), "\n");
  };
  add("added", reload.added());
  add("replaced", reload.replaced());
  add("removed", reload.removed());
  add("unchanged", reload.unchanged());
  return text;
}

std::string FormatRollout(const v1::RolloutStatus& rollout) {
  std::string text =
      absl::StrFormat("rollout of %s: %s%s after %s of %s\n", rollout.model(), rollout.state(),
                      rollout.reason().empty() ? "" : absl::StrCat(" (", rollout.reason(), ")"),
                      DurationText(rollout.elapsed(), absl::Seconds(1)),
                      DurationText(rollout.duration(), absl::Seconds(1)));
  TextTable table({{"VERSION", kLeft}, {"REQUESTS", kRight}, {"ERRORS", kRight}, {"PART", kRight}});
  const auto add = [&table](const v1::RolloutVersion& version, double part) {
    table.AddRow({version.version(), absl::StrCat(version.requests()),
                  absl::StrCat(version.errors()), absl::StrFormat("%.4g%%", 100 * part)});
  };
  add(rollout.before(), 1 - rollout.canary());
  add(rollout.after(), rollout.canary());
  absl::StrAppend(&text, table.ToString("  "));
  if (rollout.compared_rows() > 0) {
    absl::StrAppend(&text, absl::StrFormat("agreement %.4g%% of %d compared rows\n",
                                           100.0 * static_cast<double>(rollout.agreeing_rows()) /
                                               static_cast<double>(rollout.compared_rows()),
                                           rollout.compared_rows()));
  }
  if (rollout.abort_if().has_p99_above()) {
    absl::StrAppend(&text, Count(static_cast<int64_t>(rollout.slow_requests()), "request"),
                    " above ", DurationText(rollout.abort_if().p99_above(), absl::Microseconds(1)),
                    "\n");
  }
  return text;
}

std::string FormatDrain(const v1::DrainResponse& drain) {
  return absl::StrFormat("draining, %s inside\n", Count(drain.requests(), "request"));
}

std::string FormatJson(const google::protobuf::Message& message) {
  google::protobuf::util::JsonPrintOptions options;
  options.add_whitespace = true;
  options.always_print_primitive_fields = true;
  options.preserve_proto_field_names = true;
  std::string json;
  // Fails only for messages that hold google.protobuf.Any.
  (void)google::protobuf::util::MessageToJsonString(message, &json, options);
  return json;
}

}  // namespace escan::ctl
