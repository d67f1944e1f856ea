#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <thread>

#include "escan/time.h"
#include "ipc/unique_fd.h"

namespace escan {

// Writes lines to a descriptor from a thread of its own, so that nobody who logs ever waits for who
// reads: a pipe that is full, a terminal that was stopped, a disk that hangs. Beyond `capacity`
// bytes that wait, the oldest lines are dropped and counted; how many, a line says when there is
// room again: "escand[PID]: log overrun lines_lost=N". Thread-safe.
class LogWriter {
 public:
  static constexpr size_t kCapacity = size_t{1} << 20;

  explicit LogWriter(UniqueFd descriptor, size_t capacity = kCapacity);
  // Does not wait: what has not been written is lost. Flush() first.
  ~LogWriter();
  LogWriter(const LogWriter&) = delete;
  LogWriter& operator=(const LogWriter&) = delete;

  // `line` ends in a newline. Does not block.
  void Write(std::string line);
  // Waits until all is written, at most until `deadline`; false when something is left.
  bool Flush(TimePoint deadline);
  // Dropped, or refused by the descriptor.
  uint64_t lines_lost() const;

 private:
  struct Queue;

  // Shared with the thread, which may hang in its last write for longer than this object lives.
  const std::shared_ptr<Queue> queue_;
  std::thread thread_;
};

}  // namespace escan
