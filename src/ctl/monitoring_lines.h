#pragma once

#include <string>

#include "escan/v1/admin.pb.h"

namespace escan::ctl {

// What watches over a cascade's answers have found: lines of `escanctl status`, none where nothing
// was looked at.
std::string MonitoringLines(const v1::CascadeStatus& cascade);

}  // namespace escan::ctl
