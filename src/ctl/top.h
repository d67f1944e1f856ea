#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "ctl/admin_client.h"

namespace escan::ctl {

struct TopCommand {
  absl::Duration interval = absl::Seconds(2);
};

// What the daemon did between two answers that are `between` apart, as a screen of text; rates are
// per second. Every line ends with a line break.
std::string FormatTop(const v1::GetStatusResponse& before, const v1::GetStatusResponse& now,
                      absl::Duration between);

// On a terminal: shows screens, one an interval, until q or Ctrl-C is pressed, and answers "".
// Elsewhere: waits for one interval and answers one screen. An error of the daemon's ends it.
absl::StatusOr<std::string> RunTop(const TopCommand& command, AdminClient& client,
                                   absl::Duration timeout);

}  // namespace escan::ctl
