#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "allocation/contest.h"
#include "allocation/search_grid.h"
#include "allocation/stage_options.h"
#include "allocation/tail_latency.h"
#include "allocation/unbatched_loads.h"
#include "allocation/wait_bounds.h"
#include "escan/cascade.h"

namespace escan {

// Finds the best candidate of the whole grid: tries every one that the bounds do not rule out. The
// number of clients is chosen first, then the classes' counts, then, from the last stage to the
// first, each stage's hosts, then the classes' shares, and from the last stage on the batch limits.
// From the last, because samples wait for the longest steps of their hosts, which late stages run;
// shares late, because steps of few rows hardly depend on them.
class BranchAndBound {
 public:
  // Both outlive this. The better the contest's best already is, the less there is to do.
  BranchAndBound(const SearchGrid& grid, Contest* contest);

  void Run();

  int64_t bounds() const { return bounds_; }  // computed

 private:
  using Classes = unsigned;  // a bit for each
  static constexpr size_t kSubsets = size_t{1} << kMostClasses;

  // Of a sample, as in StageOption, with the hosts' mean time of the device.
  struct Cost {
    double worker = 0;
    double device = 0;
  };
  // A stage whose hosts are chosen, and once all have hosts, its batch limit.
  struct Chosen {
    Classes hosts = 0;
    double offered = 0;  // to its hosts, unbatched, by a sample that arrives: seconds
    const StageOption* option = nullptr;
    Cost cost;  // of the option, or at least
  };
  // What is chosen so far: the hosts of the stages from one on; once all have hosts, the batch
  // limits of the stages from one on.
  struct Choice {
    Classes started = 0;  // classes that host a stage
    Classes ended = 0;    // classes that cannot host more
    size_t memory = 0;
    std::array<Chosen, kMaxStages> chosen{};        // by stage
    std::array<double, kMostClasses> longest{};     // step, seconds, of all stages with hosts
    UnbatchedLoads unbatched;                       // of all stages with hosts
    double crowded = 1;                             // the slowdown by those
    int unhosted = 0;                               // stages without hosts: the first ones
    Cost hosted;                                    // at least, of all others
    std::array<double, kMostClasses> own_device{};  // of it, that of one worker of the class
    double use = 0;                                 // of the capacity, at least, and its logarithm
    double log_use = 0;
    double slowdown = 1;                  // of steps, at least
    std::array<double, kSubsets> only{};  // workers' time of those that only these classes host
  };
  // What the first stages add at least, whatever is chosen for the others.
  struct Least {
    double most_dense = 0;  // the device's time by a worker's time, of a stage
    Cost cost;
    size_t memory = 0;
  };

  void ChooseCounts(int index, int left);
  void SearchHosts();
  Choice NoHosts();
  void FindRows();
  void ChooseHosts(int stage, const Choice& so_far);
  void ChooseShares(const Choice& so_far);
  void ChooseBatches(int stage, const Choice& so_far);
  void AddHosts(int stage, Classes hosts, Choice* choice) const;
  void AddBatch(int stage, const StageOption& option, Choice* choice) const;
  void AddUnbatched(int stage, Classes hosts, Choice* choice) const;
  void KeepLongest(int stage, Classes hosts, size_t limit, Choice* choice) const;
  void TryCandidate(const Choice& choice);

  // Whether the capacity may be large enough, and what has at least this latency may win.
  bool MayWin(Choice choice);
  bool HasCapacity(Choice* choice) const;
  bool MayWin(const Choice& choice, double latency) const;
  // At least, in seconds: of the first stages, whose batch limits are not chosen, and of the stages
  // from one on, whose batch limits are.
  double LeastLatency(int stages, const Choice& choice) const;
  double Latency(int stage, const Choice& choice) const;
  double Offered(int stage, Classes hosts, const Choice& choice) const;
  // Visits the hosts that were chosen for the stage, or all that may be.
  template <typename Visit>
  void ForEachHosts(int stage, const Choice& choice, Visit visit) const;
  void ChangeCost(int stage, const Cost& cost, Choice* choice) const;
  Cost CostOf(int stage, Classes hosts, const StageOption& option) const;
  // At least.
  double DeviceTime(const Choice& choice) const;
  double WorkerTime(const Choice& choice) const;
  double InverseCapacity(double worker, const Choice& choice) const;
  double WorkerLessOwn(size_t worker_class, double worker, const Choice& choice) const;

  bool IsMirrored(int stage, Classes hosts, const Choice& so_far) const;
  bool HasTwins(const Choice& choice) const;
  bool HostEqual(size_t a, size_t b, int stage, const Choice& choice) const;
  double Longest(Classes hosts, const Choice& choice) const;
  // Of hosts that are known to hold a second batch.
  double LongestBehind(Classes hosts, const Choice& choice) const;
  double Single(int stage, Classes hosts) const;
  double DeviceTime(int stage, Classes hosts, size_t bucket) const;
  Classes all() const { return (1u << candidate_.class_count) - 1; }

  const SearchGrid& grid_;
  Contest& contest_;
  const LateParts late_;
  const WaitBounds waits_;
  StageOptions options_;
  Candidate candidate_;
  int clients_ = 0;
  double crowding_ = 0;
  std::array<int, kSubsets> workers_{};  // of each set of classes
  std::array<std::array<const StageOptionRow*, kSubsets>, kMaxStages> rows_{};
  std::array<Least, kMaxStages + 1> least_{};  // of the stages before
  int64_t bounds_ = 0;
};

}  // namespace escan
