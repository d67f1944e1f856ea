#include "allocation/capacity_bound.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "allocation/capacity.h"
#include "allocation/sample_plans.h"

namespace escan {
namespace {

// What is known of a plan on one device whose first stages are thought to have no hosts yet.
class KnownOfPlan {
 public:
  KnownOfPlan(const Profile& profile, const Workload& workload, const Plan& plan, size_t open)
      : load_(StepCosts(profile), workload, plan), open_(open) {
    CapacityModel model;
    const Capacity capacity = model.Predict(load_);
    inverse_ = 1 / capacity.rate;
    known_.worker = kMostBusy / capacity.worker_bound;
    known_.device = 1 / capacity.device_bound;
    for (const WorkerClass& workers : load_.classes) classes_.push_back({.count = workers.count});
    for (size_t s = 0; s < load_.stations.size(); ++s) AddStation(s);
    known_.classes = classes_;
  }

  const KnownWork& known() const { return known_; }
  double inverse() const { return inverse_; }  // 1 / capacity by the whole model

 private:
  void AddStation(size_t station) {
    int hosts = 0;
    size_t host_classes = 0;
    Seconds device{};
    Seconds worker{std::numeric_limits<double>::infinity()};
    for (size_t c = 0; c < load_.classes.size(); ++c) {
      const StationCost& cost = load_.cost(c, station);
      if (!cost.hosted()) continue;
      ++host_classes;
      hosts += load_.classes[c].count;
      device += load_.classes[c].count * cost.device_time;
      worker = std::min(worker, cost.worker_time);
    }
    const double work = load_.stations[station].work;
    const SampleCost here{.worker = work * worker.count(), .device = work * device.count() / hosts};
    if (station < open_) {
      known_.open.worker += here.worker;
      known_.open.device += here.device;
      const double dense = here.worker > 0 ? here.device / here.worker : 0;
      known_.most_dense = std::max(known_.most_dense, dense);
      return;
    }
    for (size_t c = 0; c < load_.classes.size(); ++c) {
      if (!load_.cost(c, station).hosted()) continue;
      classes_[c].device += here.device / hosts;
      if (host_classes == 1) classes_[c].alone += here.worker / hosts;
    }
  }

  const PlanLoad load_;
  const size_t open_;
  double inverse_ = 0;
  std::vector<KnownWork::OfClass> classes_;
  KnownWork known_;
};

Plan OnOneDevice(Plan plan) {
  for (WorkerGroup& group : plan.workers) group.device = 0;
  for (size_t i = 0; i < plan.stages.size(); ++i) {
    const bool hosted = std::ranges::any_of(plan.workers, [&](const WorkerGroup& group) {
      return std::ranges::find(group.stages, static_cast<int>(i)) != group.stages.end();
    });
    if (!hosted) plan.workers.front().stages.push_back(static_cast<int>(i));
  }
  return plan;
}

TEST(CapacityBound, NeverExceedsWhatTheWholeModelSays) {
  RandomPlans random;
  int open_and_shared = 0;
  for (int round = 0; round < 3000; ++round) {
    const Profile profile = random.NextProfile();
    Plan plan = OnOneDevice(random.NextPlan());
    plan.options.regroup = true;
    const Workload workload = random.NextWorkload();
    const size_t stages = plan.stages.size();
    for (size_t open = 0; open <= stages; ++open) {
      const KnownOfPlan of(profile, workload, plan, open);
      const double bound = CapacityBound(profile.knee).Inverse(of.known());
      ASSERT_LE(bound, of.inverse() * (1 + 1e-9)) << "round " << round << ", open " << open;
      ASSERT_GT(bound, 0) << "round " << round << ", open " << open;
      open_and_shared += static_cast<int>(open > 0 && plan.workers.size() > 1);
    }
  }
  EXPECT_GT(open_and_shared, 1000);
}

TEST(CapacityBound, IsTheCapacityOfOneClassThatHostsAll) {
  RandomPlans random;
  for (int round = 0; round < 1000; ++round) {
    const Profile profile = random.NextProfile();
    Plan plan = random.NextPlan();
    plan.workers.resize(1);
    plan = OnOneDevice(plan);
    plan.options.regroup = true;
    const KnownOfPlan of(profile, random.NextWorkload(), plan, 0);
    const double bound = CapacityBound(profile.knee).Inverse(of.known());
    ASSERT_NEAR(bound, of.inverse(), 1e-9 * of.inverse()) << "round " << round;
  }
}

// One worker of two takes all that is open, or half of it: less of the device slows it, but it is
// busier.
TEST(CapacityBound, OfOpenStagesIsNoMoreThanOfAnyWayToHostThem) {
  const std::vector<KnownWork::OfClass> classes{{.count = 1}, {.count = 1}};
  const KnownWork open{.worker = 1,
                       .device = 1.5,
                       .classes = classes,
                       .open = {.worker = 2, .device = 1.5},
                       .most_dense = 0.75};
  const double bound = CapacityBound(2).Inverse(open);
  const std::vector<KnownWork::OfClass> both{{.count = 1, .device = 0.75},
                                             {.count = 1, .device = 0.75}};
  const std::vector<KnownWork::OfClass> one{{.count = 1, .device = 1.5, .alone = 2}, {.count = 1}};
  EXPECT_LE(bound, CapacityBound(2).Inverse({.worker = 1, .device = 1.5, .classes = both}));
  EXPECT_LE(bound, CapacityBound(2).Inverse({.worker = 2, .device = 1.5, .classes = one}));
  EXPECT_GT(bound, 1 / kMostBusy);  // that of the workers alone
}

}  // namespace
}  // namespace escan
