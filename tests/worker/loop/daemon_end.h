#pragma once

#include <poll.h>

#include <optional>
#include <utility>
#include <variant>

#include "ipc/frame_socket.h"

namespace escan {

// The next frame of one type that comes to the daemon's end, others skipped; waits for it. nullopt
// when the worker is gone.
template <typename FrameT>
std::optional<FrameT> NextFrame(const FrameSocket& socket) {
  for (;;) {
    const absl::StatusOr<FrameSocket::Frame> frame = socket.Receive(/*block=*/false);
    if (!frame.ok()) return std::nullopt;
    if (const auto* wanted = std::get_if<FrameT>(&*frame)) return *wanted;
    if (!std::holds_alternative<FrameSocket::Empty>(*frame)) continue;
    pollfd descriptor = {.fd = socket.fd(), .events = POLLIN, .revents = 0};
    ::poll(&descriptor, 1, /*timeout=*/-1);
  }
}

// The same, for a StateFrame of this state.
inline std::optional<StateFrame> NextStateFrame(const FrameSocket& socket, WorkerState state) {
  for (;;) {
    std::optional<StateFrame> frame = NextFrame<StateFrame>(socket);
    if (!frame.has_value() || frame->state == state) return frame;
  }
}

// The daemon's side of a socket whose worker's side the test drives itself.
class DaemonEnd {
 public:
  explicit DaemonEnd(FrameSocket socket) : socket_(std::move(socket)) {}

  const FrameSocket& socket() const { return socket_; }
  void Close() { socket_ = FrameSocket(); }

  template <typename FrameT>
  std::optional<FrameT> Next() const {
    return NextFrame<FrameT>(socket_);
  }
  std::optional<StateFrame> NextState(WorkerState state) const {
    return NextStateFrame(socket_, state);
  }

 private:
  FrameSocket socket_;
};

}  // namespace escan
