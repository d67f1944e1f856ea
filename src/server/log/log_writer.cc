#include "server/log/log_writer.h"

#include <poll.h>
#include <unistd.h>

#include <cerrno>
#include <deque>
#include <utility>

#include "absl/strings/str_cat.h"
#include "contracts/mutex.h"

namespace escan {
namespace {

// False when the descriptor refuses the text for good. Blocks as long as it takes.
bool WriteAll(int descriptor, const std::string& text) {
  size_t written = 0;
  while (written < text.size()) {
    const ssize_t count = write(descriptor, text.data() + written, text.size() - written);
    if (count >= 0) {
      written += static_cast<size_t>(count);
    } else if (errno == EAGAIN) {  // whoever shares the open file has made it non-blocking
      pollfd writable = {.fd = descriptor, .events = POLLOUT, .revents = 0};
      poll(&writable, 1, -1);
    } else if (errno != EINTR) {
      return false;
    }
  }
  return true;
}

}  // namespace

struct LogWriter::Queue {
  Queue(UniqueFd to, size_t most_bytes) : descriptor(std::move(to)), capacity(most_bytes) {}

  void Run();
  void CountLost(uint64_t count) ESCAN_REQUIRES(mutex) {
    lost.fetch_add(count, std::memory_order_relaxed);
    lost_untold += count;
  }

  const UniqueFd descriptor;
  const size_t capacity;
  std::atomic<uint64_t> lost{0};
  Mutex mutex;
  CondVar changed;
  std::deque<std::string> lines ESCAN_GUARDED_BY(mutex);
  size_t bytes ESCAN_GUARDED_BY(mutex) = 0;
  uint64_t lost_untold ESCAN_GUARDED_BY(mutex) = 0;
  bool writing ESCAN_GUARDED_BY(mutex) = false;
  bool ended ESCAN_GUARDED_BY(mutex) = false;
};

void LogWriter::Queue::Run() {
  mutex.Lock();
  while (true) {
    while (lines.empty() && !ended) changed.Wait(mutex);
    if (ended) break;
    std::string text = std::move(lines.front());
    lines.pop_front();
    bytes -= text.size();
    const uint64_t untold = std::exchange(lost_untold, 0);
    writing = true;
    mutex.Unlock();
    bool told = untold == 0;
    if (!told) {
      told = WriteAll(descriptor.get(), absl::StrCat("escand[", getpid(),
                                                     "]: log overrun lines_lost=", untold, "\n"));
    }
    const bool written = WriteAll(descriptor.get(), text);
    mutex.Lock();
    writing = false;
    if (!told) lost_untold += untold;
    if (!written) CountLost(1);
    changed.NotifyAll();
  }
  mutex.Unlock();
}

LogWriter::LogWriter(UniqueFd descriptor, size_t capacity)
    : queue_(std::make_shared<Queue>(std::move(descriptor), capacity)),
      thread_([queue = queue_] { queue->Run(); }) {
  pthread_setname_np(thread_.native_handle(), "log");
}

LogWriter::~LogWriter() {
  bool writing = false;
  {
    const MutexLock lock(queue_->mutex);
    queue_->ended = true;
    writing = queue_->writing;
    queue_->changed.NotifyAll();
  }
  if (writing) {
    thread_.detach();
  } else {
    thread_.join();
  }
}

void LogWriter::Write(std::string line) {
  const MutexLock lock(queue_->mutex);
  queue_->bytes += line.size();
  queue_->lines.push_back(std::move(line));
  uint64_t dropped = 0;
  while (queue_->bytes > queue_->capacity) {
    queue_->bytes -= queue_->lines.front().size();
    queue_->lines.pop_front();
    ++dropped;
  }
  queue_->CountLost(dropped);
  queue_->changed.NotifyAll();
}

bool LogWriter::Flush(TimePoint deadline) {
  const MutexLock lock(queue_->mutex);
  while (queue_->writing || !queue_->lines.empty()) {
    if (!queue_->changed.WaitUntil(queue_->mutex, deadline)) return false;
  }
  return true;
}

uint64_t LogWriter::lines_lost() const { return queue_->lost.load(std::memory_order_relaxed); }

}  // namespace escan
