#pragma once

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "config/config.h"
#include "support/temporary_folder.h"

namespace escan {

// A folder with a configuration, and what it refers to, that lives as long as a test.
class ConfigFolder : public TemporaryFolder {
 public:
  ConfigFolder() {}  // of its own, so that clang takes one that is constant

  absl::StatusOr<Config> Load(const std::string& yaml, const std::vector<Device>& gpus = {}) const {
    return LoadConfig(Write("escand.yaml", yaml), gpus);
  }
};

// The GPUs of an imagined machine; the UUIDs begin with the same eight digits.
inline std::vector<Device> TwoGpus() {
  constexpr size_t kMemory = size_t{80} << 30;
  return {{Device::Kind::kGpu, "H100", "GPU-8932f937-d72c-4106-c12f-20bd9faed9f6", 132, kMemory},
          {Device::Kind::kGpu, "H100", "GPU-8932f937-0000-4106-c12f-20bd9faed9f6", 132, kMemory}};
}

// A cascade of two null stages; `more` are further keys of the cascade, four spaces indented.
inline std::string TwoStages(const std::string& more = "") {
  return R"(cascades:
  - name: digits
    inputs: [{name: image, datatype: UINT8, shape: [28, 28]}]
    outputs: [{name: probabilities, datatype: FP32, shape: [10]}]
    stages:
      - {name: small, executor: null, exit: {score: max_probability, threshold: 0.9}}
      - {name: large, executor: null, buckets: [1, 8, 32]}
)" + more;
}

// What a calibration has found out about that cascade, as a file.
inline std::string CalibrationOfTwoStages() {
  return R"({"version": 1, "cascade": "digits", "stages": [
  {"name": "small", "score": "max_probability", "threshold": 0.9, "lowest_threshold": 0.7,
   "scores": {"edges": [0.5, 0.6], "counts": [10, 20, 30]}},
  {"name": "large", "score": "max_probability",
   "scores": {"edges": [0.5], "counts": [10, 20]}}],
  "report": {"accuracy": 0.91}})";
}

// That cascade, with one of its texts replaced.
inline std::string TwoStagesWith(const std::string& text, const std::string& replacement) {
  std::string yaml = TwoStages();
  return yaml.replace(yaml.find(text), text.size(), replacement);
}

inline Config MustLoad(const ConfigFolder& folder, const std::string& yaml) {
  absl::StatusOr<Config> config = folder.Load(yaml);
  EXPECT_TRUE(config.ok()) << config.status();
  return config.ok() ? *std::move(config) : Config();
}

// The only cascade of a configuration.
inline CascadeConfig MustLoadCascade(const ConfigFolder& folder, const std::string& yaml) {
  Config config = MustLoad(folder, yaml);
  EXPECT_EQ(config.cascades.size(), 1u);
  return config.cascades.empty() ? CascadeConfig() : config.cascades.front();
}

}  // namespace escan
