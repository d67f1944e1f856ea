#pragma once

#include <cstddef>
#include <cstdint>

#include "allocation/capacity_bound.h"
#include "allocation/contest.h"
#include "allocation/host_options.h"
#include "allocation/latency_bound.h"
#include "allocation/search_choice.h"
#include "allocation/search_grid.h"
#include "allocation/slowdown_bound.h"
#include "allocation/stage_options.h"
#include "allocation/tail_latency.h"

namespace escan {

// Finds the best candidate of the whole grid: tries every one that the bounds do not rule out. The
// number of clients is chosen first, then the classes' counts, then, from the last stage to the
// first, each stage's hosts, then the classes' shares, and from the last stage on the batch limits.
// From the last, because samples wait for the longest steps of their hosts, which late stages run;
// shares late, because steps of few rows hardly depend on them; but see NextToNarrow. One thread.
class BranchAndBound {
 public:
  // Both outlive this. The better the contest's best already is, the less there is to do.
  BranchAndBound(const SearchGrid& grid, Contest* contest);

  void Run();

  int64_t bounds() const { return bounds_; }  // computed, of more than a single batch limit

 private:
  void ChooseCounts(int index, int left);
  void ChooseNext(const SearchChoice& so_far);
  void ChooseHosts(int stage, const SearchChoice& so_far);
  void NarrowShare(const SearchChoice& so_far, Candidate::Class* workers);
  void GiveShare(const SearchChoice& so_far, int share, Candidate::Class* workers);
  void ChooseBatches(int stage, const SearchChoice& so_far);
  void TryCandidate(const SearchChoice& choice);

  SearchChoice NoHosts() const;
  void AddHosts(int stage, ClassSet hosts, SearchChoice* choice);
  void AddUnbatched(int stage, ClassSet hosts, SearchChoice* choice);
  void AddBatch(int stage, const StageOption& option, SearchChoice* choice);
  void ChangeCost(int stage, const SampleCost& cost, SearchChoice* choice) const;
  void KeepLongest(int stage, ClassSet hosts, size_t limit, SearchChoice* choice);

  // Of the classes whose shares are to be narrowed now, the one whose share decides most.
  Candidate::Class* NextToNarrow(const SearchChoice& choice);
  // Whether the choice is another one's double.
  bool IsMirrored(int stage, ClassSet hosts, const SearchChoice& so_far) const;
  bool HasTwins(const SearchChoice& choice) const;
  bool HostEqual(size_t a, size_t b, int stage, const SearchChoice& choice) const;

  // Whether something with this choice may win, by the bounds, before batch limits are chosen.
  bool MayWin(SearchChoice* choice);
  // Whether the capacity may be large enough, and what has at least this latency may win.
  bool HasCapacity(SearchChoice* choice);
  bool MayWin(const SearchChoice& choice, double latency) const;
  // At least.
  double DeviceTime(const SearchChoice& choice) const;
  double WorkerTime(const SearchChoice& choice) const;
  double InverseCapacity(double worker, const SearchChoice& choice) const;
  double SlowdownOf(const SearchChoice& choice) const;

  const SearchGrid& grid_;
  Contest& contest_;
  const LateParts late_;
  StageOptions options_;
  Candidate candidate_;
  HostOptions hosts_;
  const LatencyBound latency_;
  const CapacityBound capacity_;
  const SlowdownBound slowdown_;
  int clients_ = 0;
  double crowding_ = 0;
  int64_t bounds_ = 0;
};

}  // namespace escan
