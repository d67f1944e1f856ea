#include "profiling/progress_display.h"

#include "absl/strings/str_cat.h"
#include "absl/time/time.h"

namespace escan {
namespace {

constexpr const char* kClearLine = "\r\033[K";

}  // namespace

ProgressDisplay::ProgressDisplay(const CascadeSpec& cascade, std::ostream* out, bool terminal,
                                 TimePoint start)
    : cascade_(cascade), out_(out), terminal_(terminal), start_(start) {}

ProgressDisplay::~ProgressDisplay() {
  if (terminal_) *out_ << kClearLine << std::flush;
}

void ProgressDisplay::Show(const Profiler::Progress& progress, TimePoint now) {
  const bool another = !shown_.has_value() || shown_->stage != progress.next.stage ||
                       shown_->thread_percent != progress.next.thread_percent;
  shown_ = progress.next;
  const std::string text = ProgressText(cascade_, progress, now - start_);
  if (terminal_) {
    *out_ << kClearLine << text << std::flush;
  } else if (another) {
    *out_ << text << std::endl;
  }
}

std::string ProgressText(const CascadeSpec& cascade, const Profiler::Progress& progress,
                         Duration since_start) {
  const std::string& stage = cascade.stages[static_cast<size_t>(progress.next.stage)].name;
  std::string text = absl::StrCat("stage ", stage, " at ", progress.next.thread_percent,
                                  " %: ", progress.done, " of ", progress.all, " measured");
  const int measured = progress.done - progress.found;
  if (measured == 0) return text;
  const Duration left = since_start / measured * (progress.all - progress.done);
  absl::StrAppend(
      &text, ", about ",
      absl::FormatDuration(absl::FromChrono(std::chrono::ceil<std::chrono::seconds>(left))),
      " left");
  return text;
}

}  // namespace escan
