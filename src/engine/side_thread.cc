#include "engine/side_thread.h"

#include <pthread.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <utility>

namespace escan {

absl::StatusOr<std::unique_ptr<SideThread>> SideThread::Start(const char* name) {
  UniqueFd event(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (!event) return absl::ErrnoToStatus(errno, "eventfd");
  std::unique_ptr<SideThread> side(new SideThread(std::move(event)));
  side->thread_ = std::thread([side = side.get()] { side->Run(); });
  pthread_setname_np(side->thread_.native_handle(), name);
  return side;
}

SideThread::~SideThread() {
  {
    const MutexLock lock(mutex_);
    stopping_ = true;
  }
  wake_.NotifyAll();
  thread_.join();
}

void SideThread::Post(Task task) {
  {
    const MutexLock lock(mutex_);
    tasks_.push_back(std::move(task));
  }
  wake_.NotifyOne();
}

void SideThread::RunRests() {
  uint64_t count = 0;
  [[maybe_unused]] const ssize_t read = ::read(event_.get(), &count, sizeof(count));
  std::vector<Rest> rests;
  {
    const MutexLock lock(mutex_);
    rests.swap(rests_);
  }
  for (const Rest& rest : rests) rest();
}

void SideThread::Run() {
  while (true) {
    Task task;
    {
      const MutexLock lock(mutex_);
      while (tasks_.empty() && !stopping_) wake_.Wait(mutex_);
      if (stopping_) return;
      task = std::move(tasks_.front());
      tasks_.pop_front();
    }
    Rest rest = task();
    task = nullptr;  // what it holds may take time to give back
    if (!rest) continue;
    {
      const MutexLock lock(mutex_);
      rests_.push_back(std::move(rest));
    }
    // Fails only when the counter is full, and then the owner is awake anyway.
    const uint64_t one = 1;
    [[maybe_unused]] const ssize_t written = ::write(event_.get(), &one, sizeof(one));
  }
}

}  // namespace escan
