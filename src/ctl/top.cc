#include "ctl/top.h"

#include <algorithm>
#include <optional>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "ctl/terminal.h"
#include "ctl/text_table.h"
#include "scheduling/latency_quantile.h"

namespace escan::ctl {
namespace {

constexpr auto kLeft = TextTable::Align::kLeft;
constexpr auto kRight = TextTable::Align::kRight;

absl::Duration ToAbsl(const google::protobuf::Duration& duration) {
  return absl::Seconds(duration.seconds()) + absl::Nanoseconds(duration.nanos());
}

// A count that began anew belongs to another daemon.
double Rate(uint64_t before, uint64_t now, absl::Duration between) {
  if (now < before || between <= absl::ZeroDuration()) return 0;
  return static_cast<double>(now - before) / absl::ToDoubleSeconds(between);
}

std::string Milliseconds(const std::optional<double>& seconds) {
  return seconds.has_value() ? absl::StrFormat("%.3g ms", *seconds * 1000) : "-";
}

std::vector<uint64_t> LatencyBetween(const v1::RequestStatus& before,
                                     const v1::RequestStatus& now) {
  std::vector<uint64_t> counts(now.latency_counts().begin(), now.latency_counts().end());
  if (before.latency_counts_size() != now.latency_counts_size()) return counts;
  for (size_t i = 0; i < counts.size(); ++i) {
    counts[i] -= std::min(counts[i], before.latency_counts(static_cast<int>(i)));
  }
  return counts;
}

std::string Heading(const v1::CascadeStatus& before, const v1::CascadeStatus& now,
                    absl::Duration between) {
  const v1::RequestStatus& old = before.request_status();
  const v1::RequestStatus& young = now.request_status();
  const std::vector<uint64_t> latency = LatencyBetween(old, young);
  return absl::StrFormat(
      "%s: %.4g requests/s answered, %.4g/s failed, p50 %s, p99 %s\n"
      "  %.4g samples/s arrive, %d of %d slots in use, plan %s%s\n",
      now.name(), Rate(old.answered(), young.answered(), between),
      Rate(old.failed(), young.failed(), between), Milliseconds(LatencyQuantile(latency, 0.5)),
      Milliseconds(LatencyQuantile(latency, 0.99)), now.arrivals().samples_per_second(),
      now.slots_in_use(), now.slots(), now.plan_mode(),
      now.plan_change_in_progress() ? ", a change is in progress" : "");
}

std::string StageTable(const v1::CascadeStatus& before, const v1::CascadeStatus& now,
                       absl::Duration between) {
  TextTable table({{"STAGE", kLeft},
                   {"SAMPLES/S", kRight},
                   {"EXITS/S", kRight},
                   {"LEAVE", kRight},
                   {"QUEUED", kRight},
                   {"IN FLIGHT", kRight},
                   {"READY", kRight},
                   {"BATCH", kRight},
                   {"CHECKED", kRight},
                   {"WRONG", kRight},
                   {"FAILED", kRight}});
  for (int i = 0; i < now.stages_size(); ++i) {
    const v1::StageStatus& stage = now.stages(i);
    const v1::StageStatus& old =
        i < before.stages_size() ? before.stages(i) : v1::StageStatus::default_instance();
    table.AddRow(
        {stage.name(),
         absl::StrFormat("%.4g", Rate(old.samples_executed(), stage.samples_executed(), between)),
         absl::StrFormat("%.4g", Rate(old.samples_exited(), stage.samples_exited(), between)),
         stage.has_exit_ratio() ? absl::StrFormat("%.1f %%", 100 * stage.exit_ratio().ratio())
                                : "-",
         absl::StrCat(stage.queued()), absl::StrCat(stage.in_flight()),
         absl::StrCat(stage.ready_workers()),
         absl::StrFormat("%.1f of %d", stage.mean_batch_rows(), stage.max_batch()),
         absl::StrCat(stage.answers_checked()),
         absl::StrCat(stage.answers_wrong() + stage.answers_doubtful()),
         absl::StrCat(stage.samples_failed())});
  }
  return table.ToString("  ");
}

std::string WorkerTable(const v1::CascadeStatus& cascade) {
  TextTable table({{"WORKER", kRight},
                   {"STATE", kLeft},
                   {"SHARE", kRight},
                   {"DEVICE", kLeft},
                   {"STAGES", kLeft},
                   {"RESTARTS", kRight},
                   {"LAST END", kLeft}});
  for (const v1::WorkerStatus& worker : cascade.workers()) {
    table.AddRow({absl::StrCat(worker.id()), worker.state(),
                  absl::StrCat(worker.thread_percent(), " %"), worker.device(),
                  absl::StrJoin(worker.stages(), ","), absl::StrCat(worker.restarts()),
                  worker.last_end().empty() ? "-" : worker.last_end()});
  }
  return table.ToString("  ");
}

// As much of the text as the terminal shows. Cells may be cut within a character of UTF-8, which
// terminals show as one that is damaged.
std::string Cut(const std::string& text, const Terminal::Size& size) {
  std::vector<std::string> lines = absl::StrSplit(text, '\n');
  if (lines.size() > static_cast<size_t>(size.rows)) lines.resize(static_cast<size_t>(size.rows));
  for (std::string& line : lines) {
    if (line.size() > static_cast<size_t>(size.columns)) {
      line.resize(static_cast<size_t>(size.columns));
    }
  }
  return absl::StrJoin(lines, "\n");
}

}  // namespace

std::string FormatTop(const v1::GetStatusResponse& before, const v1::GetStatusResponse& now,
                      absl::Duration between) {
  const char* state = now.draining() ? "draining" : now.ready() ? "ready" : "not ready";
  std::string text =
      absl::StrFormat("escand %s, %s, up for %s\n", now.version(), state,
                      absl::FormatDuration(absl::Trunc(ToAbsl(now.uptime()), absl::Seconds(1))));
  for (int i = 0; i < now.cascades_size(); ++i) {
    const v1::CascadeStatus& cascade = now.cascades(i);
    const bool same = i < before.cascades_size() && before.cascades(i).name() == cascade.name();
    const v1::CascadeStatus& old = same ? before.cascades(i) : cascade;
    absl::StrAppend(&text, "\n", Heading(old, cascade, between), StageTable(old, cascade, between),
                    "\n", WorkerTable(cascade));
  }
  return text;
}

absl::StatusOr<std::string> RunTop(const TopCommand& command, AdminClient& client,
                                   absl::Duration timeout) {
  Terminal terminal;
  absl::StatusOr<v1::GetStatusResponse> before = client.GetStatus(timeout);
  if (!before.ok()) return before.status();
  absl::Time asked = absl::Now();
  if (terminal.present()) terminal.Show(Cut(FormatTop(*before, *before, {}), terminal.size()));
  while (true) {
    if (terminal.WaitForKey(command.interval)) return "";
    absl::StatusOr<v1::GetStatusResponse> now = client.GetStatus(timeout);
    if (!now.ok()) return now.status();
    const absl::Time answered = absl::Now();
    const std::string screen = FormatTop(*before, *now, answered - asked);
    if (!terminal.present()) return screen;
    terminal.Show(Cut(screen, terminal.size()));
    before = std::move(now);
    asked = answered;
  }
}

}  // namespace escan::ctl
