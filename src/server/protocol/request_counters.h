#pragma once

#include <array>
#include <atomic>
#include <cstdint>

#include "absl/status/status.h"
#include "escan/time.h"
#include "scheduling/stage_statistics.h"

namespace escan {

// What became of a model's requests, as the front end sees it. Counted by any thread without a
// lock; a reader may see one request's numbers partly, never a number that goes back.
class RequestCounters {
 public:
  // The parts of an answered request's time.
  struct Times {
    Duration total{};   // from its arrival
    Duration input{};   // checking it and copying its rows to their slots
    Duration engine{};  // until its last row was answered
    Duration output{};  // forming the answer
  };

  static constexpr size_t kCodes = 17;  // gRPC's status codes, OK included

  struct Snapshot {
    std::array<uint64_t, kCodes> requests{};   // by status code
    uint64_t rows = 0;                         // of the answered requests
    Times answered;                            // summed
    Duration failed{};                         // summed time of all others
    Histogram<kLatencyBounds.size()> latency;  // of the answered requests, seconds
    TimePoint last{};                          // the latest answer; the clock's zero: none yet
  };

  void CountAnswered(const Times& times, int rows, TimePoint now);
  void CountFailed(absl::StatusCode code, Duration total);
  Snapshot Read() const;

 private:
  using Counter = std::atomic<uint64_t>;

  static void Add(Counter& counter, uint64_t value) {
    counter.fetch_add(value, std::memory_order_relaxed);
  }
  static void Add(Counter& counter, Duration value) {
    Add(counter, static_cast<uint64_t>(value.count()));
  }

  std::array<Counter, kCodes> requests_{};
  std::array<Counter, kLatencyBounds.size() + 1> latency_{};
  Counter rows_{0};
  Counter total_ns_{0};
  Counter input_ns_{0};
  Counter engine_ns_{0};
  Counter output_ns_{0};
  Counter failed_ns_{0};
  Counter last_ns_{0};
};

}  // namespace escan
