#pragma once

#include <functional>
#include <string>
#include <thread>
#include <vector>

#include "contracts/mutex.h"
#include "escan/time.h"
#include "ipc/unique_fd.h"
#include "server/listening/listening_sockets.h"

namespace escan {

// A thread that takes a server's connections, and closes at once those that there is no room for,
// so that descriptors stay free for everything else. The kernel gives out the lowest number that is
// free, so a connection whose number is `descriptor_ceiling` or more says that as many descriptors
// are open. (gRPC's own listener takes no connection ever again once one met EMFILE.)
class Acceptor {
 public:
  // What it tells, from its thread; must not block.
  struct Listener {
    std::function<void(UniqueFd connection)> on_connection;  // is non-blocking
    std::function<void(UniqueFd connection)> on_own_connection = nullptr;
    std::function<void()> on_refused;  // one was closed, or could not be taken
    // Whether connections are taken. False from the first that is refused until none was for a
    // second and descriptors are free.
    std::function<void(bool accepting)> on_change;
  };

  // `bound` listens already.
  Acceptor(ListeningSockets bound, int descriptor_ceiling, Listener listener);
  // Closes the sockets: nobody is taken any more.
  ~Acceptor();
  Acceptor(const Acceptor&) = delete;
  Acceptor& operator=(const Acceptor&) = delete;

  // Has the thread tell of a connection that this process made to itself, as of one that it took.
  void TakeOwn(UniqueFd connection);

 private:
  void Run();
  void TakeFrom(const UniqueFd& socket);
  // False once the thread is to end.
  bool TakeOwnConnections();
  bool DescriptorsAreFree() const;
  void Refuse();
  void SetAccepting(bool accepting);

  const ListeningSockets bound_;
  const int ceiling_;
  const Listener listener_;
  const UniqueFd wake_;  // eventfd
  bool accepting_ = true;
  TimePoint refused_at_{};
  Mutex mutex_;
  bool ended_ ESCAN_GUARDED_BY(mutex_) = false;
  std::vector<UniqueFd> own_ ESCAN_GUARDED_BY(mutex_);
  std::thread thread_;
};

// Tells the log that connections to an address are not taken any more, or again.
void LogAccepting(const std::string& address, bool accepting);

}  // namespace escan
