#pragma once

#include <cmath>
#include <cstddef>
#include <random>
#include <vector>

#include "allocation/model_search.h"
#include "allocation/step_costs.h"
#include "allocation/workload.h"
#include "contracts/profile.h"

namespace escan {

struct Problem {
  Profile profile;
  Workload workload;
  SearchLimits limits;

  absl::StatusOr<Allocation> Search() const {
    return SearchByModel(StepCosts(profile), workload, 1, limits);
  }
  Prediction Of(const Plan& plan) const { return Predict(StepCosts(profile), workload, plan); }
};

// Costs without any order among them, so that nothing but the bounds' proofs helps.
class RandomProblems {
 public:
  explicit RandomProblems(unsigned seed) : random_(seed) {}

  Problem Next(int most_stages, int most_clients) {
    Problem problem{.limits = {.classes = Between(1, 3), .clients = Between(1, most_clients)}};
    Profile& profile = problem.profile;
    profile.thread_percents = Pick<std::vector<int>>({{100}, {40, 100}, {20, 50, 100}});
    profile.client_counts = Pick<std::vector<int>>({{1}, {1, 3}});
    profile.padded = Chance(0.5);
    profile.knee = Pick<double>({1, 1.5, 2, 4, 12});
    if (Chance(0.2)) profile.bus_bytes_per_second = Real(10, 1000);
    profile.context_bytes = static_cast<size_t>(Between(0, 3));
    const std::vector<int> buckets = Pick<std::vector<int>>({{1}, {4}, {1, 4}, {2, 3, 8}});
    const bool ordered = Chance(0.5);
    const double scale = Pick<double>({0.001, 1});
    for (int left = Between(1, most_stages); left > 0; --left) {
      profile.stages.push_back(NextStage(profile, buckets, ordered, scale));
      problem.workload.exit_ratios.push_back(Pick<double>({0, 0.3, 0.5, 0.9, 0.995, 1}));
    }
    if (Chance(0.2)) profile.device_memory_bytes = static_cast<size_t>(Between(10, 60));
    problem.workload.rows_per_request = Pick<int>({1, 1, 3, 20});
    if (Chance(0.7)) problem.workload.objective = Seconds(scale * std::pow(10, Real(0, 2.5)));
    if (Chance(0.8)) problem.workload.rate = std::pow(10, Real(-2, 0.7)) / scale;
    return problem;
  }

 private:
  int Between(int low, int high) { return std::uniform_int_distribution<int>(low, high)(random_); }
  double Real(double low, double high) {
    return std::uniform_real_distribution<double>(low, high)(random_);
  }
  bool Chance(double part) { return Real(0, 1) < part; }
  template <typename T>
  T Pick(const std::vector<T>& from) {
    return from[static_cast<size_t>(Between(0, static_cast<int>(from.size()) - 1))];
  }

  // With `ordered`, more rows take longer, and less for each row.
  StageCosts NextStage(const Profile& profile, const std::vector<int>& buckets, bool ordered,
                       double scale) {
    StageCosts stage{.buckets = buckets,
                     .input_bytes = static_cast<size_t>(Between(0, 9)),
                     .memory_bytes = static_cast<size_t>(Between(1, 5))};
    const auto times = [&](double least) {
      std::vector<Seconds> row;
      const double fixed = Real(least, 4);
      const double each = Real(0.01, 0.5);
      for (const int rows : buckets) {
        row.emplace_back(scale * (ordered ? fixed + each * rows : Real(least, 5)));
      }
      return row;
    };
    for (size_t share = 0; share < profile.thread_percents.size(); ++share) {
      stage.step.push_back(times(0.5));
      stage.steady_step.push_back(times(0.1));
      stage.device_time.emplace_back();
      for (size_t count = 0; count < profile.client_counts.size(); ++count) {
        stage.device_time.back().push_back(times(0.1));
      }
    }
    return stage;
  }

  std::minstd_rand random_;
};

}  // namespace escan
