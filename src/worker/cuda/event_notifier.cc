#include "worker/cuda/event_notifier.h"

#include <pthread.h>
#include <sys/eventfd.h>

#include <cerrno>
#include <utility>

namespace escan {

absl::StatusOr<std::unique_ptr<EventNotifier>> EventNotifier::Create() {
  UniqueFd notification(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (!notification) return absl::ErrnoToStatus(errno, "cannot make an eventfd");
  return std::unique_ptr<EventNotifier>(new EventNotifier(std::move(notification)));
}

EventNotifier::EventNotifier(UniqueFd notification)
    : notification_(std::move(notification)), thread_([this] { Run(); }) {
  pthread_setname_np(thread_.native_handle(), "event-notifier");
}

EventNotifier::~EventNotifier() {
  {
    MutexLock lock(mutex_);
    stopping_ = true;
  }
  wake_.NotifyOne();
  thread_.join();
}

void EventNotifier::NotifyOf(cudaEvent_t event) {
  {
    MutexLock lock(mutex_);
    event_ = event;
    ++named_;
  }
  wake_.NotifyOne();
}

void EventNotifier::Run() {
  uint64_t told = 0;
  while (true) {
    cudaEvent_t event = nullptr;
    {
      MutexLock lock(mutex_);
      while (named_ == told && !stopping_) wake_.Wait(mutex_);
      if (named_ == told) return;
      told = named_;
      event = event_;
    }
    // An error is met by whoever asks for the event next.
    (void)cudaEventSynchronize(event);
    ::eventfd_write(notification_.get(), 1);
  }
}

}  // namespace escan
