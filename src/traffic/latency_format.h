#pragma once

#include <string>

#include "escan/time.h"
#include "nlohmann/json.hpp"
#include "traffic/latency_summary.h"

namespace escan {

double Milliseconds(Duration duration);

// A latency's figures in milliseconds, as every report shows them.
std::string LatencyText(const LatencySummary& latency);
nlohmann::ordered_json LatencyJson(const LatencySummary& latency);

}  // namespace escan
