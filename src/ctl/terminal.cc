#include "ctl/terminal.h"

#include <poll.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <iostream>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "absl/time/clock.h"

namespace escan::ctl {
namespace {

// https://invisible-island.net/xterm/ctlseqs/ctlseqs.html: another screen and no cursor, and back.
constexpr char kEnter[] = "\x1b[?1049h\x1b[?25l";
constexpr char kLeave[] = "\x1b[?25h\x1b[?1049l";
constexpr char kHome[] = "\x1b[H";
constexpr char kEraseLine[] = "\x1b[K";
constexpr char kEraseBelow[] = "\x1b[J";
constexpr char kControlC = 3;

}  // namespace

Terminal::Terminal() {
  termios now{};
  if (isatty(STDOUT_FILENO) == 0 || tcgetattr(STDIN_FILENO, &now) != 0) return;
  before_ = now;
  now.c_lflag &= ~static_cast<tcflag_t>(ICANON | ECHO | ISIG);  // Ctrl-C is read as a key
  tcsetattr(STDIN_FILENO, TCSANOW, &now);
  std::cout << kEnter << std::flush;
}

Terminal::~Terminal() {
  if (!present()) return;
  std::cout << kLeave << std::flush;
  tcsetattr(STDIN_FILENO, TCSANOW, &*before_);
}

Terminal::Size Terminal::size() const {
  winsize found{};
  Size size;
  if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &found) != 0 || found.ws_row == 0 || found.ws_col == 0) {
    return size;
  }
  return {.rows = found.ws_row, .columns = found.ws_col};
}

void Terminal::Show(const std::string& text) {
  std::cout << kHome << absl::StrReplaceAll(text, {{"\n", absl::StrCat(kEraseLine, "\n")}})
            << kEraseLine << kEraseBelow << std::flush;
}

bool Terminal::WaitForKey(absl::Duration time) const {
  const absl::Time until = absl::Now() + time;
  if (!present()) {
    absl::SleepFor(time);
    return false;
  }
  while (true) {
    const int64_t left = std::max<int64_t>(0, absl::ToInt64Milliseconds(until - absl::Now()));
    pollfd input = {.fd = STDIN_FILENO, .events = POLLIN, .revents = 0};
    if (poll(&input, 1, static_cast<int>(left)) <= 0) return false;
    char key = 0;
    if (read(STDIN_FILENO, &key, 1) != 1) return true;
    if (key == 'q' || key == kControlC) return true;
  }
}

}  // namespace escan::ctl
