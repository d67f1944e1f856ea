#include "server/protocol/answer_feedback.h"

#include <chrono>
#include <iterator>
#include <utility>

#include "absl/strings/str_cat.h"

namespace escan {

AnswerFeedback::AnswerFeedback(const FeedbackSpec& spec, int stages)
    : spec_(spec), accuracy_(static_cast<size_t>(stages)) {}

void AnswerFeedback::Remember(std::string_view id, std::span<const AnsweredClass> rows,
                              TimePoint now) {
  if (id.empty() || id.size() > kLongestId) return;
  MutexLock lock(mutex_);
  if (const auto same = by_id_.find(id); same != by_id_.end()) Forget(same->second);
  if (rows.size() > static_cast<size_t>(spec_.samples)) return;
  requests_.push_back({.id = std::string(id), .rows = {rows.begin(), rows.end()}, .time = now});
  by_id_.emplace(requests_.back().id, std::prev(requests_.end()));
  samples_ += rows.size();
  ForgetOld(now);
}

absl::Status AnswerFeedback::Label(std::string_view id, std::span<const int64_t> labels,
                                   TimePoint now) {
  if (!remembers()) {
    return absl::FailedPreconditionError(
        "no answers are remembered: the model's configuration has no feedback");
  }
  MutexLock lock(mutex_);
  ForgetOld(now);
  const auto found = by_id_.find(id);
  if (found == by_id_.end()) {
    return absl::NotFoundError(absl::StrCat(
        "no answer to a request with the id '", std::string(id),
        "' is remembered: it is one of the latest ", spec_.samples, " samples, not older than ",
        std::chrono::duration_cast<std::chrono::seconds>(spec_.keep).count(),
        "s and not labelled yet, if it was answered"));
  }
  const std::vector<AnsweredClass>& rows = found->second->rows;
  if (rows.size() != labels.size()) {
    return absl::InvalidArgumentError(absl::StrCat("request '", std::string(id), "' has ",
                                                   rows.size(), " rows, but there are ",
                                                   labels.size(), " labels"));
  }
  CountLocked(rows, labels);
  Forget(found->second);
  return absl::OkStatus();
}

void AnswerFeedback::Count(std::span<const AnsweredClass> rows, std::span<const int64_t> labels) {
  MutexLock lock(mutex_);
  CountLocked(rows, labels);
}

void AnswerFeedback::CountLocked(std::span<const AnsweredClass> rows,
                                 std::span<const int64_t> labels) {
  for (size_t row = 0; row < rows.size(); ++row) {
    StageAccuracy& accuracy = accuracy_[static_cast<size_t>(rows[row].stage)];
    ++accuracy.labelled;
    accuracy.correct += rows[row].label == labels[row] ? 1 : 0;
  }
}

std::vector<StageAccuracy> AnswerFeedback::accuracy() const {
  MutexLock lock(mutex_);
  return accuracy_;
}

size_t AnswerFeedback::remembered_samples() const {
  MutexLock lock(mutex_);
  return samples_;
}

void AnswerFeedback::Forget(Requests::iterator request) {
  samples_ -= request->rows.size();
  by_id_.erase(request->id);
  requests_.erase(request);
}

void AnswerFeedback::ForgetOld(TimePoint now) {
  const auto most = static_cast<size_t>(spec_.samples);
  while (!requests_.empty() && (samples_ > most || now - requests_.front().time > spec_.keep)) {
    Forget(requests_.begin());
  }
}

}  // namespace escan
