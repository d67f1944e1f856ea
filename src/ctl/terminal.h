#pragma once

#include <termios.h>

#include <optional>
#include <string>

#include "absl/time/time.h"

namespace escan::ctl {

// The terminal that standard output is, while a program shows screens there; standard output may be
// none. The constructor leaves what was there aside, the destructor brings it back.
class Terminal {
 public:
  Terminal();
  ~Terminal();
  Terminal(const Terminal&) = delete;
  Terminal& operator=(const Terminal&) = delete;

  // Whether there is one, and keys can be read from standard input.
  bool present() const { return before_.has_value(); }

  struct Size {
    int rows = 24;
    int columns = 80;
  };
  Size size() const;

  // Replaces what is shown.
  void Show(const std::string& text);

  // Waits for `time`; true at once when q or Ctrl-C is pressed, or nobody is there any more.
  bool WaitForKey(absl::Duration time) const;

 private:
  std::optional<termios> before_;
};

}  // namespace escan::ctl
