#pragma once

#include <array>
#include <string_view>

#include "engine/engine_status.h"

namespace escan {

// What operators and the metrics are told that a worker does.
std::string_view StateName(const EngineStatus::Worker& worker);

// Every name that StateName answers.
inline constexpr std::array<std::string_view, 10> kWorkerStateNames = {
    "starting", "loading", "warming",  "capturing", "verifying",
    "failed",   "ready",   "draining", "stopping",  "waiting"};

}  // namespace escan
