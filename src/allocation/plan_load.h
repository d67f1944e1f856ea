#pragma once

#include <cstddef>
#include <limits>
#include <span>
#include <vector>

#include "allocation/step_costs.h"
#include "allocation/workload.h"
#include "contracts/plan.h"
#include "escan/time.h"

namespace escan {

// Of 1,000 requests, so many may be answered by stages that their p99 leaves out.
inline constexpr double kIgnoredReach = 0.005;

// Where samples queue for workers: a stage; or, with `regroup: false`, the whole cascade, since
// survivors go on without queueing again.
struct Station {
  int stage = 0;        // the first that runs here
  double work = 0;      // samples that are run here, of each one that arrives at the cascade
  double reach = 0;     // those whose answer needs it
  bool beside = false;  // it speculates: samples are here while they are at the station before
  int max_batch = 1;
  Seconds max_delay{};
  std::span<const int> rows;  // sizes of batches, ascending, that are told apart; ends at max_batch
};

// What a station's batches cost a class of equal workers.
struct StationCost {
  Seconds worker_time{};   // of a sample in a full batch
  Seconds device_time{};   // the same
  Seconds device_alone{};  // of a sample in a batch of what arrives together, and no more
  // Of a sample in a batch of the stage's largest bucket, whatever max_batch is.
  Seconds largest_worker{};
  Seconds largest_device{};
  // By element of Station::rows: the longest step of up to so many rows. Empty: not hosted.
  std::span<const Seconds> steps;

  bool hosted() const { return !steps.empty(); }
};

struct WorkerClass {
  int count = 1;
  int device = 0;
  int credits = 1;
};

// A plan in the model's terms.
class PlanLoad {
 public:
  PlanLoad() = default;
  // The plan is valid for the profile's cascade; the profile outlives this.
  PlanLoad(const StepCosts& costs, const Workload& workload, const Plan& plan);
  PlanLoad(PlanLoad&&) = default;
  PlanLoad& operator=(PlanLoad&&) = default;

  const StationCost& cost(size_t worker_class, size_t station) const {
    return costs[worker_class * stations.size() + station];
  }
  StationCost& cost(size_t worker_class, size_t station) {
    return costs[worker_class * stations.size() + station];
  }

  std::vector<WorkerClass> classes;
  std::vector<Station> stations;
  std::vector<StationCost> costs;  // by class and station
  int rows_per_request = 1;
  double knee = 1;
  double bus_rate = std::numeric_limits<double>::infinity();  // samples/s that the bus lets through

 private:
  class Builder;

  // What stations and costs refer to.
  std::vector<std::vector<int>> rows_;
  std::vector<std::vector<Seconds>> steps_;
};

}  // namespace escan
