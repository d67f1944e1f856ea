#pragma once

#include <chrono>
#include <random>
#include <vector>

#include "allocation/flat_profile.h"
#include "allocation/prediction.h"

namespace escan {

// Steps of 16 rows take 2, 4 and 8 s and use a hundredth of the device.
inline Profile ThreeStages() {
  return FlatProfile({{Seconds(2), Seconds(0), 0.01},
                      {Seconds(4), Seconds(0), 0.01},
                      {Seconds(8), Seconds(0), 0.01}});
}

inline Workload HalfLeaves() { return {.exit_ratios = {0.5, 0.5, 0}}; }

inline Prediction PredictOn(const Profile& profile, const Workload& workload, const Plan& plan) {
  return Predict(StepCosts(profile), workload, plan);
}
// Plans of one to three groups on one or two devices, on profiles whose times need not grow.
class RandomPlans {
 public:
  Profile NextProfile() {
    Profile profile;
    profile.thread_percents = {30, 100};
    profile.client_counts = {1, 4};
    profile.padded = Between(0, 1) == 1;
    profile.knee = Between(1, 8);
    for (int i = 0; i < stages_; ++i) {
      StageCosts& stage = profile.stages.emplace_back();
      stage.buckets = {1, 3, 8};
      for (int share = 0; share < 2; ++share) {
        stage.step.push_back(Times());
        stage.steady_step.push_back(Times());
        stage.device_time.push_back({Times(), Times()});
      }
    }
    return profile;
  }

  Plan NextPlan() {
    Plan plan;
    for (int groups = Between(1, 3); groups > 0; --groups) {
      WorkerGroup& group = plan.workers.emplace_back();
      group = {.count = Between(1, 4),
               .device = Between(0, 1),
               .thread_percent = Between(20, 100),
               .credits = Between(1, 2)};
      for (int i = 0; i < stages_; ++i) {
        if (plan.workers.size() == 1 || Between(0, 1) == 1) group.stages.push_back(i);
      }
      if (group.stages.empty()) group.stages.push_back(0);
    }
    for (int i = 0; i < stages_; ++i) {
      plan.stages.push_back({.max_batch = Between(1, 8),
                             .max_delay = std::chrono::milliseconds(Between(0, 300)),
                             .speculate = i > 0 && Between(0, 2) == 0});
    }
    plan.options.regroup = Between(0, 2) > 0;
    if (!plan.options.regroup) {
      for (StagePolicy& policy : plan.stages) policy.speculate = false;
    }
    return plan;
  }

  Workload NextWorkload() {
    Workload workload{.rows_per_request = Between(1, 12)};
    for (int i = 0; i < stages_; ++i) workload.exit_ratios.push_back(Between(0, 4) / 4.0);
    return workload;
  }

 private:
  int Between(int low, int high) { return std::uniform_int_distribution<int>(low, high)(random_); }
  std::vector<Seconds> Times() {
    return {Seconds(Between(1, 9)), Seconds(Between(1, 20)), Seconds(Between(1, 30))};
  }

  static constexpr int stages_ = 3;
  std::minstd_rand random_{3};
};

}  // namespace escan
