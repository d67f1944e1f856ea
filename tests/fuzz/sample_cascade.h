#pragma once

#include <cstdlib>

#include "config/config.h"
#include "fuzz/input_file.h"

namespace escan {

// The cascade that plans and profiles among the inputs are about: `small`, then `large`, on a CPU.
inline const Config& SampleConfig() {
  static const Config* const config = [] {
    const InputFile file(R"(cascades:
  - name: digits
    inputs: [{name: image, datatype: UINT8, shape: [28, 28]}]
    outputs: [{name: probabilities, datatype: FP32, shape: [10]}]
    stages:
      - {name: small, executor: null, buckets: [1, 8], exit: {score: max_probability, threshold: 1}}
      - {name: large, executor: null, buckets: [4]}
)");
    absl::StatusOr<Config> loaded = LoadConfig(file.path());
    if (!loaded.ok()) std::abort();
    return new Config(*std::move(loaded));
  }();
  return *config;
}

}  // namespace escan
