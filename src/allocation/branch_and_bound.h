#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "allocation/contest.h"
#include "allocation/search_grid.h"
#include "allocation/stage_options.h"
#include "allocation/tail_latency.h"
#include "escan/cascade.h"

namespace escan {

// Finds the best candidate of the whole grid: tries every one that the bounds do not rule out. The
// number of clients is chosen first, then the classes' shares and their counts, then, from the last
// stage to the first, each stage's hosts and batch limit. From the last, because a stage's samples
// wait for the longest steps of their hosts, which late stages run.
class BranchAndBound {
 public:
  // Both outlive this. The better the contest's best already is, the less there is to do.
  BranchAndBound(const SearchGrid& grid, Contest* contest);

  void Run();

  int64_t bounds() const { return bounds_; }  // computed

 private:
  using Classes = unsigned;  // a bit for each
  static constexpr size_t kSubsets = size_t{1} << kMostClasses;
  static constexpr std::array<double, 3> kLatencyWeights{0.1, 0.3, 1};

  // A stage whose hosts and batch limit are chosen.
  struct Chosen {
    Classes hosts = 0;
    double offered = 0;  // to its hosts, unbatched, by a sample that arrives: seconds
    const StageOption* option = nullptr;
  };
  // All stages from one on. Costs are at least these.
  struct Later {
    Classes started = 0;  // classes that host one of them
    Classes ended = 0;    // classes that cannot host more
    double worker = 0;    // seconds of a sample, as in StageOption
    double device = 0;
    double price = 0;
    double latency = 0;                          // seconds
    std::array<double, kSubsets> only{};         // workers' time where only these classes are hosts
    std::array<double, kMostClasses> longest{};  // step, seconds
    std::array<Chosen, kMaxStages> chosen{};     // by stage
    size_t memory = 0;
  };
  // What the stages before add at least.
  struct Earlier {
    double price = 0;
    double latency = 0;
    // Price and latency in one, each as a part of what a better candidate may have of it, the
    // latency with one of several weights.
    std::array<double, kLatencyWeights.size()> both{};
  };
  // The same, whatever is chosen for later ones.
  struct Least {
    double worker = 0;
    double device = 0;
    double price = 0;
    size_t memory = 0;
  };

  void ChooseShares(int index);
  void ChooseCounts(int index, int left);
  void SearchHosts();
  void FindRows();
  void ChooseHosts(int stage, const Later& later);
  void ChooseBatch(int stage, Classes hosts, const Later& later, const Earlier& earlier);
  void AddHosts(int stage, Classes hosts, Later* later) const;
  void AddBatch(int stage, const StageOption& option, const Later& later, Later* next) const;
  void TryCandidate(const Later& all);

  Earlier LeastOf(int stages, const Later& later) const;
  void KeepLeast(int stage, Classes hosts, double longest, double queue, Earlier* least) const;
  bool IsAffordable(const Later& later, const Earlier& earlier) const;
  // Sets the latency.
  bool MayWin(int stage, const Earlier& earlier, Later* later) const;
  double Latency(int stage, const Later& later, double device, double use) const;

  bool IsMirrored(Classes started) const;
  double Longest(Classes hosts, const Later& later) const;
  double SlowestSingle(int stage, Classes classes) const;
  double DeviceTime(int stage, Classes hosts, size_t bucket) const;
  double ResidualAtLeast(int stage, int hosts, double busy) const;
  double QueueAt(int stage, int hosts, double use, double log_use) const;
  double InverseCapacity(double worker, double device) const;
  Classes all() const { return (1u << candidate_.class_count) - 1; }

  const SearchGrid& grid_;
  Contest& contest_;
  const LateParts late_;
  StageOptions options_;
  Candidate candidate_;
  int clients_ = 0;
  std::array<int, kSubsets> workers_{};  // of each set of classes
  std::array<std::array<const StageOptionRow*, kSubsets>, kMaxStages> rows_{};
  std::array<Least, kMaxStages + 1> least_{};  // of the stages before
  std::vector<double> residual_;               // see ResidualAtLeast
  int64_t bounds_ = 0;
};

}  // namespace escan
