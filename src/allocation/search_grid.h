#pragma once

#include <array>
#include <cstddef>
#include <span>
#include <vector>

#include "allocation/step_costs.h"
#include "allocation/workload.h"
#include "contracts/plan.h"
#include "escan/cascade.h"
#include "escan/time.h"

namespace escan {

inline constexpr int kMostClasses = 3;   // of equal workers on a device
inline constexpr int kMostClients = 12;  // workers on a device

// How much a search may try.
struct SearchLimits {
  int classes = kMostClasses;  // 1 to kMostClasses
  int clients = kMostClients;  // 1 to kMostClients; fewer where cascades share a device
};

// A point of the grid: what a plan for one device is made of. Indices into the profile's shares and
// into the stages' buckets.
struct Candidate {
  struct Class {
    int share = 0;
    int count = 1;
    int first = 0;  // of the stages it hosts, and the last
    int last = 0;

    bool hosts(int stage) const { return first <= stage && stage <= last; }
    friend bool operator==(const Class&, const Class&) = default;
  };

  std::array<Class, kMostClasses> classes{};
  int class_count = 0;
  std::array<int, kMaxStages> bucket{};

  std::span<const Class> used() const { return {classes.data(), static_cast<size_t>(class_count)}; }
  // Two classes that differ in nothing but their count, and hence are one.
  bool HasTwins() const;
  int clients() const {
    int sum = 0;
    for (const Class& workers : used()) sum += workers.count;
    return sum;
  }
};

// All that a search may choose from for a workload, and what the choices cost.
class SearchGrid {
 public:
  // The workload's rate is that of one device; it and the profile outlive this.
  SearchGrid(const StepCosts& costs, const Workload& workload, const SearchLimits& limits);

  int stages() const { return static_cast<int>(buckets_.size()); }
  int shares() const { return static_cast<int>(profile_.thread_percents.size()); }
  int buckets(int stage) const { return static_cast<int>(buckets_[Index(stage)].size()); }
  // The first `bucket` + 1 sizes of batches.
  std::span<const int> rows(int stage, int bucket) const {
    return buckets_[Index(stage)].first(Index(bucket) + 1);
  }
  double reach(int stage) const { return reach_[Index(stage)]; }

  // By bucket: the longest step of up to so many rows; its share of a sample's time, as counted
  // with so many credits; the device's time of a sample.
  std::span<const Seconds> steps(int stage, int share) const { return At(steps_, stage, share); }
  std::span<const Seconds> worker_times(int stage, int share, int credits) const {
    return At(credits > 1 ? overlapped_ : unhurried_, stage, share);
  }
  std::span<const Seconds> device_times(int stage, int share, int clients) const {
    return At(device_[Index(clients)], stage, share);
  }

  // By bucket: the device's time of a sample in a batch of what arrives together.
  std::span<const Seconds> devices_alone(int stage, int share, int clients) const {
    return At(devices_alone_[Index(clients)], stage, share);
  }
  // 2 where each step of the class is short: then the time around a step counts. A second batch at
  // a worker whose steps are long would only wait there, where no other worker can take it.
  int Credits(const Candidate::Class& workers) const;
  // Even at the largest bucket.
  bool IsShort(int stage, int share) const { return longest_[Place(stage, share)] <= kShortStep; }
  // Zero for single rows; else a quarter of the shortest step, which adds little to the latency.
  Duration MaxDelay(int stage, int bucket) const;
  // Bytes, see DeviceMemory.
  size_t Memory(const Candidate& candidate) const;

  Plan MakePlan(const Candidate& candidate, int devices) const;

  const SearchLimits& limits() const { return limits_; }
  const Profile& profile() const { return profile_; }
  const Workload& workload() const { return workload_; }

 private:
  static constexpr Seconds kShortStep{0.002};

  using Table = std::vector<std::vector<Seconds>>;  // by stage and share, then by bucket

  void AddAlone(const StepCosts& costs, int stage, int share);
  static size_t Index(int index) { return static_cast<size_t>(index); }
  size_t Place(int stage, int share) const { return Index(stage * shares() + share); }
  std::span<const Seconds> At(const Table& table, int stage, int share) const {
    return table[Place(stage, share)];
  }

  const Profile& profile_;
  const Workload& workload_;
  const SearchLimits limits_;
  std::vector<double> reach_;
  std::vector<std::span<const int>> buckets_;
  std::vector<Seconds> longest_;  // step, by stage and share
  Table steps_;
  Table unhurried_;
  Table overlapped_;
  std::array<Table, kMostClients + 1> device_;
  std::array<Table, kMostClients + 1> devices_alone_;
  std::vector<size_t> memory_before_;  // by stage: of all stages before it
};

}  // namespace escan
