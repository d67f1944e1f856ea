#pragma once

#include <string>

namespace escan {

// A place where workers run. Plans name devices by their index in the configuration's list.
struct Device {
  enum class Kind { kCpu };

  Kind kind = Kind::kCpu;
  std::string name = "cpu";

  friend bool operator==(const Device&, const Device&) = default;
};

}  // namespace escan
