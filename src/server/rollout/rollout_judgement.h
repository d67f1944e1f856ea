#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "escan/time.h"

namespace escan {

// What ends a rollout for the worse.
struct RolloutConditions {
  std::optional<double> agreement_below;  // part of the compared rows
  std::optional<Duration> p99_above;      // of the new version's requests
  std::optional<double> errors_above;     // part of the new version's requests
};

// What is known of the new version.
struct RolloutFigures {
  uint64_t answered = 0;  // requests, as the next two
  uint64_t slow = 0;      // of them, that took longer than p99_above
  uint64_t errors = 0;    // that failed for reasons of the version's own
  uint64_t compared = 0;  // rows, as the next
  uint64_t agreeing = 0;
};

// Why the rollout is to be aborted, nullopt: it goes on. While it runs a condition holds once that
// is sure (95 %); at its end by what was counted, and what could not be judged for want of requests
// is no reason to promote.
std::optional<std::string> ReasonToAbort(const RolloutConditions& conditions,
                                         const RolloutFigures& figures, bool at_end);

}  // namespace escan
