#include "allocation/model_search.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_format.h"
#include "allocation/candidate_ranking.h"
#include "allocation/hill_climb.h"
#include "allocation/memory.h"
#include "allocation/search_grid.h"
#include "allocation/tail_latency.h"

namespace escan {
namespace {

// Of the stages in up to kMostClasses rows, each with one worker.
size_t LeastMemory(const SearchGrid& grid) {
  Candidate candidate;
  const int last = grid.stages() - 1;
  size_t least = std::numeric_limits<size_t>::max();
  for (int first_cut = 0; first_cut <= last; ++first_cut) {
    for (int second_cut = first_cut; second_cut <= last; ++second_cut) {
      candidate.class_count = 0;
      int first = 0;
      for (const int end : {first_cut, second_cut, last}) {
        if (end < first) continue;
        candidate.classes[static_cast<size_t>(candidate.class_count++)] = {.first = first,
                                                                           .last = end};
        first = end + 1;
      }
      const int most = std::min(grid.limits().classes, grid.limits().clients);
      if (candidate.class_count <= most) least = std::min(least, grid.Memory(candidate));
    }
  }
  return least;
}

absl::Status WhyNone(const SearchGrid& grid) {
  const Profile& profile = grid.profile();
  const size_t memory = LeastMemory(grid);
  constexpr double kMiB = 1 << 20;
  if (!Fits(profile, memory)) {
    return absl::FailedPreconditionError(absl::StrFormat(
        "no plan fits the device: the smallest one needs %.0f MiB, with room to replace a worker, "
        "and %.0f%% of %.0f MiB may be used",
        static_cast<double>(memory) / kMiB, kUsableMemory * 100,
        static_cast<double>(profile.device_memory_bytes) / kMiB));
  }
  return absl::FailedPreconditionError(
      absl::StrFormat("no plan keeps a p99 of %.3g ms, even at the lowest rate",
                      grid.workload().objective.value_or(Seconds::zero()).count() * 1e3));
}

Allocation Finish(const SearchGrid& grid, const StepCosts& costs, const Workload& workload,
                  const CandidateRanking& ranking, Goal goal, int devices) {
  Allocation allocation{.goal = goal};
  for (const CandidateRanking::Entry& entry : ranking.best()) {
    PlannedPlan planned{.plan = grid.MakePlan(entry.candidate, devices)};
    planned.prediction = Predict(costs, workload, planned.plan);
    if (&entry == &ranking.best().front()) {
      allocation.best = std::move(planned);
    } else {
      allocation.runners_up.push_back(std::move(planned));
    }
  }
  return allocation;
}

struct Hosted {
  int first = 0;
  int last = 0;

  friend bool operator==(const Hosted&, const Hosted&) = default;
};

bool CoverAll(const std::vector<Hosted>& classes, int stages) {
  for (int stage = 0; stage < stages; ++stage) {
    if (std::ranges::none_of(classes, [&](const Hosted& hosted) {
          return hosted.first <= stage && stage <= hosted.last;
        })) {
      return false;
    }
  }
  return true;
}

// Ways to give the classes shares so that those with the same stages differ.
double ShareChoices(const std::vector<Hosted>& classes, int shares) {
  double choices = 1;
  for (auto it = classes.begin(); it != classes.end(); ++it) {
    choices *= shares - static_cast<double>(std::count(classes.begin(), it, *it));
  }
  return choices;
}

// Of so many more classes, in all orders.
double OrderedChoices(int more, int stages, int shares, std::vector<Hosted>* classes) {
  if (more == 0) return CoverAll(*classes, stages) ? ShareChoices(*classes, shares) : 0;
  double sum = 0;
  for (int first = 0; first < stages; ++first) {
    for (int last = first; last < stages; ++last) {
      classes->push_back({first, last});
      sum += OrderedChoices(more - 1, stages, shares, classes);
      classes->pop_back();
    }
  }
  return sum;
}

}  // namespace

double GridSize(const Profile& profile, const SearchLimits& limits) {
  double sum = 0;
  double counts = 1;  // ways to give so many classes workers: a binomial
  double orders = 1;
  for (int classes = 1; classes <= limits.classes; ++classes) {
    counts = counts * (limits.clients - classes + 1) / classes;
    orders *= classes;
    std::vector<Hosted> chosen;
    sum += counts / orders *
           OrderedChoices(classes, static_cast<int>(profile.stages.size()),
                          static_cast<int>(profile.thread_percents.size()), &chosen);
  }
  for (const StageCosts& stage : profile.stages) sum *= static_cast<double>(stage.buckets.size());
  return sum;
}

absl::StatusOr<Allocation> SearchByModel(const StepCosts& costs, const Workload& workload,
                                         int devices, const SearchLimits& limits) {
  Workload of_device = workload;
  if (workload.rate) of_device.rate = *workload.rate / devices;
  const SearchGrid grid(costs, of_device, limits);
  CandidateRanking highest(grid, Goal::kGoodput);
  CandidateRanking fastest(grid, Goal::kLatency);
  if (workload.rate) HillClimb(grid, &fastest);
  if (fastest.best().empty()) HillClimb(grid, &highest);
  if (workload.rate && fastest.best().empty()) {
    // No simple plan carries the rate, but one that carries much may.
    for (const CandidateRanking::Entry& entry : highest.best()) fastest.Add(entry.candidate);
    HillClimb(grid, &fastest);
  }
  const Goal goal = fastest.best().empty() ? Goal::kGoodput : Goal::kLatency;
  const CandidateRanking& ranking = goal == Goal::kLatency ? fastest : highest;
  if (ranking.best().empty()) return WhyNone(grid);
  Allocation allocation = Finish(grid, costs, workload, ranking, goal, devices);
  allocation.evaluations = fastest.evaluations() + highest.evaluations();
  return allocation;
}

}  // namespace escan
