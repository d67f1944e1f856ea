#pragma once

#include <cstddef>
#include <string>

namespace escan {

// A place where workers run. Plans name devices by their index in the configuration's list.
struct Device {
  enum class Kind { kCpu, kGpu };

  Kind kind = Kind::kCpu;
  std::string name = "cpu";  // for people: "cpu", "NVIDIA H100 80GB HBM3"

  // Of a GPU only.
  std::string uuid;         // "GPU-..."
  int multiprocessors = 0;  // of the whole device; 0: unknown
  size_t memory_bytes = 0;

  friend bool operator==(const Device&, const Device&) = default;
};

}  // namespace escan
