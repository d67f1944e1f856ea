#include "server/listening/acceptor.h"

#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <spdlog/spdlog.h>
#include <sys/eventfd.h>
#include <sys/socket.h>

#include <cerrno>
#include <utility>
#include <vector>

namespace escan {
namespace {

constexpr Duration kRecheck = std::chrono::seconds(1);
// After an accept that failed: the connection still waits, so poll() would return at once.
constexpr int kPauseMilliseconds = 100;

}  // namespace

Acceptor::Acceptor(ListeningSockets bound, int descriptor_ceiling, Listener listener)
    : bound_(std::move(bound)),
      ceiling_(descriptor_ceiling),
      listener_(std::move(listener)),
      wake_(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)),
      thread_([this] { Run(); }) {
  pthread_setname_np(thread_.native_handle(), "acceptor");
}

Acceptor::~Acceptor() {
  {
    const MutexLock lock(mutex_);
    ended_ = true;
  }
  eventfd_write(wake_.get(), 1);
  thread_.join();
}

void Acceptor::TakeOwn(UniqueFd connection) {
  {
    const MutexLock lock(mutex_);
    own_.push_back(std::move(connection));
  }
  eventfd_write(wake_.get(), 1);
}

bool Acceptor::TakeOwnConnections() {
  eventfd_t ignored = 0;
  eventfd_read(wake_.get(), &ignored);
  std::vector<UniqueFd> connections;
  {
    const MutexLock lock(mutex_);
    if (ended_) return false;
    connections.swap(own_);
  }
  for (UniqueFd& connection : connections) listener_.on_own_connection(std::move(connection));
  return true;
}

void Acceptor::Run() {
  std::vector<pollfd> polled = {{.fd = wake_.get(), .events = POLLIN, .revents = 0}};
  for (const UniqueFd& socket : bound_.sockets) {
    polled.push_back({.fd = socket.get(), .events = POLLIN, .revents = 0});
  }
  while (true) {
    constexpr auto kTimeout = std::chrono::ceil<std::chrono::milliseconds>(kRecheck);
    poll(polled.data(), polled.size(), accepting_ ? -1 : static_cast<int>(kTimeout.count()));
    if (polled[0].revents != 0 && !TakeOwnConnections()) return;
    for (size_t i = 0; i < bound_.sockets.size(); ++i) {
      if (polled[i + 1].revents != 0) TakeFrom(bound_.sockets[i]);
    }
    if (!accepting_ && Clock::now() - refused_at_ >= kRecheck && DescriptorsAreFree()) {
      SetAccepting(true);
    }
  }
}

void Acceptor::TakeFrom(const UniqueFd& socket) {
  UniqueFd connection(accept4(socket.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
  if (connection && connection.get() < ceiling_) {
    listener_.on_connection(std::move(connection));
    return;
  }
  if (connection) {
    connection.reset();
    Refuse();
    return;
  }
  // The client went away, or another reader was faster.
  if (errno == EAGAIN || errno == EINTR || errno == ECONNABORTED) return;
  Refuse();
  pollfd wake = {.fd = wake_.get(), .events = POLLIN, .revents = 0};
  poll(&wake, 1, kPauseMilliseconds);
}

void Acceptor::Refuse() {
  refused_at_ = Clock::now();
  listener_.on_refused();
  SetAccepting(false);
}

bool Acceptor::DescriptorsAreFree() const {
  const UniqueFd lowest(fcntl(wake_.get(), F_DUPFD_CLOEXEC, 0));
  return lowest && lowest.get() < ceiling_;
}

void Acceptor::SetAccepting(bool accepting) {
  if (std::exchange(accepting_, accepting) != accepting) listener_.on_change(accepting);
}

void LogAccepting(const std::string& address, bool accepting) {
  if (accepting) {
    spdlog::info("connections taken again address={}", address);
  } else {
    spdlog::warn("connections refused address={} reason=\"too many open files\"", address);
  }
}

}  // namespace escan
