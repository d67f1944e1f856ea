#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

// What each file here defines and libFuzzer calls: reads the bytes as one input. Errors are as good
// as answers; what a sanitizer reports, an exception and an abort are not. Always answers 0.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size);

namespace escan {

inline std::string_view AsText(const uint8_t* data, size_t size) {
  return {reinterpret_cast<const char*>(data), size};
}

}  // namespace escan
