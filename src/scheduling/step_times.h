#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "escan/cascade.h"
#include "escan/time.h"

namespace escan {

// Running estimates of how long a step takes, by stage and bucket, from what workers showed. A
// batch of n rows belongs to the smallest bucket that holds it.
class StepTimes {
 public:
  explicit StepTimes(const CascadeSpec& cascade);

  void Add(int stage, int rows, Duration took, TimePoint now);

  // Mean by bucket of the stage; zero where nothing was measured yet.
  std::span<const Duration> means(int stage) const;
  // The mean, when it was measured within kMemory. Requests are refused by this one: a wrong
  // estimate that refuses all requests would otherwise never be corrected.
  std::optional<Duration> Recent(int stage, int rows, TimePoint now) const;
  // How long a step may take.
  struct Longest {
    Duration p99{};        // mean + 2.33 standard deviations: of a normal distribution
    bool certain = false;  // there were as many steps as it looks back to
  };
  // Of the smallest measured bucket that is no smaller; unknown until there is one. A pause does
  // not make it forget.
  std::optional<Longest> LongestOf(int stage, int rows) const;

  static constexpr Duration kMemory = std::chrono::seconds(1);

 private:
  // Exponentially weighted mean and variance: Finch 2009, "Incremental calculation of weighted mean
  // and variance", with weights 1/n until n = kSpan.
  struct Estimate {
    int count = 0;
    double mean = 0;      // ns
    double variance = 0;  // ns^2
    TimePoint last;

    void Add(Duration took, TimePoint now);
  };
  struct Stage {
    std::array<uint8_t, kMaxBatchRows + 1> bucket_of_rows{};
    std::vector<Estimate> estimates;  // by bucket; each starts anew after a pause of kMemory
    std::vector<Estimate> lasting;    // the same, through all pauses
    std::vector<Duration> means;      // by bucket
  };
  static constexpr int kSpan = 16;

  const Estimate& estimate(int stage, int rows) const;

  std::vector<Stage> stages_;
};

}  // namespace escan
