#include "config/device_reader.h"

#include <algorithm>
#include <cstddef>
#include <optional>
#include <string>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

namespace escan {
namespace {

constexpr size_t kMaxDevices = 64;
constexpr char kUuidPrefix[] = "GPU-";
// As much of a UUID as may stand for the whole: GPU- and 8 digits.
constexpr size_t kShortestUuid = 12;

std::vector<Device> AllDevices(const std::vector<Device>& gpus) {
  return gpus.empty() ? std::vector<Device>{Device{}} : gpus;
}

std::string Names(const std::vector<Device>& gpus) {
  return absl::StrJoin(gpus, ", ", [](std::string* out, const Device& gpu) {
    absl::StrAppend(out, gpu.uuid, " (", gpu.name, ")");
  });
}

std::optional<Device> FindGpu(const NodeReader& node, const std::string& uuid,
                              const std::vector<Device>& gpus) {
  if (uuid.size() < kShortestUuid) {
    node.AddMistake(absl::StrCat(uuid, " is too short for the UUID of a GPU, expected ",
                                 kUuidPrefix, " and at least 8 hexadecimal digits"));
    return std::nullopt;
  }
  std::vector<Device> found;
  std::copy_if(gpus.begin(), gpus.end(), std::back_inserter(found),
               [&](const Device& gpu) { return gpu.uuid.starts_with(uuid); });
  if (found.size() == 1) return found.front();
  if (gpus.empty()) {
    node.AddMistake(absl::StrCat("there is no GPU ", uuid, ": none was found on this machine"));
  } else if (found.empty()) {
    node.AddMistake(absl::StrCat("there is no GPU ", uuid, ", expected one of ", Names(gpus)));
  } else {
    node.AddMistake(absl::StrCat(uuid, " stands for several GPUs, expected one of ", Names(found)));
  }
  return std::nullopt;
}

// One element of a list; `auto` is one only where the list has others too.
std::optional<Device> ReadDevice(const NodeReader& node, const std::vector<Device>& gpus) {
  const std::optional<std::string> name = node.AsString();
  if (!name.has_value()) return std::nullopt;
  if (name == "cpu") return Device{};
  if (name->starts_with(kUuidPrefix)) return FindGpu(node, *name, gpus);
  if (name == "auto") {
    node.AddMistake("auto stands for all devices, expected it to be alone in the list");
  } else {
    node.AddMistake(absl::StrCat(*name, " is not a device, expected auto, cpu or the UUID of a ",
                                 "GPU (", kUuidPrefix, "...)"));
  }
  return std::nullopt;
}

}  // namespace

std::vector<Device> ReadDevices(const NodeReader& node, const std::vector<Device>& gpus) {
  const std::vector<NodeReader> elements = node.AsList(1, kMaxDevices);
  if (elements.empty()) return AllDevices(gpus);
  if (elements.size() == 1 && elements[0].Is("auto")) return AllDevices(gpus);
  std::vector<Device> devices;
  for (const NodeReader& element : elements) {
    const std::optional<Device> device = ReadDevice(element, gpus);
    if (device.has_value() && std::find(devices.begin(), devices.end(), *device) != devices.end()) {
      element.AddMistake(absl::StrCat(device->uuid.empty() ? device->name : device->uuid,
                                      " is in the list already"));
    }
    devices.push_back(device.value_or(Device{.kind = Device::Kind::kGpu}));
  }
  return devices;
}

}  // namespace escan
