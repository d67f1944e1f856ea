#include "server/deployment/model_start.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"

namespace escan {
namespace {

// A worker that did not start so often in a row will not the next time either.
constexpr int kFailedStarts = 3;

}  // namespace

ModelStart::ModelStart(std::shared_ptr<ServedModel> model) : model_(std::move(model)) {
  model_->engine->OnReadyChange([news = news_](bool) {
    const MutexLock lock(news->mutex);
    ++news->count;
    news->changed.NotifyAll();
  });
  model_->engine->OnUnservable([news = news_](const std::string& reason) {
    const MutexLock lock(news->mutex);
    ++news->count;
    news->unservable = reason;
    news->changed.NotifyAll();
  });
}

absl::Status ModelStart::Wait(TimePoint deadline) {
  uint64_t seen = 0;
  while (true) {
    if (model_->engine->ready()) return absl::OkStatus();
    if (StartsFail()) return Failed(model_->engine->not_ready_reason());
    std::string unservable;
    {
      const MutexLock lock(news_->mutex);
      while (news_->count == seen && !news_->cancelled && Clock::now() < deadline) {
        news_->changed.WaitUntil(news_->mutex, deadline);
      }
      if (news_->cancelled) return absl::CancelledError("the change was given up");
      seen = news_->count;
      unservable = news_->unservable;
    }
    if (!unservable.empty()) return Failed(unservable);
    if (Clock::now() >= deadline) {
      return Failed(absl::StrCat("it was not ready in time: ", model_->engine->not_ready_reason()));
    }
  }
}

void ModelStart::Cancel() {
  const MutexLock lock(news_->mutex);
  news_->cancelled = true;
  news_->changed.NotifyAll();
}

bool ModelStart::StartsFail() const {
  const EngineStatus status = model_->engine->Status();
  return std::ranges::any_of(status.workers, [](const EngineStatus::Worker& worker) {
    return worker.member.failed_starts >= kFailedStarts;
  });
}

absl::Status ModelStart::Failed(const std::string& reason) const {
  return absl::FailedPreconditionError(
      absl::StrCat("cascade '", model_->cascade().name, "': ", reason));
}

}  // namespace escan
