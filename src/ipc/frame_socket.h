#pragma once

#include <utility>
#include <variant>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "ipc/frames.h"
#include "ipc/unique_fd.h"

namespace escan {

// One end of the SOCK_SEQPACKET pair between the daemon and a worker. Send may be called from
// several threads (a datagram is atomic); Receive from one.
class FrameSocket {
 public:
  // Nothing waits: see Receive.
  struct Empty {};
  using Frame = std::variant<Empty, BatchFrame, StopFrame, ResultFrame, StateFrame, CheckFrame>;

  FrameSocket() = default;
  explicit FrameSocket(UniqueFd fd) : fd_(std::move(fd)) {}

  // {daemon's end (non-blocking), worker's end (blocking)}; both close on exec.
  static absl::StatusOr<std::pair<FrameSocket, UniqueFd>> Pair();

  // Unavailable when the peer is gone; ResourceExhausted when its buffer is full (non-blocking
  // end).
  absl::Status Send(const BatchFrame& frame) const;
  absl::Status Send(const StopFrame& frame) const;
  absl::Status Send(const ResultFrame& frame) const;
  absl::Status Send(const StateFrame& frame) const;
  absl::Status Send(const CheckFrame& frame) const;

  // The next frame. `Empty` when none waits (non-blocking end, or `block` false). Unavailable when
  // the peer closed (an empty datagram looks the same); DataLoss with what was wrong when the
  // datagram is no valid frame: its magic, version, type or size, a row count, stage, row status,
  // state or verdict out of bounds, a message without an end.
  absl::StatusOr<Frame> Receive(bool block) const;

  int fd() const { return fd_.get(); }

 private:
  UniqueFd fd_;
};

}  // namespace escan
