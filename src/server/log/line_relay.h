#pragma once

#include <functional>
#include <memory>
#include <string>
#include <thread>

#include "absl/status/statusor.h"
#include "ipc/unique_fd.h"

namespace escan {

// A pipe that other programs have as their standard output and error, and a thread that hands on
// what they write, line by line. It always reads, so none of them waits, whatever becomes of the
// lines. The destructor hands on what was written until then.
class LineRelay {
 public:
  // Is given lines that end in a newline, from the relay's thread; must not block. A line that is
  // longer than 64 KiB comes in pieces.
  using Taker = std::function<void(std::string line)>;

  static absl::StatusOr<std::unique_ptr<LineRelay>> Start(Taker taker);
  ~LineRelay();

  int write_end() const { return write_end_.get(); }  // closes on exec

 private:
  LineRelay(UniqueFd read_end, UniqueFd write_end, UniqueFd stop, Taker taker);

  void Run();
  bool ReadSome();

  const UniqueFd read_end_;  // non-blocking
  const UniqueFd write_end_;
  const UniqueFd stop_;  // eventfd; readable once the thread is to end
  const Taker taker_;
  std::string read_;  // that has no newline yet
  std::thread thread_;
};

}  // namespace escan
