#include <sys/socket.h>

#include <cstdlib>
#include <utility>

#include "fuzz/target.h"
#include "ipc/frame_socket.h"

// One datagram on the socket between the daemon and a worker.
int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static const auto* const ends = new auto(*escan::FrameSocket::Pair());
  constexpr size_t kMostSent = 8192;
  if (size == 0 || size > kMostSent) return 0;  // Nothing sent looks like the peer's end.
  if (::send(ends->second.get(), data, size, MSG_NOSIGNAL) < 0) std::abort();
  const auto frame = ends->first.Receive(/*block=*/false);
  // Something waited, so it is a frame or a reason why not.
  if (frame.ok() && std::holds_alternative<escan::FrameSocket::Empty>(*frame)) std::abort();
  return 0;
}
