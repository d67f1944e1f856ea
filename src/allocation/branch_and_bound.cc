#include "allocation/branch_and_bound.h"

#include <algorithm>
#include <bit>
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
bool Has(unsigned classes, size_t index) { return (classes >> index & 1) != 0; }

}  // namespace

BranchAndBound::BranchAndBound(const SearchGrid& grid, Contest* contest)
    : grid_(grid),
      contest_(*contest),
      late_(grid.reach(), grid.workload().rows_per_request),
      waits_(late_),
      options_(grid, *contest, late_) {}

void BranchAndBound::Run() {
  for (clients_ = 1; clients_ <= grid_.limits().clients; ++clients_) {
    options_.Reset(clients_);
    crowding_ = Crowding(1.0 / clients_, grid_.profile().knee);
    for (int classes = 1; classes <= std::min(grid_.limits().classes, clients_); ++classes) {
      candidate_.class_count = classes;
      ChooseCounts(0, clients_);
    }
  }
}

// Descending.
void BranchAndBound::ChooseCounts(int index, int left) {
  Candidate::Class* workers = &candidate_.classes[static_cast<size_t>(index)];
  const int others = candidate_.class_count - index - 1;
  const int most = index == 0 ? left - others : std::min(left - others, (workers - 1)->count);
  for (int count = others == 0 ? left : 1; count <= most; ++count) {
    *workers = {.share = grid_.any_share(), .count = count};
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
  const Choice none = NoHosts();
  if (MayWin(none)) ChooseHosts(grid_.stages() - 1, none);
}

BranchAndBound::Choice BranchAndBound::NoHosts() {
  FindRows();
  return {.memory = grid_.profile().context_bytes * static_cast<size_t>(clients_ + 1),
          .unhosted = grid_.stages()};
}

bool BranchAndBound::MayWin(Choice choice) {
  ++bounds_;
  return HasCapacity(&choice) && MayWin(choice, LeastLatency(grid_.stages(), choice));
}

void BranchAndBound::FindRows() {
  for (int stage = 0; stage < grid_.stages(); ++stage) {
    const auto i = static_cast<size_t>(stage);
    Cost here{.worker = kInfinite, .device = kInfinite};
    for (Classes hosts = 1; hosts <= all(); ++hosts) {
      std::array<int, kMostClasses> shares{};
      size_t count = 0;
      for (size_t c = 0; c < kMostClasses; ++c) {
        if (Has(hosts, c)) shares[count++] = candidate_.classes[c].share;
      }
      const StageOptionRow& row = options_.Row(stage, {shares.data(), count}, workers_[hosts]);
      rows_[i][hosts] = &row;
      here.worker = std::min(here.worker, row.least_worker);
      here.device = std::min(here.device, row.least_device);
    }
    const double dense = here.worker > 0 ? here.device / here.worker : 0;
    least_[i + 1] = {.most_dense = std::max(least_[i].most_dense, dense),
                     .cost = {.worker = least_[i].cost.worker + here.worker,
                              .device = least_[i].cost.device + here.device},
                     .memory = least_[i].memory + grid_.profile().stages[i].memory_bytes};
  }
}

void BranchAndBound::ChooseHosts(int stage, const Choice& so_far) {
  if (stage < 0) {
    if (so_far.started == all()) {
      ChooseShares(so_far);
      FindRows();
    }
    return;
  }
  for (Classes hosts = 1; hosts <= all(); ++hosts) {
    if ((hosts & so_far.ended) != 0 || IsMirrored(stage, hosts, so_far)) continue;
    Choice next = so_far;
    AddHosts(stage, hosts, &next);
    ++bounds_;
    if (HasCapacity(&next) && MayWin(next, LeastLatency(grid_.stages(), next))) {
      ChooseHosts(stage - 1, next);
    }
  }
}

// Of the class first that asks most of the device: its share decides most.
void BranchAndBound::ChooseShares(const Choice& so_far) {
  Candidate::Class* next_class = nullptr;
  double most = -1;
  for (size_t c = 0; c < candidate_.used().size(); ++c) {
    if (candidate_.classes[c].share != grid_.any_share()) continue;
    const double asked = so_far.own_device[c] * candidate_.classes[c].count;
    if (asked <= most) continue;
    most = asked;
    next_class = &candidate_.classes[c];
  }
  if (next_class == nullptr) {
    ChooseBatches(grid_.stages() - 1, so_far);
    return;
  }
  for (int share = 0; share < grid_.shares(); ++share) {
    next_class->share = share;
    if (HasTwins(so_far)) continue;
    Choice next = NoHosts();
    for (int stage = grid_.stages() - 1; stage >= 0; --stage) {
      AddHosts(stage, so_far.chosen[static_cast<size_t>(stage)].hosts, &next);
    }
    ++bounds_;
    if (HasCapacity(&next) && MayWin(next, LeastLatency(grid_.stages(), next))) {
      ChooseShares(next);
    }
  }
  next_class->share = grid_.any_share();
}

// A class with the share and hosts of one before it is that one; and of those with equal hosts and
// counts, shares ascend.
bool BranchAndBound::HasTwins(const Choice& choice) const {
  for (size_t b = 1; b < candidate_.used().size(); ++b) {
    for (size_t a = 0; a < b; ++a) {
      const Candidate::Class& first = candidate_.classes[a];
      const Candidate::Class& second = candidate_.classes[b];
      if (first.share == grid_.any_share() || second.share == grid_.any_share()) continue;
      const bool twins =
          first.count == second.count ? first.share >= second.share : first.share == second.share;
      if (twins && HostEqual(a, b, 0, choice)) return true;
    }
  }
  return false;
}

// Of the stages from one on.
bool BranchAndBound::HostEqual(size_t a, size_t b, int stage, const Choice& choice) const {
  for (int other = stage; other < grid_.stages(); ++other) {
    const Classes hosts = choice.chosen[static_cast<size_t>(other)].hosts;
    if (Has(hosts, a) != Has(hosts, b)) return false;
  }
  return true;
}

void BranchAndBound::AddHosts(int stage, Classes hosts, Choice* choice) const {
  const auto i = static_cast<size_t>(stage);
  choice->ended |= choice->started & ~hosts;
  choice->started |= hosts;
  choice->memory += static_cast<size_t>(workers_[hosts]) * grid_.profile().stages[i].memory_bytes;
  Chosen& chosen = choice->chosen[i];
  chosen.hosts = hosts;
  chosen.offered = Single(stage, hosts);
  for (int other = stage + 1; other < grid_.stages(); ++other) {
    Chosen& at = choice->chosen[static_cast<size_t>(other)];
    const Classes shared = at.hosts & hosts;
    at.offered += Single(stage, shared);
    chosen.offered += Single(other, shared);
  }
  KeepLongest(stage, hosts, 0, choice);
  Cost least{.worker = kInfinite, .device = kInfinite};
  for (const StageOption& option : rows_[i][hosts]->options) {
    const Cost cost = CostOf(stage, hosts, option);
    least.worker = std::min(least.worker, cost.worker);
    least.device = std::min(least.device, cost.device);
  }
  choice->unhosted = stage;
  if (contest_.judges_latency()) AddUnbatched(stage, hosts, choice);
  ChangeCost(stage, least, choice);
}

void BranchAndBound::AddUnbatched(int stage, Classes hosts, Choice* choice) const {
  const double of_worker = grid_.reach(stage) / workers_[hosts];
  for (size_t c = 0; c < kMostClasses; ++c) {
    if (!Has(hosts, c)) continue;
    const Candidate::Class& workers = candidate_.classes[c];
    choice->unbatched.Add(grid_, stage, workers.share, clients_, of_worker * workers.count, c);
  }
  choice->crowded = 1;
}

BranchAndBound::Cost BranchAndBound::CostOf(int stage, Classes hosts,
                                            const StageOption& option) const {
  return {.worker = option.worker, .device = DeviceTime(stage, hosts, option.bucket)};
}

void BranchAndBound::ChangeCost(int stage, const Cost& cost, Choice* choice) const {
  Chosen& chosen = choice->chosen[static_cast<size_t>(stage)];
  choice->hosted.worker += cost.worker - chosen.cost.worker;
  choice->hosted.device += cost.device - chosen.cost.device;
  for (Classes classes = 1; classes <= all(); ++classes) {
    if ((chosen.hosts & ~classes) == 0) choice->only[classes] += cost.worker - chosen.cost.worker;
  }
  for (size_t c = 0; c < kMostClasses; ++c) {
    if (!Has(chosen.hosts, c)) continue;
    choice->own_device[c] += (cost.device - chosen.cost.device) / workers_[chosen.hosts];
  }
  chosen.cost = cost;
}

void BranchAndBound::KeepLongest(int stage, Classes hosts, size_t limit, Choice* choice) const {
  if (grid_.reach(stage) == 0) return;
  const StageOptionRow& row = *rows_[static_cast<size_t>(stage)][hosts];
  const size_t size = std::min(row.SizeAt(choice->slowdown), limit);
  for (size_t c = 0; c < kMostClasses; ++c) {
    if (!Has(hosts, c)) continue;
    const Seconds step = grid_.steps(stage, candidate_.classes[c].share)[size];
    choice->longest[c] = std::max(choice->longest[c], step.count());
  }
}

void BranchAndBound::ChooseBatches(int stage, const Choice& so_far) {
  if (stage < 0) {
    TryCandidate(so_far);
    return;
  }
  const double earlier = LeastLatency(stage, so_far);
  const auto i = static_cast<size_t>(stage);
  for (const StageOption& option : rows_[i][so_far.chosen[i].hosts]->options) {
    Choice next = so_far;
    AddBatch(stage, option, &next);
    ++bounds_;
    if (!HasCapacity(&next) || !MayWin(next, Latency(stage, next) + earlier)) continue;
    candidate_.bucket[i] = static_cast<int>(option.bucket);
    ChooseBatches(stage - 1, next);
  }
}

void BranchAndBound::AddBatch(int stage, const StageOption& option, Choice* choice) const {
  Chosen& chosen = choice->chosen[static_cast<size_t>(stage)];
  chosen.option = &option;
  ChangeCost(stage, CostOf(stage, chosen.hosts, option), choice);
  KeepLongest(stage, chosen.hosts, option.bucket, choice);
}

void BranchAndBound::TryCandidate(const Choice& choice) {
  for (size_t c = 0; c < candidate_.used().size(); ++c) {
    Candidate::Class& workers = candidate_.classes[c];
    workers.first = grid_.stages();
    for (int stage = grid_.stages() - 1; stage >= 0; --stage) {
      if (!Has(choice.chosen[static_cast<size_t>(stage)].hosts, c)) continue;
      if (workers.first == grid_.stages()) workers.last = stage;
      workers.first = stage;
    }
  }
  contest_.Try(candidate_);
}

// Samples wait for the longest steps that their hosts are known to run.
double BranchAndBound::LeastLatency(int stages, const Choice& choice) const {
  const double arrivals = contest_.rate() * choice.slowdown;
  double sum = 0;
  for (int stage = 0; stage < std::min(stages, static_cast<int>(late_.counted())); ++stage) {
    double least = kInfinite;
    ForEachHosts(stage, choice, [&](Classes hosts) {
      const int workers = workers_[hosts];
      const double busy = arrivals * Offered(stage, hosts, choice) / workers;
      const WaitBounds::Residual& residual = waits_.ResidualAt(stage, workers, busy);
      const double queue = waits_.QueueAt(stage, workers, choice.use, choice.log_use);
      const double longest = Longest(hosts, choice);
      const double behind = residual.of_one * LongestBehind(hosts, choice);
      const StageOptionRow& row = *rows_[static_cast<size_t>(stage)][hosts];
      const size_t size = row.SizeAt(choice.slowdown);
      for (const StageOption& option : row.options) {
        const double step = row.slowest[std::min(size, option.bucket)];
        const double waits =
            std::max(step, longest) * (residual.of_any + option.group * queue) + behind;
        least = std::min(least, option.delay + choice.slowdown * (option.steps * step + waits));
      }
    });
    sum += least;
  }
  return sum;
}

template <typename Visit>
void BranchAndBound::ForEachHosts(int stage, const Choice& choice, Visit visit) const {
  const Classes chosen = choice.chosen[static_cast<size_t>(stage)].hosts;
  if (chosen != 0) return visit(chosen);
  for (Classes hosts = 1; hosts <= all(); ++hosts) {
    if ((hosts & choice.ended) == 0) visit(hosts);
  }
}

// To its hosts, by the stages whose hosts are chosen.
double BranchAndBound::Offered(int stage, Classes hosts, const Choice& choice) const {
  const Chosen& chosen = choice.chosen[static_cast<size_t>(stage)];
  if (chosen.hosts != 0) return chosen.offered;
  double offered = Single(stage, hosts);
  for (int other = stage + 1; other < grid_.stages(); ++other) {
    const Classes shared = choice.chosen[static_cast<size_t>(other)].hosts & hosts;
    offered += Single(other, shared);
  }
  return offered;
}

bool BranchAndBound::HasCapacity(Choice* choice) const {
  const double worker = WorkerTime(*choice);
  const double inverse = InverseCapacity(worker, *choice);
  if (inverse * contest_.capacity_to_beat() > kRounding) return false;
  if (!contest_.judges_latency()) return true;
  choice->use = std::min(inverse * contest_.rate(), kMostUse);
  choice->log_use = std::log(choice->use);
  const double use_of_device =
      std::min(crowding_ * DeviceTime(*choice) * contest_.rate(), kMostUse);
  if (choice->crowded == 1 && choice->unhosted < grid_.stages()) {
    const UnbatchedLoads::Hosting hosting{candidate_, clients_, choice->unhosted, choice->ended,
                                          choice->use};
    choice->crowded = choice->unbatched.SlowdownAtLeast(grid_, hosting, contest_.rate(), crowding_);
  }
  choice->slowdown = std::max(Slowdown(use_of_device, grid_.profile().knee), choice->crowded);
  return choice->slowdown * contest_.rate() * worker < kRounding;
}

bool BranchAndBound::MayWin(const Choice& choice, double latency) const {
  const size_t memory = choice.memory + least_[static_cast<size_t>(choice.unhosted)].memory;
  return Fits(grid_.profile(), memory) && contest_.MayWin(Seconds(latency / kRounding), memory);
}

double BranchAndBound::DeviceTime(const Choice& choice) const {
  return choice.hosted.device + least_[static_cast<size_t>(choice.unhosted)].cost.device;
}

// Over their number. It is at least that of all stages over all workers, and at least that of the
// stages that only some of the classes host over the workers of these.
double BranchAndBound::WorkerTime(const Choice& choice) const {
  const Cost& unhosted = least_[static_cast<size_t>(choice.unhosted)].cost;
  double worker = (choice.hosted.worker + unhosted.worker) / workers_[all()];
  for (Classes classes = 1; classes < all(); ++classes) {
    worker = std::max(worker, choice.only[classes] / workers_[classes]);
  }
  return worker;
}

// 1 / capacity is the norm of the times of a sample: the workers', and the device's as those feel
// it that bound the rate. They are slowed by others, not by what they take themselves, which is at
// most what a worker of one of the classes takes.
double BranchAndBound::InverseCapacity(double worker, const Choice& choice) const {
  const double p = grid_.profile().knee;
  double more = kInfinite;  // than the device's time
  for (size_t c = 0; c < candidate_.used().size(); ++c) {
    more = std::min(more, WorkerLessOwn(c, worker, choice));
  }
  const double least = std::pow(worker / kMostBusy, p);  // no worker takes more than all do
  return std::pow(std::max(std::pow(DeviceTime(choice), p) + more, least), 1 / p);
}

// (worker / kMostBusy)^p - own^p, at least, p being the knee and `own` the device's time that one
// worker of the class takes of a sample. Of the stages without hosts some, which take y of its
// time, may be the class's alone; others it shares with a class at least. With y both terms grow:
//   max(worker, busy + y) / kMostBusy  and  shared + y * slope.
double BranchAndBound::WorkerLessOwn(size_t worker_class, double worker,
                                     const Choice& choice) const {
  const double p = grid_.profile().knee;
  const Least& unhosted = least_[static_cast<size_t>(choice.unhosted)];
  const int workers = candidate_.classes[worker_class].count;
  const double most = choice.own_device[worker_class] + unhosted.cost.device / workers;
  const double with_most = std::pow(worker / kMostBusy, p) - std::pow(most, p);
  if (candidate_.class_count == 1 || choice.unhosted == 0) return with_most;

  double others = kMostClients;
  for (size_t c = 0; c < candidate_.used().size(); ++c) {
    if (c != worker_class) others = std::min<double>(others, candidate_.classes[c].count);
  }
  const double shared = choice.own_device[worker_class] + unhosted.cost.device / (workers + others);
  const double slope = unhosted.most_dense * others / (workers + others);
  const double busy = choice.only[1u << worker_class] / workers_[1u << worker_class];
  const double largest = unhosted.cost.worker / workers;
  // Up to here the worker's term does not grow. Beyond, the difference is least at its only
  // minimum, or where it has none, at an end.
  const double first = std::clamp(worker - busy, 0.0, largest);
  const double q = std::pow(kMostBusy * slope, 1 / (p - 1));
  const double grows = 1 / kMostBusy - q * slope;
  const auto at = [&](double y) {
    return std::pow(std::max(worker, busy + y) / kMostBusy, p) - std::pow(shared + slope * y, p);
  };
  const double least = grows > 0
                           ? at(std::clamp((q * shared - busy / kMostBusy) / grows, first, largest))
                           : std::min(at(first), at(largest));
  return std::max(least, with_most);
}

double BranchAndBound::Latency(int stage, const Choice& choice) const {
  double delays = 0;
  double steps = 0;
  for (int i = stage; i < static_cast<int>(late_.counted()); ++i) {
    const Chosen& chosen = choice.chosen[static_cast<size_t>(i)];
    const int hosts = workers_[chosen.hosts];
    const double busy = contest_.rate() * choice.slowdown * chosen.offered / hosts;
    const WaitBounds::Residual& residual = waits_.ResidualAt(i, hosts, busy);
    const double queue = waits_.QueueAt(i, hosts, choice.use, choice.log_use);
    delays += chosen.option->delay;
    const StageOptionRow& row = *rows_[static_cast<size_t>(i)][chosen.hosts];
    const size_t size = std::min(row.SizeAt(choice.slowdown), chosen.option->bucket);
    steps += chosen.option->steps * row.slowest[size] +
             Longest(chosen.hosts, choice) * (residual.of_any + chosen.option->group * queue) +
             LongestBehind(chosen.hosts, choice) * residual.of_one;
  }
  return delays + choice.slowdown * steps;
}

// Of classes with equal counts, the first that hosts a later stage alone is the first.
bool BranchAndBound::IsMirrored(int stage, Classes hosts, const Choice& so_far) const {
  for (size_t c = 1; c < candidate_.used().size(); ++c) {
    const bool equal = candidate_.classes[c].count == candidate_.classes[c - 1].count;
    if (equal && Has(hosts, c) && !Has(hosts, c - 1) && HostEqual(c - 1, c, stage + 1, so_far)) {
      return true;
    }
  }
  return false;
}

double BranchAndBound::Longest(Classes hosts, const Choice& choice) const {
  double longest = 0;
  for (size_t c = 0; c < kMostClasses; ++c) {
    if (Has(hosts, c)) longest = std::max(longest, choice.longest[c]);
  }
  return longest;
}

double BranchAndBound::LongestBehind(Classes hosts, const Choice& choice) const {
  double longest = 0;
  for (size_t c = 0; c < kMostClasses; ++c) {
    const bool complete = choice.unhosted == 0 || Has(choice.ended, c);
    if (complete && Has(hosts, c) && choice.unbatched.is_short(c)) {
      longest = std::max(longest, choice.longest[c]);
    }
  }
  return longest;
}

// What a sample that arrives adds to the stage's hosts of these classes, unbatched.
double BranchAndBound::Single(int stage, Classes hosts) const {
  return hosts == 0
             ? 0
             : grid_.reach(stage) * rows_[static_cast<size_t>(stage)][hosts]->slowest.front();
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

}  // namespace escan
