#include "engine/mailbox.h"

#include <sys/eventfd.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <utility>

namespace escan {

absl::StatusOr<std::unique_ptr<Mailbox>> Mailbox::Create() {
  UniqueFd event(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (!event) return absl::ErrnoToStatus(errno, "eventfd");
  return std::unique_ptr<Mailbox>(new Mailbox(std::move(event)));
}

template <typename Add>
bool Mailbox::PostWith(Add add) {
  bool wake = false;
  {
    MutexLock lock(mutex_);
    if (closed_) return false;
    add(waiting_);
    wake = std::exchange(sleeping_, false);
  }
  if (wake) {
    // Fails only when the counter is full, and then the engine's thread is awake anyway.
    const uint64_t one = 1;
    [[maybe_unused]] const ssize_t written = ::write(event_.get(), &one, sizeof(one));
  }
  return true;
}

bool Mailbox::Post(const RequestEvent& event) {
  return PostWith([&](Contents& waiting) { waiting.requests.push_back(event); });
}

bool Mailbox::Post(std::function<void()> call) {
  return PostWith([&](Contents& waiting) { waiting.calls.push_back(std::move(call)); });
}

void Mailbox::Take(Contents& contents) {
  MutexLock lock(mutex_);
  waiting_.requests.swap(contents.requests);
  waiting_.calls.swap(contents.calls);
}

bool Mailbox::PrepareToSleep() {
  MutexLock lock(mutex_);
  sleeping_ = waiting_.requests.empty() && waiting_.calls.empty();
  return sleeping_;
}

void Mailbox::Woken() {
  uint64_t count = 0;
  [[maybe_unused]] const ssize_t read = ::read(event_.get(), &count, sizeof(count));
  MutexLock lock(mutex_);
  sleeping_ = false;
}

void Mailbox::Close() {
  MutexLock lock(mutex_);
  closed_ = true;
}

}  // namespace escan
