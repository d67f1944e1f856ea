#pragma once

#include <functional>
#include <thread>

#include "escan/time.h"
#include "ipc/unique_fd.h"

namespace escan {

// A thread that keeps a worker and its daemon from outliving each other: it calls `heartbeat` once
// a period, however long a batch takes, and sees the daemon's end of the socket close. The main
// loop meets the closed socket too, after its batch; if the watch still exists `grace` later, the
// loop is stuck, and `on_stuck`, which ends the process, is called.
//
// Owned by the worker's main; the destructor stops and joins the thread.
class DaemonWatch {
 public:
  struct Options {
    Duration heartbeat_period{};
    Duration grace{};
    std::function<void()> heartbeat;
    std::function<void()> on_stuck;
  };
  // `socket_fd` must stay open while the watch exists.
  DaemonWatch(int socket_fd, Options options);
  ~DaemonWatch();
  DaemonWatch(const DaemonWatch&) = delete;
  DaemonWatch& operator=(const DaemonWatch&) = delete;

 private:
  enum class Event { kNone, kStopped, kDaemonGone };

  void Watch();
  // Blocks until something happens, at most until `deadline`.
  Event WaitUntil(TimePoint deadline, bool watch_socket) const;

  const int socket_fd_;
  const Options options_;
  UniqueFd stop_;  // eventfd; readable once the watch is to end
  std::thread thread_;
};

}  // namespace escan
