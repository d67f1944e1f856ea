#pragma once

#include <string>

#include "loadgen/max_rate.h"
#include "loadgen/report.h"

namespace escan::loadgen {

// One JSON object; docs/load_generator.md lists the keys.
std::string ToJson(const Report& report);
std::string ToJson(const MaxRateReport& report);

}  // namespace escan::loadgen
