#include "mps/gpu_list.h"

#include <algorithm>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "mps/nvml.h"

namespace escan {
namespace {

// The only GPU that `entry` of CUDA_VISIBLE_DEVICES names, or null.
const Device* FindNamed(const std::vector<Device>& gpus, const std::string& entry) {
  int index = 0;
  if (absl::SimpleAtoi(entry, &index)) {
    const bool exists = index >= 0 && static_cast<size_t>(index) < gpus.size();
    return exists ? &gpus[static_cast<size_t>(index)] : nullptr;
  }
  if (!entry.starts_with("GPU-")) return nullptr;
  const auto named = [&](const Device& gpu) { return gpu.uuid.starts_with(entry); };
  if (std::count_if(gpus.begin(), gpus.end(), named) != 1) return nullptr;
  return &*std::find_if(gpus.begin(), gpus.end(), named);
}

}  // namespace

GpuList SelectVisible(GpuList all, std::string_view visible) {
  GpuList list{.gpus = {}, .missing = std::move(all.missing), .driver_version = all.driver_version};
  const std::vector<std::string> entries = absl::StrSplit(std::string(visible), ',');
  for (const std::string& padded : entries) {
    const std::string entry(absl::StripAsciiWhitespace(padded));
    const Device* gpu = FindNamed(all.gpus, entry);
    if (gpu == nullptr || std::count(list.gpus.begin(), list.gpus.end(), *gpu) > 0) {
      list.missing.push_back(absl::StrCat("CUDA_VISIBLE_DEVICES=", std::string(visible), ": \"",
                                          entry, "\" is none of ", all.gpus.size(),
                                          " GPUs, or one for the second time"));
      break;
    }
    list.gpus.push_back(*gpu);
  }
  return list;
}

GpuList ListGpus(const std::optional<std::string>& visible, const std::string& library) {
  GpuList list;
  const absl::StatusOr<Nvml> nvml = Nvml::Load(library);
  if (!nvml.ok()) {
    if (!absl::IsNotFound(nvml.status())) list.missing.emplace_back(nvml.status().message());
    return list;
  }
  list.driver_version = nvml->DriverVersion();
  const absl::StatusOr<unsigned> count = nvml->DeviceCount();
  if (!count.ok()) list.missing.emplace_back(count.status().message());
  for (unsigned index = 0; index < count.value_or(0); ++index) {
    absl::StatusOr<Device> gpu = nvml->DeviceAt(index);
    if (gpu.ok()) {
      list.gpus.push_back(*std::move(gpu));
    } else {
      list.missing.push_back(
          absl::StrCat("GPU ", index, ": ", std::string(gpu.status().message())));
    }
  }
  return visible ? SelectVisible(std::move(list), *visible) : list;
}

}  // namespace escan
