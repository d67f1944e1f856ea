#pragma once

#include <cstdint>
#include <vector>

#include "escan/time.h"
#include "traffic/latency_summary.h"

namespace escan {

// What became of the requests.
struct RequestFigures {
  int64_t sent = 0;
  int64_t served = 0;
  int64_t refused = 0;            // too few slots were free
  int64_t deadline_exceeded = 0;  // answered so, or not admitted because of it

  friend bool operator==(const RequestFigures&, const RequestFigures&) = default;
};

struct StageFigures {
  int64_t samples = 0;  // rows in finished batches, speculative ones too
  int64_t batches = 0;
  int64_t exits = 0;       // samples that this stage answered, of requests that were served
  Duration mean_step{};    // from the start of a step to its end, slowed by what ran beside it
  double utilisation = 0;  // part of their time for which the workers that host it ran it

  double mean_rows() const {
    return batches == 0 ? 0.0 : static_cast<double>(samples) / static_cast<double>(batches);
  }

  friend bool operator==(const StageFigures&, const StageFigures&) = default;
};

// What a simulation measured: after its warm-up, up to the last answer.
struct SimulationReport {
  Duration elapsed{};  // from the first request's sending to the last answer
  RequestFigures requests;
  int64_t samples = 0;            // of the requests that were served
  double samples_per_second = 0;  // the same
  double goodput_per_second = 0;  // those whose latency kept the cascade's objective
  LatencySummary latency;         // of the samples that were served, each that of its request
  std::vector<StageFigures> stages;
  std::vector<double> group_utilisation;  // [worker group]: part of its workers' time in steps

  friend bool operator==(const SimulationReport&, const SimulationReport&) = default;
};

}  // namespace escan
