#include "allocation/branch_and_bound.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "allocation/memory.h"
#include "allocation/queueing.h"

namespace escan {
namespace {

constexpr double kInfinite = std::numeric_limits<double>::infinity();
// A bound must not rule out what only rounding puts on its other side.
constexpr double kRounding = 1 + 1e-12;
constexpr double kMostUse = 1 - 1e-9;
constexpr size_t kBusyPlaces = 64;

std::vector<double> ReachOf(const SearchGrid& grid) {
  std::vector<double> reach;
  for (int stage = 0; stage < grid.stages(); ++stage) reach.push_back(grid.reach(stage));
  return reach;
}

bool Has(unsigned classes, size_t index) { return (classes >> index & 1) != 0; }

size_t BusyIndex(int stage, int hosts, size_t place) {
  return static_cast<size_t>(stage * (kMostClients + 1) + hosts) * (kBusyPlaces + 1) + place;
}

// Two classes that differ in nothing but their number are one class.
bool HasTwins(const Candidate& candidate) {
  for (size_t a = 0; a < candidate.used().size(); ++a) {
    for (size_t b = 0; b < a; ++b) {
      const Candidate::Class& one = candidate.classes[a];
      const Candidate::Class& other = candidate.classes[b];
      if (one.share == other.share && one.first == other.first && one.last == other.last) {
        return true;
      }
    }
  }
  return false;
}

}  // namespace

BranchAndBound::BranchAndBound(const SearchGrid& grid, Contest* contest)
    : grid_(grid),
      contest_(*contest),
      late_(ReachOf(grid), grid.workload().rows_per_request),
      options_(grid, *contest, late_) {
  residual_.resize(BusyIndex(grid.stages(), 0, 0));
  for (int hosts = 1; hosts <= kMostClients; ++hosts) {
    for (size_t place = 0; place <= kBusyPlaces; ++place) {
      const double busy = AllBusy(static_cast<double>(place) / kBusyPlaces, hosts);
      for (size_t i = 0; i < late_.counted(); ++i) {
        residual_[BusyIndex(static_cast<int>(i), hosts, place)] =
            ResidualWait(late_[i], busy, hosts);
      }
    }
  }
}

void BranchAndBound::Run() {
  for (clients_ = 1; clients_ <= grid_.limits().clients; ++clients_) {
    options_.Reset(clients_);
    for (int classes = 1; classes <= std::min(grid_.limits().classes, clients_); ++classes) {
      candidate_.class_count = classes;
      ChooseShares(0);
    }
  }
}

void BranchAndBound::ChooseShares(int index) {
  if (index == candidate_.class_count) {
    ChooseCounts(0, clients_);
    return;
  }
  Candidate::Class* workers = &candidate_.classes[static_cast<size_t>(index)];
  for (int share = index == 0 ? 0 : (workers - 1)->share; share < grid_.shares(); ++share) {
    workers->share = share;
    ChooseShares(index + 1);
  }
}

// Of classes with the same share the first one is the largest.
void BranchAndBound::ChooseCounts(int index, int left) {
  Candidate::Class* workers = &candidate_.classes[static_cast<size_t>(index)];
  const int others = candidate_.class_count - index - 1;
  int most = left - others;
  if (index > 0 && (workers - 1)->share == workers->share) {
    most = std::min(most, (workers - 1)->count);
  }
  for (int count = others == 0 ? left : 1; count <= most; ++count) {
    workers->count = count;
    if (others == 0) {
      SearchHosts();
    } else {
      ChooseCounts(index + 1, left - count);
    }
  }
}

void BranchAndBound::SearchHosts() {
  for (Classes classes = 1; classes <= all(); ++classes) {
    workers_[classes] = 0;
    for (size_t c = 0; c < kMostClasses; ++c) {
      if (Has(classes, c)) workers_[classes] += candidate_.classes[c].count;
    }
  }
  FindRows();
  Later none;
  none.memory = grid_.profile().context_bytes * static_cast<size_t>(clients_ + 1);
  ChooseHosts(grid_.stages() - 1, none);
}

void BranchAndBound::FindRows() {
  for (int stage = 0; stage < grid_.stages(); ++stage) {
    const auto i = static_cast<size_t>(stage);
    Least here{.worker = kInfinite, .device = kInfinite, .price = kInfinite};
    for (Classes hosts = 1; hosts <= all(); ++hosts) {
      std::array<int, kMostClasses> shares{};
      size_t count = 0;
      for (size_t c = 0; c < kMostClasses; ++c) {
        const int share = candidate_.classes[c].share;
        if (Has(hosts, c) && (count == 0 || shares[count - 1] != share)) shares[count++] = share;
      }
      const StageOptionRow& row = options_.Row(stage, {shares.data(), count}, workers_[hosts]);
      rows_[i][hosts] = &row;
      here.worker = std::min(here.worker, row.least_worker);
      here.device = std::min(here.device, row.least_device);
      here.price = std::min(here.price, row.least_price);
    }
    least_[i + 1] = {.worker = least_[i].worker + here.worker,
                     .device = least_[i].device + here.device,
                     .price = least_[i].price + here.price,
                     .memory = least_[i].memory + grid_.profile().stages[i].memory_bytes};
  }
}

void BranchAndBound::ChooseHosts(int stage, const Later& later) {
  if (stage < 0) {
    TryCandidate(later);
    return;
  }
  ++bounds_;
  if (!IsAffordable(later, LeastOf(stage + 1, later))) return;
  const Earlier earlier = LeastOf(stage, later);
  for (Classes hosts = 1; hosts <= all(); ++hosts) {
    if ((hosts & later.ended) == 0 && !IsMirrored(later.started | hosts)) {
      ChooseBatch(stage, hosts, later, earlier);
    }
  }
}

void BranchAndBound::ChooseBatch(int stage, Classes hosts, const Later& later,
                                 const Earlier& earlier) {
  const StageOptionRow& row = *rows_[static_cast<size_t>(stage)][hosts];
  const double capacity = contest_.capacity_to_beat();
  if ((later.price + row.least_price + earlier.price) * capacity > kRounding) return;
  Later next = later;
  AddHosts(stage, hosts, &next);
  for (const StageOption& option : row.options) {
    ++bounds_;
    if ((later.price + option.price + earlier.price) * capacity > kRounding) continue;
    AddBatch(stage, option, later, &next);
    if (!MayWin(stage, earlier, &next)) continue;
    candidate_.bucket[static_cast<size_t>(stage)] = static_cast<int>(option.bucket);
    ChooseHosts(stage - 1, next);
  }
}

void BranchAndBound::AddHosts(int stage, Classes hosts, Later* later) const {
  const auto i = static_cast<size_t>(stage);
  later->ended |= later->started & ~hosts;
  later->started |= hosts;
  later->memory += static_cast<size_t>(workers_[hosts]) * grid_.profile().stages[i].memory_bytes;
  Chosen& chosen = later->chosen[i];
  chosen.hosts = hosts;
  chosen.offered = grid_.reach(stage) * SlowestSingle(stage, hosts);
  for (int other = stage + 1; other < grid_.stages(); ++other) {
    Chosen& at = later->chosen[static_cast<size_t>(other)];
    const Classes shared = at.hosts & hosts;
    at.offered += grid_.reach(stage) * SlowestSingle(stage, shared);
    chosen.offered += grid_.reach(other) * SlowestSingle(other, shared);
  }
}

void BranchAndBound::AddBatch(int stage, const StageOption& option, const Later& later,
                              Later* next) const {
  Chosen& chosen = next->chosen[static_cast<size_t>(stage)];
  chosen.option = &option;
  const double device = DeviceTime(stage, chosen.hosts, option.bucket);
  next->worker = later.worker + option.worker;
  next->device = later.device + device;
  next->price = later.price + std::max(option.price, options_.Price(option.worker, device));
  for (Classes classes = 1; classes <= all(); ++classes) {
    const bool only = (chosen.hosts & ~classes) == 0;
    next->only[classes] = later.only[classes] + (only ? option.worker : 0.0);
  }
  for (size_t c = 0; c < kMostClasses; ++c) {
    next->longest[c] = later.longest[c];
    if (!Has(chosen.hosts, c) || grid_.reach(stage) == 0) continue;
    const Seconds step = grid_.steps(stage, candidate_.classes[c].share)[option.size];
    next->longest[c] = std::max(next->longest[c], step.count());
  }
}

void BranchAndBound::TryCandidate(const Later& later) {
  if (later.started != all()) return;
  for (size_t c = 0; c < candidate_.used().size(); ++c) {
    Candidate::Class& workers = candidate_.classes[c];
    workers.first = grid_.stages();
    for (int stage = grid_.stages() - 1; stage >= 0; --stage) {
      if (!Has(later.chosen[static_cast<size_t>(stage)].hosts, c)) continue;
      if (workers.first == grid_.stages()) workers.last = stage;
      workers.first = stage;
    }
  }
  if (!HasTwins(candidate_)) contest_.Try(candidate_);
}

// Samples of an earlier stage wait for the longest steps that its hosts, whoever they will be, run
// at later ones. The use of the capacity is at least that of the least price.
BranchAndBound::Earlier BranchAndBound::LeastOf(int stages, const Later& later) const {
  Earlier sum{.price = least_[static_cast<size_t>(stages)].price};
  const double use = std::min((later.price + sum.price) * contest_.rate(), kMostUse);
  const double log_use = std::log(use);
  for (int stage = 0; stage < stages; ++stage) {
    const bool counted = static_cast<size_t>(stage) < late_.counted();
    Earlier least{.latency = kInfinite};
    least.both.fill(kInfinite);
    for (Classes hosts = 1; hosts <= all(); ++hosts) {
      if ((hosts & later.ended) != 0) continue;
      const double queue = counted ? QueueAt(stage, workers_[hosts], use, log_use) : 0;
      KeepLeast(stage, hosts, Longest(hosts, later), queue, &least);
    }
    sum.latency += least.latency;
    for (size_t w = 0; w < sum.both.size(); ++w) sum.both[w] += least.both[w];
  }
  return sum;
}

void BranchAndBound::KeepLeast(int stage, Classes hosts, double longest, double queue,
                               Earlier* least) const {
  const double slowdown = options_.slowdown();
  for (const StageOption& option : rows_[static_cast<size_t>(stage)][hosts]->options) {
    const double waits =
        std::max(option.longest, longest) * (option.residual + option.group * queue);
    const double latency = option.delay + slowdown * (option.step + waits);
    least->latency = std::min(least->latency, latency);
    const double price_part = option.price * contest_.capacity_to_beat();
    const double latency_part = latency / contest_.p99_to_beat().count();
    for (size_t w = 0; w < least->both.size(); ++w) {
      least->both[w] = std::min(least->both[w], price_part + kLatencyWeights[w] * latency_part);
    }
  }
}

bool BranchAndBound::IsAffordable(const Later& later, const Earlier& earlier) const {
  if (!contest_.MayWin(Seconds((later.latency + earlier.latency) / kRounding), later.memory)) {
    return false;
  }
  const double price = later.price * contest_.capacity_to_beat();
  if (price + earlier.price * contest_.capacity_to_beat() > kRounding) return false;
  const double latency = later.latency / contest_.p99_to_beat().count();
  for (size_t w = 0; w < earlier.both.size(); ++w) {
    const double both = price + kLatencyWeights[w] * latency + earlier.both[w];
    if (both > (1 + kLatencyWeights[w]) * kRounding) return false;
  }
  return true;
}

bool BranchAndBound::MayWin(int stage, const Earlier& earlier, Later* later) const {
  const Least& least = least_[static_cast<size_t>(stage)];
  const double device = later->device + least.device;
  double worker = (later->worker + least.worker) / workers_[all()];
  for (Classes classes = 1; classes < all(); ++classes) {
    worker = std::max(worker, later->only[classes] / workers_[classes]);
  }
  const double inverse =
      std::max(later->price + earlier.price, InverseCapacity(worker / kMostBusy, device));
  if (inverse * contest_.capacity_to_beat() > kRounding) return false;
  const double use = std::min(inverse * contest_.rate(), kMostUse);
  later->latency = Latency(stage, *later, device, use);
  return Fits(grid_.profile(), later->memory + least.memory) && IsAffordable(*later, earlier);
}

double BranchAndBound::Latency(int stage, const Later& later, double device, double use) const {
  const double use_of_device = std::min(device * contest_.rate(), kMostUse);
  const double slowdown =
      std::max(options_.slowdown(), Slowdown(use_of_device, grid_.profile().knee));
  const double log_use = std::log(use);
  double delays = 0;
  double steps = 0;
  for (int i = stage; i < static_cast<int>(late_.counted()); ++i) {
    const Chosen& chosen = later.chosen[static_cast<size_t>(i)];
    const int hosts = workers_[chosen.hosts];
    const double busy = contest_.rate() * slowdown * chosen.offered / hosts;
    const double waits =
        ResidualAtLeast(i, hosts, busy) + chosen.option->group * QueueAt(i, hosts, use, log_use);
    delays += chosen.option->delay;
    steps += chosen.option->step + Longest(chosen.hosts, later) * waits;
  }
  return delays + slowdown * steps;
}

// Of equal classes none hosts a later stage than the one before it.
bool BranchAndBound::IsMirrored(Classes started) const {
  for (size_t c = 1; c < candidate_.used().size(); ++c) {
    const Candidate::Class& a = candidate_.classes[c - 1];
    const Candidate::Class& b = candidate_.classes[c];
    const bool equal = a.share == b.share && a.count == b.count;
    if (equal && Has(started, c) && !Has(started, c - 1)) return true;
  }
  return false;
}

double BranchAndBound::Longest(Classes hosts, const Later& later) const {
  double longest = 0;
  for (size_t c = 0; c < kMostClasses; ++c) {
    if (Has(hosts, c)) longest = std::max(longest, later.longest[c]);
  }
  return longest;
}

double BranchAndBound::SlowestSingle(int stage, Classes classes) const {
  Seconds slowest{};
  for (size_t c = 0; c < kMostClasses; ++c) {
    if (!Has(classes, c)) continue;
    slowest = std::max(slowest, grid_.steps(stage, candidate_.classes[c].share).front());
  }
  return slowest.count();
}

double BranchAndBound::DeviceTime(int stage, Classes hosts, size_t bucket) const {
  Seconds time{};
  for (size_t c = 0; c < kMostClasses; ++c) {
    if (!Has(hosts, c)) continue;
    const Candidate::Class& workers = candidate_.classes[c];
    time += workers.count * grid_.device_times(stage, workers.share, clients_)[bucket];
  }
  return grid_.reach(stage) * time.count() / workers_[hosts];
}

// Looked up at the next lower of the places that were computed.
double BranchAndBound::ResidualAtLeast(int stage, int hosts, double busy) const {
  const auto place = static_cast<size_t>(std::min(busy, 1.0) * kBusyPlaces);
  return residual_[BusyIndex(stage, hosts, place)];
}

// escan::QueueWait with the logarithms taken once for many.
double BranchAndBound::QueueAt(int stage, int hosts, double use, double log_use) const {
  const double excess = BusyExponent(hosts) * log_use - late_.Log(static_cast<size_t>(stage));
  return excess > 0 ? excess / (2 * hosts * (1 - use)) : 0.0;
}

double BranchAndBound::InverseCapacity(double worker, double device) const {
  const double high = std::max(worker, device);
  const double part = std::min(worker, device) / high;
  const double p = grid_.profile().knee;
  return high * std::pow(1 + std::pow(part, p), 1 / p);
}

}  // namespace escan
