#include "server/rollout/rollout.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <utility>

namespace escan {
namespace {

// What a version fails for reasons of its own.
constexpr std::array kOwnErrors = {absl::StatusCode::kInternal, absl::StatusCode::kUnavailable,
                                   absl::StatusCode::kDeadlineExceeded};

bool IsOwnError(absl::StatusCode code) {
  return std::ranges::find(kOwnErrors, code) != kOwnErrors.end();
}

uint64_t Count(const RequestCounters::Snapshot& counts, absl::StatusCode code) {
  return counts.requests[static_cast<size_t>(code)];
}

}  // namespace

Rollout::Rollout(std::shared_ptr<ServedModel> before, std::shared_ptr<ServedModel> after,
                 const RolloutTerms& terms)
    : terms_(terms),
      model_(before->cascade().name),
      version_before_(before->version),
      version_after_(after->version),
      at_begin_(before->counters.Read()),
      before_(std::move(before)),
      after_(std::move(after)) {}

// The n-th is one of them where n * part passes a whole number.
bool Rollout::NextOf(std::atomic<uint64_t>& turn, double part) {
  const auto n = static_cast<double>(turn.fetch_add(1, std::memory_order_relaxed));
  return std::floor((n + 1) * part) > std::floor(n * part);
}

bool Rollout::Takes(absl::string_view version) {
  if (!version.empty()) return version == version_after_;
  return NextOf(requests_, terms_.canary);
}

bool Rollout::Compares() { return NextOf(taken_, terms_.compare); }

void Rollout::Count(const absl::Status& status, Duration total) {
  if (status.ok()) {
    answered_.fetch_add(1, std::memory_order_relaxed);
    const std::optional<Duration>& limit = terms_.abort_if.p99_above;
    if (limit.has_value() && total > *limit) slow_.fetch_add(1, std::memory_order_relaxed);
  } else if (IsOwnError(status.code())) {
    errors_.fetch_add(1, std::memory_order_relaxed);
  }
}

void Rollout::CountCompared(uint64_t rows, uint64_t agreeing) {
  // The reader takes them in the other order, so that it never sees more that agree.
  compared_.fetch_add(rows);
  agreeing_.fetch_add(agreeing);
}

RolloutFigures Rollout::Figures() const {
  RolloutFigures figures;
  figures.agreeing = agreeing_.load();
  figures.compared = compared_.load();
  figures.slow = slow_.load(std::memory_order_relaxed);
  figures.answered = answered_.load(std::memory_order_relaxed);
  figures.errors = errors_.load(std::memory_order_relaxed);
  return figures;
}

Rollout::Report Rollout::Read() const {
  const MutexLock lock(mutex_);
  if (ended_.state != State::kRunning) return ended_;
  const RequestCounters::Snapshot now = before_->counters.Read();
  Report report{.elapsed = Clock::now() - begun_, .figures = Figures()};
  report.before_answered =
      escan::Count(now, absl::StatusCode::kOk) - escan::Count(at_begin_, absl::StatusCode::kOk);
  for (const absl::StatusCode code : kOwnErrors) {
    report.before_errors += escan::Count(now, code) - escan::Count(at_begin_, code);
  }
  return report;
}

std::optional<std::string> Rollout::ReasonToAbort(TimePoint now) const {
  return escan::ReasonToAbort(terms_.abort_if, Figures(), OverAt(now));
}

void Rollout::End(State state, const std::string& reason) {
  Report report = Read();
  report.state = state;
  report.reason = reason;
  std::shared_ptr<ServedModel> before;
  std::shared_ptr<ServedModel> after;
  const MutexLock lock(mutex_);
  ended_ = std::move(report);
  before.swap(before_);
  after.swap(after_);
}

std::shared_ptr<ServedModel> Rollout::before() const {
  const MutexLock lock(mutex_);
  return before_;
}

std::shared_ptr<ServedModel> Rollout::after() const {
  const MutexLock lock(mutex_);
  return after_;
}

}  // namespace escan
