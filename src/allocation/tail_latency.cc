#include "allocation/tail_latency.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "allocation/contention.h"
#include "allocation/queueing.h"

namespace escan {
namespace {

constexpr double kLate = 0.01;  // of the requests, may take longer than p99
constexpr int kWaits = 2;       // at a station: the residual, the queue

}  // namespace

LateParts::LateParts(std::span<const double> reach, int rows_per_request) {
  const auto requests = [&](double samples) { return std::min(1.0, rows_per_request * samples); };
  double late = kLate;
  for (const double samples : reach) {
    if (requests(samples) <= kIgnoredReach) {
      late -= requests(samples);
      break;
    }
    ++counted_;
  }
  for (size_t i = 0; i < counted_; ++i) {
    late_[i] = late / static_cast<double>(kWaits * counted_) / requests(reach[i]);
    log_late_[i] = std::log(late_[i]);
  }
}

TailLatency::TailLatency(const PlanLoad& load, const Capacity& capacity, double rate)
    : load_(load), rate_(rate), capacity_(capacity), slowdown_(Slowdown()), use_(Use()) {
  for (size_t s = 0; s < load.stations.size(); ++s) sizes_[s] = SizeTogether(s);
}

// Of what its classes do unbatched, and of what batches of full size do on the whole.
double TailLatency::Slowdown() const {
  double slowdown = escan::Slowdown(rate_ / capacity_.felt_device_bound(), load_.knee);
  for (const WorkerClass& workers : load_.classes) {
    slowdown = std::max(slowdown, SlowdownOf(workers.device));
  }
  return slowdown;
}

double TailLatency::SlowdownOf(int device) const {
  demands_.clear();
  const double use = std::min(rate_ / capacity_.rate, 1.0);
  int clients = 0;
  for (size_t c = 0; c < load_.classes.size(); ++c) {
    const WorkerClass& workers = load_.classes[c];
    if (workers.device != device) continue;
    clients += workers.count;
    double asked = 0;
    double busy = 0;
    double largest_device = 0;
    double largest_worker = 0;
    for (size_t s = 0; s < load_.stations.size(); ++s) {
      const StationCost& cost = load_.cost(c, s);
      if (!cost.hosted()) continue;
      const Station& at = load_.stations[s];
      const double samples = rate_ * at.work * workers.count / Hosts(s);
      const size_t size = SizeOfGroup(at.rows, Group(s));
      largest_device += samples * cost.largest_device.count();
      largest_worker += samples * cost.largest_worker.count();
      asked += samples * cost.device_alone.count();
      busy += samples * cost.steps[size].count() / std::min<double>(Group(s), at.rows[size]);
    }
    if (busy > 0) {
      const double load = LoadOfBusyWorker(asked / busy, largest_device / largest_worker, use);
      demands_.push_back({.asked = asked, .most = workers.count * load});
    }
  }
  return escan::Slowdown(demands_, Crowding(1.0 / clients, load_.knee), load_.knee);
}

double TailLatency::Use() const {
  const double all_busy = kMostBusy * slowdown_ * rate_ / capacity_.worker_bound;
  return all_busy >= 1 ? 1.0 : rate_ / capacity_.rate;
}

double TailLatency::Group(size_t station) const {
  return GroupSize(load_.rows_per_request, load_.stations[station].work);
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

size_t TailLatency::SizeTogether(size_t station) const {
  const Station& at = load_.stations[station];
  const int hosts = Hosts(station);
  return SizeThatHolds(at.rows, Group(station), rate_ * at.work, [&](size_t size) {
    return at.max_delay + SlowestStep(station, size) / hosts;
  });
}

Seconds TailLatency::LongestStepOfHosts(size_t station, int credits) const {
  Seconds longest{};
  for (size_t c = 0; c < load_.classes.size(); ++c) {
    if (!load_.cost(c, station).hosted() || load_.classes[c].credits < credits) continue;
    for (size_t s = 0; s < load_.stations.size(); ++s) {
      const StationCost& cost = load_.cost(c, s);
      if (cost.hosted() && load_.stations[s].work > 0) {
        longest = std::max(longest, cost.steps[sizes_[s]]);
      }
    }
  }
  return slowdown_ * longest;
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
  const double group = Group(station);
  const double busy = AllBusy(WithoutBatches(station), hosts);
  const double waits =
      ResidualWait(late, busy, hosts) + group / at.max_batch * QueueWait(late, use_, hosts);
  const double steps = std::ceil(group / (at.max_batch * hosts));
  return at.max_delay + waits * LongestStepOfHosts(station, 1) +
         ResidualWait(late, busy, 1) * LongestStepOfHosts(station, 2) +
         steps * SlowestStep(station, sizes_[station]);
}

Seconds TailLatency::P99() const {
  if (use_ >= 1) return Seconds(std::numeric_limits<double>::infinity());
  std::array<double, kMaxStages> reach{};
  for (size_t s = 0; s < load_.stations.size(); ++s) reach[s] = load_.stations[s].reach;
  const LateParts late({reach.data(), load_.stations.size()}, load_.rows_per_request);
  Seconds sum{};
  Seconds slowest{};
  for (size_t s = 0; s < late.counted(); ++s) {
    const Seconds here = At(s, late[s]);
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
  for (int halving = 0; halving < 50 && missed - kept > 1e-10 * missed; ++halving) {
    const double rate = (kept + missed) / 2;
    (TailLatency(load, capacity, rate).P99() <= objective ? kept : missed) = rate;
  }
  return kept;
}

}  // namespace escan
