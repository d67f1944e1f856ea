#pragma once

#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "escan/time.h"
#include "ipc/unique_fd.h"

namespace escan {

// epoll with nanosecond timeouts. A descriptor is named by what its owner says it is.
class Poller {
 public:
  enum class Source : uint32_t { kMailbox, kSideThread, kSocket, kProcess };
  struct Event {
    Source source{};
    int owner = 0;
  };

  static absl::StatusOr<std::unique_ptr<Poller>> Create();

  absl::Status Add(int fd, const Event& event);
  void Remove(int fd);

  // Readable or closed descriptors; empty when `deadline` passed first. A deadline in the past
  // polls.
  const std::vector<Event>& Wait(TimePoint deadline);

 private:
  explicit Poller(UniqueFd epoll) : epoll_(std::move(epoll)) {}

  UniqueFd epoll_;
  std::vector<Event> events_;
};

}  // namespace escan
