#include "allocation/branch_and_bound.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "allocation/capacity.h"
#include "allocation/memory.h"

namespace escan {
namespace {

// A bound must not rule out what only rounding puts on its other side.
constexpr double kRounding = 1 + 1e-12;
constexpr double kMostUse = 1 - 1e-9;

// Of the capacity: from here on it decides much how classes crowd the device.
constexpr double kMuchUse = 0.5;

}  // namespace

BranchAndBound::BranchAndBound(const SearchGrid& grid, Contest* contest)
    : grid_(grid),
      contest_(*contest),
      late_(grid.reach(), grid.workload().rows_per_request),
      options_(grid, *contest, late_),
      hosts_(grid, &options_, candidate_),
      latency_(grid, *contest, late_, &hosts_),
      capacity_(grid.profile().knee),
      slowdown_(grid.profile().knee) {}

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
  if (index == candidate_.class_count) {
    hosts_.CountsChanged();
    SearchChoice none = NoHosts();
    if (MayWin(&none)) ChooseNext(none);
    return;
  }
  Candidate::Class* workers = &candidate_.classes[static_cast<size_t>(index)];
  const int others = candidate_.class_count - index - 1;
  const int most = index == 0 ? left - others : std::min(left - others, (workers - 1)->count);
  for (int count = others == 0 ? left : 1; count <= most; ++count) {
    *workers = {.share = grid_.any_share(), .count = count};
    ChooseCounts(index + 1, left - count);
  }
}

void BranchAndBound::ChooseNext(const SearchChoice& so_far) {
  const bool complete = so_far.unhosted == 0;
  if (complete && (so_far.started != hosts_.all() || HasTwins(so_far))) return;
  if (Candidate::Class* workers = NextToNarrow(so_far)) {
    NarrowShare(so_far, workers);
  } else if (complete) {
    ChooseBatches(grid_.stages() - 1, so_far);
  } else {
    ChooseHosts(so_far.unhosted - 1, so_far);
  }
}

void BranchAndBound::ChooseHosts(int stage, const SearchChoice& so_far) {
  for (ClassSet hosts = 1; hosts <= hosts_.all(); ++hosts) {
    if ((hosts & so_far.ended) != 0 || IsMirrored(stage, hosts, so_far)) continue;
    SearchChoice next = so_far;
    AddHosts(stage, hosts, &next);
    if (MayWin(&next)) ChooseNext(next);
  }
}

// Where shares decide how classes crowd the device, a small one is told from all larger ones: with
// it they crowd little but take long. Elsewhere one by one is faster.
void BranchAndBound::NarrowShare(const SearchChoice& so_far, Candidate::Class* workers) {
  const int open = workers->share;
  int share = grid_.smallest(open);
  GiveShare(so_far, share++, workers);
  if (so_far.use >= kMuchUse) {
    GiveShare(so_far, grid_.any_from(share), workers);
  } else {
    while (share < grid_.shares()) GiveShare(so_far, share++, workers);
  }
  workers->share = open;
  hosts_.SharesChanged(so_far.unhosted);
}

void BranchAndBound::GiveShare(const SearchChoice& so_far, int share, Candidate::Class* workers) {
  workers->share = share;
  hosts_.SharesChanged(so_far.unhosted);
  SearchChoice next = NoHosts();
  for (int stage = grid_.stages() - 1; stage >= so_far.unhosted; --stage) {
    AddHosts(stage, so_far.stages[static_cast<size_t>(stage)].hosts, &next);
  }
  if (MayWin(&next)) ChooseNext(next);
}

void BranchAndBound::ChooseBatches(int stage, const SearchChoice& so_far) {
  if (stage < 0) {
    TryCandidate(so_far);
    return;
  }
  const double others = latency_.OfOthers(stage, so_far);
  const auto i = static_cast<size_t>(stage);
  for (const StageOption& option : hosts_.Row(stage, so_far.stages[i].hosts).options) {
    if (!MayWin(so_far, others + latency_.With(stage, option, so_far))) continue;
    SearchChoice next = so_far;
    AddBatch(stage, option, &next);
    if (!MayWin(&next)) continue;
    candidate_.bucket[i] = static_cast<int>(option.bucket);
    ChooseBatches(stage - 1, next);
  }
}

void BranchAndBound::TryCandidate(const SearchChoice& choice) {
  for (size_t c = 0; c < candidate_.used().size(); ++c) {
    Candidate::Class& workers = candidate_.classes[c];
    workers.first = grid_.stages();
    for (int stage = grid_.stages() - 1; stage >= 0; --stage) {
      if (!Has(choice.stages[static_cast<size_t>(stage)].hosts, c)) continue;
      if (workers.first == grid_.stages()) workers.last = stage;
      workers.first = stage;
    }
  }
  contest_.Try(candidate_);
}

SearchChoice BranchAndBound::NoHosts() const {
  return {.memory = grid_.profile().context_bytes * static_cast<size_t>(clients_ + 1),
          .unhosted = grid_.stages()};
}

void BranchAndBound::AddHosts(int stage, ClassSet hosts, SearchChoice* choice) {
  const auto i = static_cast<size_t>(stage);
  choice->ended |= choice->started & ~hosts;
  choice->started |= hosts;
  choice->memory +=
      static_cast<size_t>(hosts_.workers(hosts)) * grid_.profile().stages[i].memory_bytes;
  choice->unhosted = stage;
  choice->stages[i].hosts = hosts;
  ChangeCost(stage, hosts_.LeastCost(stage, hosts), choice);
  if (contest_.judges_latency()) AddUnbatched(stage, hosts, choice);
}

void BranchAndBound::AddUnbatched(int stage, ClassSet hosts, SearchChoice* choice) {
  KeepLongest(stage, hosts, 0, choice);
  const double of_worker = grid_.reach(stage) / hosts_.workers(hosts);
  std::array<double, kMostClasses> offered{};
  for (size_t c = 0; c < candidate_.used().size(); ++c) {
    if (!Has(hosts, c)) continue;
    const Candidate::Class& workers = candidate_.classes[c];
    choice->unbatched.Add(grid_, stage, workers.share, clients_, of_worker * workers.count, c);
    offered[c] = grid_.reach(stage) * grid_.steps(stage, workers.share).front().count();
  }
  for (ClassSet classes = 1; classes <= hosts_.all(); ++classes) {
    double slowest = 0;
    for (size_t c = 0; c < candidate_.used().size(); ++c) {
      if (Has(classes, c)) slowest = std::max(slowest, offered[c]);
    }
    choice->offered[classes] += slowest;
  }
  choice->crowded = 1;
}

void BranchAndBound::AddBatch(int stage, const StageOption& option, SearchChoice* choice) {
  SearchChoice::Stage& chosen = choice->stages[static_cast<size_t>(stage)];
  chosen.option = &option;
  ChangeCost(stage, hosts_.Cost(stage, chosen.hosts, option), choice);
  if (contest_.judges_latency()) KeepLongest(stage, chosen.hosts, option.bucket, choice);
}

void BranchAndBound::ChangeCost(int stage, const SampleCost& cost, SearchChoice* choice) const {
  SearchChoice::Stage& chosen = choice->stages[static_cast<size_t>(stage)];
  const double worker = cost.worker - chosen.cost.worker;
  const double device = cost.device - chosen.cost.device;
  choice->hosted.worker += worker;
  choice->hosted.device += device;
  for (ClassSet classes = 1; classes <= hosts_.all(); ++classes) {
    if ((chosen.hosts & ~classes) == 0) choice->only[classes] += worker;
  }
  for (size_t c = 0; c < candidate_.used().size(); ++c) {
    if (Has(chosen.hosts, c)) choice->own_device[c] += device / hosts_.workers(chosen.hosts);
  }
  chosen.cost = cost;
}

void BranchAndBound::KeepLongest(int stage, ClassSet hosts, size_t limit, SearchChoice* choice) {
  if (grid_.reach(stage) == 0) return;
  const size_t size = std::min(hosts_.Row(stage, hosts).SizeAt(choice->slowdown), limit);
  for (size_t c = 0; c < candidate_.used().size(); ++c) {
    if (!Has(hosts, c)) continue;
    const Seconds step = grid_.steps(stage, candidate_.classes[c].share)[size];
    choice->longest[c] = std::max(choice->longest[c], step.count());
  }
}

// None while stages have no hosts; but where crowding decides the smallest share is told from the
// others even then, which rules out most hosts of the late stages.
Candidate::Class* BranchAndBound::NextToNarrow(const SearchChoice& choice) {
  const bool hosted = choice.unhosted == 0;
  if (!hosted && choice.use < kMuchUse) return nullptr;
  Candidate::Class* next = nullptr;
  double most = 0;
  for (size_t c = 0; c < candidate_.used().size(); ++c) {
    Candidate::Class& workers = candidate_.classes[c];
    if (!grid_.is_open(workers.share)) continue;
    if (!hosted && workers.share != grid_.any_share()) continue;
    const int larger = grid_.shares() - grid_.smallest(workers.share);
    const double device = choice.own_device[c] * workers.count * larger;
    if (next != nullptr && device <= most) continue;
    next = &workers;
    most = device;
  }
  return next;
}

// Of classes with equal counts that host the same later stages, those that host this come first.
bool BranchAndBound::IsMirrored(int stage, ClassSet hosts, const SearchChoice& so_far) const {
  for (size_t c = 1; c < candidate_.used().size(); ++c) {
    const bool equal = candidate_.classes[c].count == candidate_.classes[c - 1].count;
    if (equal && Has(hosts, c) && !Has(hosts, c - 1) && HostEqual(c - 1, c, stage + 1, so_far)) {
      return true;
    }
  }
  return false;
}

// A class with the share and hosts of one before it is that one; and of those with equal hosts and
// counts, shares ascend.
bool BranchAndBound::HasTwins(const SearchChoice& choice) const {
  for (size_t b = 1; b < candidate_.used().size(); ++b) {
    for (size_t a = 0; a < b; ++a) {
      const Candidate::Class& first = candidate_.classes[a];
      const Candidate::Class& second = candidate_.classes[b];
      if (grid_.is_open(first.share) || grid_.is_open(second.share)) continue;
      const bool twins =
          first.count == second.count ? first.share >= second.share : first.share == second.share;
      if (twins && HostEqual(a, b, 0, choice)) return true;
    }
  }
  return false;
}

// Of the stages from one on.
bool BranchAndBound::HostEqual(size_t a, size_t b, int stage, const SearchChoice& choice) const {
  for (int other = stage; other < grid_.stages(); ++other) {
    const ClassSet hosts = choice.stages[static_cast<size_t>(other)].hosts;
    if (Has(hosts, a) != Has(hosts, b)) return false;
  }
  return true;
}

bool BranchAndBound::MayWin(SearchChoice* choice) {
  ++bounds_;
  return HasCapacity(choice) && MayWin(*choice, latency_.Of(*choice));
}

bool BranchAndBound::MayWin(const SearchChoice& choice, double latency) const {
  const size_t memory = choice.memory + hosts_.least(choice.unhosted).memory;
  return Fits(grid_.profile(), memory) && contest_.MayWin(Seconds(latency / kRounding), memory);
}

bool BranchAndBound::HasCapacity(SearchChoice* choice) {
  const double worker = WorkerTime(*choice);
  // Hosts of some of the stages tell hardly more of the capacity than the classes do.
  const bool partly = choice->unhosted > 0 && choice->unhosted < grid_.stages();
  if (!partly || !contest_.judges_latency()) {
    const double inverse = InverseCapacity(worker, *choice);
    if (inverse * contest_.capacity_to_beat() > kRounding) return false;
    if (!contest_.judges_latency()) return true;
    choice->use = std::min(inverse * contest_.rate(), kMostUse);
    choice->log_use = std::log(choice->use);
  }
  if (choice->crowded == 1 && choice->unhosted < grid_.stages()) {
    const UnbatchedLoads::Hosting hosting{candidate_, clients_, choice->unhosted, choice->ended,
                                          choice->use};
    choice->crowded =
        choice->unbatched.SlowdownAtLeast(grid_, hosting, contest_.rate(), crowding_, slowdown_);
  }
  choice->slowdown = SlowdownOf(*choice);
  return choice->slowdown * contest_.rate() * worker < kRounding;
}

double BranchAndBound::SlowdownOf(const SearchChoice& choice) const {
  const double use = std::min(crowding_ * DeviceTime(choice) * contest_.rate(), kMostUse);
  return std::max(Slowdown(use, grid_.profile().knee), choice.crowded);
}

double BranchAndBound::DeviceTime(const SearchChoice& choice) const {
  return choice.hosted.device + hosts_.least(choice.unhosted).cost.device;
}

// Over their number. It is at least that of all stages over all workers, and at least that of the
// stages that only some of the classes host over the workers of these.
double BranchAndBound::WorkerTime(const SearchChoice& choice) const {
  const SampleCost& unhosted = hosts_.least(choice.unhosted).cost;
  double worker = (choice.hosted.worker + unhosted.worker) / clients_;
  for (ClassSet classes = 1; classes < hosts_.all(); ++classes) {
    worker = std::max(worker, choice.only[classes] / hosts_.workers(classes));
  }
  return worker;
}

double BranchAndBound::InverseCapacity(double worker, const SearchChoice& choice) const {
  const HostOptions::Least& open = hosts_.least(choice.unhosted);
  std::array<KnownWork::OfClass, kMostClasses> classes{};
  for (size_t c = 0; c < candidate_.used().size(); ++c) {
    const int count = candidate_.classes[c].count;
    classes[c] = {.count = count,
                  .device = choice.own_device[c],
                  .alone = choice.only[size_t{1} << c] / count};
  }
  return capacity_.Inverse({.worker = worker,
                            .device = DeviceTime(choice),
                            .classes = {classes.data(), candidate_.used().size()},
                            .open = open.cost,
                            .most_dense = open.most_dense});
}

}  // namespace escan
