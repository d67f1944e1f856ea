#include "server/log/line_relay.h"

#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <utility>

namespace escan {
namespace {

constexpr size_t kLongestLine = size_t{64} << 10;

}  // namespace

absl::StatusOr<std::unique_ptr<LineRelay>> LineRelay::Start(Taker taker) {
  std::array<int, 2> ends{};
  if (pipe2(ends.data(), O_CLOEXEC) != 0) return absl::ErrnoToStatus(errno, "cannot make a pipe");
  UniqueFd read_end(ends[0]);
  UniqueFd write_end(ends[1]);
  // Of this end only: the writers' open file is another.
  fcntl(read_end.get(), F_SETFL, O_NONBLOCK);
  UniqueFd stop(eventfd(0, EFD_CLOEXEC));
  if (!stop) return absl::ErrnoToStatus(errno, "cannot create an eventfd");
  return std::unique_ptr<LineRelay>(
      new LineRelay(std::move(read_end), std::move(write_end), std::move(stop), std::move(taker)));
}

LineRelay::LineRelay(UniqueFd read_end, UniqueFd write_end, UniqueFd stop, Taker taker)
    : read_end_(std::move(read_end)),
      write_end_(std::move(write_end)),
      stop_(std::move(stop)),
      taker_(std::move(taker)),
      thread_([this] { Run(); }) {
  pthread_setname_np(thread_.native_handle(), "worker lines");
}

LineRelay::~LineRelay() {
  eventfd_write(stop_.get(), 1);
  thread_.join();
}

void LineRelay::Run() {
  std::array<pollfd, 2> polled = {{{.fd = stop_.get(), .events = POLLIN, .revents = 0},
                                   {.fd = read_end_.get(), .events = POLLIN, .revents = 0}}};
  do {
    poll(polled.data(), polled.size(), -1);
    while (ReadSome()) {
    }
  } while (polled[0].revents == 0);
  if (!read_.empty()) taker_(std::exchange(read_, "") + "\n");
}

bool LineRelay::ReadSome() {
  std::array<char, 4096> block;
  const ssize_t count = read(read_end_.get(), block.data(), block.size());
  if (count <= 0) return count < 0 && errno == EINTR;
  read_.append(block.data(), static_cast<size_t>(count));
  size_t begin = 0;
  for (size_t end = read_.find('\n'); end != std::string::npos; end = read_.find('\n', begin)) {
    taker_(read_.substr(begin, end + 1 - begin));
    begin = end + 1;
  }
  read_.erase(0, begin);
  if (read_.size() >= kLongestLine) taker_(std::exchange(read_, "") + "\n");
  return true;
}

}  // namespace escan
