#include "allocation/tail_latency.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace escan {
namespace {

constexpr double kLate = 0.01;  // of the requests, may take longer than p99
constexpr int kWaits = 2;       // at a station: the residual, the queue

// Sakasegawa: that all of `workers` are busy.
double AllBusy(double use, int workers) {
  return std::pow(std::min(use, 1.0), std::sqrt(2.0 * (workers + 1)) - 1);
}

}  // namespace

TailLatency::TailLatency(const PlanLoad& load, const Capacity& capacity, double rate)
    : load_(load),
      rate_(rate),
      use_(rate / capacity.rate),
      slowdown_(Slowdown(use_ * capacity.demand(), load.knee)) {
  for (size_t s = 0; s < load.stations.size(); ++s) sizes_[s] = SizeTogether(s);
}

double TailLatency::Group(size_t station) const {
  return std::max(1.0, load_.rows_per_request * load_.stations[station].work);
}

int TailLatency::Hosts(size_t station) const {
  int hosts = 0;
  for (size_t c = 0; c < load_.classes.size(); ++c) {
    if (load_.cost(c, station).hosted()) hosts += load_.classes[c].count;
  }
  return hosts;
}

Seconds TailLatency::SlowestStep(size_t station, size_t size) const {
  Seconds slowest{};
  for (size_t c = 0; c < load_.classes.size(); ++c) {
    const StationCost& cost = load_.cost(c, station);
    if (cost.hosted()) slowest = std::max(slowest, cost.steps[size]);
  }
  return slowdown_ * slowest;
}

// The smallest batch that holds, to the nearest row, what arrives together and until the next
// worker takes a batch.
size_t TailLatency::SizeTogether(size_t station) const {
  const Station& at = load_.stations[station];
  const int hosts = Hosts(station);
  size_t size = 0;
  for (; size + 1 < at.rows.size(); ++size) {
    const Seconds wait = at.max_delay + SlowestStep(station, size) / hosts;
    if (Group(station) + rate_ * at.work * wait.count() < at.rows[size] + 0.5) break;
  }
  return size;
}

// Of a host's steps any may be running, at the host that is through with its steps soonest.
Seconds TailLatency::LongestStepOfFirstFree(size_t station) const {
  Seconds soonest = Seconds::max();
  for (size_t c = 0; c < load_.classes.size(); ++c) {
    if (!load_.cost(c, station).hosted()) continue;
    Seconds longest{};
    for (size_t s = 0; s < load_.stations.size(); ++s) {
      const StationCost& cost = load_.cost(c, s);
      if (cost.hosted() && load_.stations[s].work > 0) {
        longest = std::max(longest, cost.steps[sizes_[s]]);
      }
    }
    soonest = std::min(soonest, longest);
  }
  return slowdown_ * soonest;
}

// The use of the station's workers if they ran, of all that they host, every sample alone.
double TailLatency::WithoutBatches(size_t station) const {
  double use = 0;
  for (size_t s = 0; s < load_.stations.size(); ++s) {
    Seconds step{};
    for (size_t c = 0; c < load_.classes.size(); ++c) {
      const StationCost& cost = load_.cost(c, s);
      if (load_.cost(c, station).hosted() && cost.hosted()) step = std::max(step, cost.steps[0]);
    }
    use += rate_ * load_.stations[s].work * slowdown_ * step.count();
  }
  return use / Hosts(station);
}

Seconds TailLatency::At(size_t station, double late) const {
  const Station& at = load_.stations[station];
  const int hosts = Hosts(station);
  const Seconds longest = LongestStepOfFirstFree(station);
  const double part = late / AllBusy(WithoutBatches(station), hosts);
  const Seconds residual = longest * (part < 1 ? 1 - std::pow(part, 1.0 / hosts) : 0.0);
  const double group = Group(station);
  const Seconds mean = longest * (group / at.max_batch / (2 * hosts * (1 - use_)));
  const Seconds queue = mean * std::max(0.0, std::log(AllBusy(use_, hosts) / late));
  const double steps = std::ceil(group / (at.max_batch * hosts));
  return at.max_delay + residual + queue + steps * SlowestStep(station, sizes_[station]);
}

Seconds TailLatency::P99() const {
  if (use_ >= 1) return Seconds(std::numeric_limits<double>::infinity());
  const auto requests = [&](const Station& station) {
    return std::min(1.0, load_.rows_per_request * station.reach);
  };
  size_t counted = 0;
  double late = kLate;
  for (const Station& station : load_.stations) {
    if (requests(station) <= kIgnoredReach) {
      late -= requests(station);
      break;
    }
    ++counted;
  }
  late /= static_cast<double>(kWaits * counted);
  Seconds sum{};
  Seconds slowest{};
  for (size_t s = 0; s < counted; ++s) {
    const Seconds here = At(s, late / requests(load_.stations[s]));
    if (load_.stations[s].beside) {
      slowest = std::max(slowest, here);
      continue;
    }
    sum += slowest;
    slowest = here;
  }
  return sum + slowest;
}

double Goodput(const PlanLoad& load, const Capacity& capacity, Seconds objective) {
  double kept = 0;
  double missed = capacity.rate;
  for (int halving = 0; halving < 50 && missed - kept > 1e-12 * missed; ++halving) {
    const double rate = (kept + missed) / 2;
    (TailLatency(load, capacity, rate).P99() <= objective ? kept : missed) = rate;
  }
  return kept;
}

}  // namespace escan
