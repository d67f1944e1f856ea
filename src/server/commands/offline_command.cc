#include "server/commands/offline_command.h"

#include <poll.h>
#include <sys/eventfd.h>

#include <array>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "server/listening/address_check.h"

namespace escan {

// Where one cannot listen for another reason than that somebody does, nobody is disturbed.
absl::Status CheckNobodyServes(const ServerConfig& server) {
  for (const std::string& address : {server.listen, server.admin, server.metrics}) {
    if (address.empty()) continue;
    const absl::Status status = CheckAddressIsFree(address);
    if (!absl::IsUnavailable(status) && !absl::IsAlreadyExists(status)) continue;
    return absl::UnavailableError(absl::StrCat(
        "a daemon serves there and would be disturbed, and disturb: ", status.message()));
  }
  return absl::OkStatus();
}

ReadableWatch::ReadableWatch(int fd, std::function<void()> on_readable)
    : end_(eventfd(0, EFD_CLOEXEC)), thread_([this, fd, on_readable = std::move(on_readable)] {
        std::array<pollfd, 2> polled = {{{fd, POLLIN, 0}, {end_.get(), POLLIN, 0}}};
        while (poll(polled.data(), polled.size(), -1) < 0) {
        }
        if (polled[0].revents != 0) on_readable();
      }) {}

ReadableWatch::~ReadableWatch() {
  eventfd_write(end_.get(), 1);
  thread_.join();
}

}  // namespace escan
