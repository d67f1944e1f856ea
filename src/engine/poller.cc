#include "engine/poller.h"

#include <sys/epoll.h>

#include <array>
#include <cerrno>

namespace escan {
namespace {

epoll_data_t Pack(const Poller::Event& event) {
  epoll_data_t data{};
  data.u64 = (static_cast<uint64_t>(event.source) << 32) | static_cast<uint32_t>(event.owner);
  return data;
}

Poller::Event Unpack(const epoll_data_t& data) {
  return {.source = static_cast<Poller::Source>(data.u64 >> 32),
          .owner = static_cast<int>(data.u64 & UINT32_MAX)};
}

}  // namespace

absl::StatusOr<std::unique_ptr<Poller>> Poller::Create() {
  UniqueFd epoll(::epoll_create1(EPOLL_CLOEXEC));
  if (!epoll) return absl::ErrnoToStatus(errno, "epoll_create1");
  const timespec none{};
  epoll_event event{};
  if (::epoll_pwait2(epoll.get(), &event, 1, &none, nullptr) < 0) {
    return absl::ErrnoToStatus(errno, "epoll_pwait2, which needs Linux 5.11");
  }
  return std::unique_ptr<Poller>(new Poller(std::move(epoll)));
}

absl::Status Poller::Add(int fd, const Event& event) {
  epoll_event request{.events = EPOLLIN, .data = Pack(event)};
  if (::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, fd, &request) != 0) {
    return absl::ErrnoToStatus(errno, "epoll_ctl");
  }
  return absl::OkStatus();
}

void Poller::Remove(int fd) { ::epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, fd, nullptr); }

const std::vector<Poller::Event>& Poller::Wait(TimePoint deadline) {
  timespec timeout{};
  const timespec* limit = nullptr;
  if (deadline != TimePoint::max()) {
    const TimePoint now = Clock::now();
    const Duration left = deadline > now ? deadline - now : Duration::zero();
    timeout.tv_sec = static_cast<time_t>(std::chrono::floor<std::chrono::seconds>(left).count());
    timeout.tv_nsec = static_cast<long>((left % std::chrono::seconds(1)).count());
    limit = &timeout;
  }
  std::array<epoll_event, 64> ready;
  const int count =
      ::epoll_pwait2(epoll_.get(), ready.data(), static_cast<int>(ready.size()), limit, nullptr);
  events_.clear();
  for (int i = 0; i < count; ++i) events_.push_back(Unpack(ready[static_cast<size_t>(i)].data));
  return events_;
}

}  // namespace escan
