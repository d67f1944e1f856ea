#include "profiling/profile_outline.h"

#include <algorithm>
#include <cstddef>
#include <numeric>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "contracts/content_hash.h"
#include "profiling/stage_alone.h"
#include "supervision/cpu_share.h"

namespace escan {
namespace {

bool IsGpu(const Device& device) { return device.kind == Device::Kind::kGpu; }

std::vector<int> CpuPercents(int cpus) {
  std::vector<int> usable(static_cast<size_t>(cpus));
  std::iota(usable.begin(), usable.end(), 0);
  const auto threads = [&](int percent) { return ShareOfCpus(usable, percent, {}).threads; };
  std::vector<int> percents;
  for (const int percent : {25, 50, 100}) {
    if (!percents.empty() && threads(percents.back()) == threads(percent)) percents.pop_back();
    percents.push_back(percent);
  }
  return percents;
}

size_t InputBytes(const CascadeSpec& cascade, const StageSpec& stage) {
  size_t bytes = 0;
  for (const TensorRef& ref : stage.inputs) bytes += InputOf(cascade, ref).row_bytes();
  return bytes;
}

}  // namespace

absl::StatusOr<ProfileKey> KeyOf(const CascadeSpec& cascade, const ProfilingSite& site) {
  ProfileKey key;
  key.device = site.device;
  key.device.uuid.clear();
  key.device.memory_bytes = 0;
  if (IsGpu(site.device)) key.driver = site.driver;
  for (const StageSpec& stage : cascade.stages) {
    StageKey& stage_key = key.stages.emplace_back();
    stage_key.name = stage.name;
    stage_key.gpu = stage.gpu;
    if (stage.executor == ExecutorKind::kNull) continue;
    key.torch = site.torch;
    const absl::StatusOr<uint64_t> hash = ContentHashOfFile(stage.model);
    if (!hash.ok()) return hash.status();
    stage_key.model_hash = HashName(*hash);
  }
  return key;
}

MeasuredProfile ProfileOutline(const CascadeSpec& cascade, const ProfilingSite& site,
                               ProfileKey key) {
  MeasuredProfile outline{.key = std::move(key)};
  Profile& profile = outline.profile;
  const bool gpu = IsGpu(site.device);
  profile.thread_percents = gpu ? std::vector{30, 50, 100} : CpuPercents(site.cpus);
  profile.client_counts = gpu ? std::vector{1, 2, 4, 8} : std::vector{1, 2, 4};
  profile.padded = gpu;
  profile.device_memory_bytes = site.device.memory_bytes;
  for (const StageSpec& stage : cascade.stages) {
    StageCosts& costs = profile.stages.emplace_back();
    costs.buckets = stage.buckets;
    costs.input_bytes = InputBytes(cascade, stage);
  }
  return outline;
}

}  // namespace escan
