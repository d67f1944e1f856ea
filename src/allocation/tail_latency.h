#pragma once

#include <array>
#include <cstddef>
#include <span>
#include <vector>

#include "allocation/capacity.h"
#include "allocation/contention.h"
#include "allocation/plan_load.h"
#include "escan/cascade.h"
#include "escan/time.h"

namespace escan {

// How many of those who get to a stage may wait there for longer than the p99 takes into account.
class LateParts {
 public:
  // `reach` by stage, descending: the part of all samples that gets there.
  LateParts(std::span<const double> reach, int rows_per_request);

  size_t counted() const { return counted_; }  // stages; the p99 leaves out later ones
  double operator[](size_t stage) const { return late_[stage]; }
  double Log(size_t stage) const { return log_late_[stage]; }

 private:
  size_t counted_ = 0;
  std::array<double, kMaxStages> late_{};
  std::array<double, kMaxStages> log_late_{};
};

// A closed-form estimate of the p99 of a plan's latency under Poisson arrivals of requests, from a
// request's arrival to its last answer. It grows with the rate, and is infinite from the capacity
// on, or where workers would be busy all the time with full batches, so much are they slowed. No
// theorem; docs/allocation.md says how far it is from the simulator.
//
// One request in a hundred may be late. Half of that, or more, is shared out between the stations
// that more than kIgnoredReach of the requests get to, and of a station's part half goes to each of
// two waits; the union bound then lets the waits be added up. With `late` the part of those who get
// to the station, N its workers, b its max_batch, g the rows that arrive there together, rho the
// rate over the plan's capacity, it needs at each station at most
//
//   max_delay    until its batch need not be full any longer
//   + residual   until a worker is free, when all are busy, each anywhere in its longest step L:
//                P(wait > x) = busy (1 - x/L)^N = late. L is of all steps its workers run; `busy`
//                is Sakasegawa's approximation u^(sqrt(2(N+1)) - 1), u being the use of the workers
//                if nothing were batched.
//   + queue      of full batches. Kingman's heavy-traffic law for N servers (Allen and Cunneen): an
//                exponential tail of mean L ca^2 / (2 N (1 - rho)), reached with probability
//                rho^(sqrt(2(N+1)) - 1). Batches are formed from groups of g rows: ca^2 = g/b.
//   + a step     of the batch ahead at a worker with two credits, if all are busy: as the residual
//                for N = 1.
//   + step       of the slowest class, ceil(g / (b N)) times.
//
// Stations where samples are at the same time (speculation) count with the slowest only. Batches
// hold what arrived while a worker was busy, see RowsTogether, so that at low rates they are small.
//
// Steps are slowed as contention.h says: workers take what waits as soon as they are free, so those
// that could not serve single rows in time are always busy, with batches that are as small as that
// allows, and crowd the device as if they had full ones.
//
// Sources: Sakasegawa 1977, "An approximation formula Lq = a rho^b / (1 - rho)"; Kingman 1961, "The
// single server queue in heavy traffic"; Allen, "Probability, Statistics, and Queueing Theory".
class TailLatency {
 public:
  // Both outlive this. `rate` in samples per second.
  TailLatency(const PlanLoad& load, const Capacity& capacity, double rate);

  Seconds P99() const;
  // Rows of a batch at a station.
  int RowsTogether(size_t station) const { return load_.stations[station].rows[sizes_[station]]; }

 private:
  Seconds At(size_t station, double late) const;
  double WithoutBatches(size_t station) const;
  double Group(size_t station) const;
  int Hosts(size_t station) const;
  Seconds SlowestStep(size_t station, size_t size) const;
  // Of all that the station's hosts with so many credits or more run.
  Seconds LongestStepOfHosts(size_t station, int credits) const;
  double SlowdownOf(int device) const;
  double Slowdown() const;
  double Use() const;
  size_t SizeTogether(size_t station) const;

  const PlanLoad& load_;
  mutable std::vector<DeviceDemand> demands_;
  const double rate_;
  const Capacity& capacity_;
  const double slowdown_;                   // of a step, by the others
  const double use_;                        // of the capacity
  std::array<size_t, kMaxStages> sizes_{};  // by station: index into Station::rows
};

// The highest rate, in samples per second, at which the p99 is at most `objective`; 0 if none.
double Goodput(const PlanLoad& load, const Capacity& capacity, Seconds objective);

}  // namespace escan
