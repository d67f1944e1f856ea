#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "escan/time.h"

namespace escan {

// What comparing a stage's answers to the probe rows with the right ones has shown.
enum class Verdict : uint32_t {
  kRight = 0,
  kRightByRemedy = 1,  // in another way than the one that was to be taken
  kWrong = 2,          // in every way that there is
  kUnknown = 3,        // the model does not repeat its answers, or mixes rows
};

std::string_view Name(Verdict verdict);  // "right", "right by remedy", "wrong", "unknown"

// The check of one bucket of a stage, as one worker made it before it was ready.
struct BucketCheck {
  int stage = 0;  // index in the cascade
  int rows = 0;   // of the bucket
  Verdict verdict = Verdict::kRight;
  Duration step{};        // of one step alone; zero: not timed
  float least_score = 0;  // of the right answers to the probe rows; NaN: not scored
  float greatest_score = 0;
  std::string way;      // how the bucket is computed: "fused, cublaslt"
  std::string message;  // what is wrong or odd; empty: nothing

  friend bool operator==(const BucketCheck&, const BucketCheck&) = default;
};

}  // namespace escan
