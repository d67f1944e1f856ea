#pragma once

#include <deque>
#include <functional>
#include <memory>
#include <thread>
#include <vector>

#include "absl/status/statusor.h"
#include "contracts/mutex.h"
#include "ipc/unique_fd.h"

namespace escan {

// Does for one thread, its owner, what that must not wait for: tasks on a thread of its own, one
// after the other. What a task returns is then run by the owner. Bounded by the owner, who has a
// few tasks for each worker. The destructor drops tasks that have not begun, and waits for the one
// that has.
class SideThread {
 public:
  using Rest = std::function<void()>;
  using Task = std::function<Rest()>;  // an empty Rest: nothing is left to do

  // `name`: of the thread, 15 characters at most.
  static absl::StatusOr<std::unique_ptr<SideThread>> Start(const char* name);
  ~SideThread();

  // Does not block.
  void Post(Task task);
  // Readable when something is left to run.
  int fd() const { return event_.get(); }
  // Runs what finished tasks left; on the owner's thread.
  void RunRests();

 private:
  explicit SideThread(UniqueFd event) : event_(std::move(event)) {}
  void Run();

  const UniqueFd event_;
  Mutex mutex_;
  CondVar wake_;
  std::deque<Task> tasks_ ESCAN_GUARDED_BY(mutex_);
  std::vector<Rest> rests_ ESCAN_GUARDED_BY(mutex_);
  bool stopping_ ESCAN_GUARDED_BY(mutex_) = false;
  std::thread thread_;
};

}  // namespace escan
