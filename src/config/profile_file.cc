#include "config/profile_file.h"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "config/files.h"
#include "config/mistakes.h"
#include "config/node_reader.h"
#include "config/stage_reader.h"

namespace escan {
namespace {

constexpr size_t kMaxShares = 100;
constexpr size_t kMaxClientCounts = 64;
constexpr int kMaxClients = 4096;
constexpr int64_t kMaxBytes = int64_t{1} << 50;
constexpr double kShortestUs = 1e-3;
constexpr double kLongestUs = 1e9;
constexpr double kSoftestKnee = 1;
constexpr double kSharpestKnee = 100;

std::string ListText(const std::vector<int>& list) {
  return absl::StrCat("[", absl::StrJoin(list, ", "), "]");
}

std::vector<int> ReadAscending(const NodeReader& node, size_t max_size, int max) {
  std::vector<int> list;
  for (const NodeReader& element : node.AsList(1, max_size)) {
    const std::optional<int> value = element.AsInt(1, max);
    if (!value.has_value()) continue;
    if (!list.empty() && *value <= list.back()) {
      element.AddMistake(
          absl::StrCat(*value, " follows ", list.back(), ", expected an ascending list"));
    }
    list.push_back(*value);
  }
  return list;
}

size_t ReadBytes(const NodeReader& node) {
  return static_cast<size_t>(node.AsInteger(0, kMaxBytes).value_or(0));
}

Device ReadProfiledDevice(const NodeReader& node, size_t* memory_bytes) {
  const MapReader map(node, {"kind", "name", "multiprocessors", "memory_bytes"});
  Device device;
  device.kind =
      map.Required("kind")
          .AsOneOf<Device::Kind>({{"cpu", Device::Kind::kCpu}, {"gpu", Device::Kind::kGpu}})
          .value_or(device.kind);
  device.name = map.Required("name").AsString().value_or("");
  device.multiprocessors = map["multiprocessors"].AsInt(0, 1 << 16).value_or(0);
  *memory_bytes = ReadBytes(map["memory_bytes"]);
  return device;
}

MapReader RootOf(const std::string& json, Mistakes* mistakes) {
  return MapReader(
      NodeReader::Parse(json, mistakes),
      {"device", "driver", "torch", "thread_percents", "refused_shares", "client_counts", "padded",
       "knee", "bus_bytes_per_s", "context_bytes", "stages"});
}

// Reads a profile's file. JSON is a part of YAML, so that configurations and profiles are read, and
// their mistakes named, by the same code.
class ProfileReader {
 public:
  ProfileReader(const MapReader& map, const CascadeSpec& cascade) : map_(map), cascade_(cascade) {}

  MeasuredProfile Read() {
    key().device = ReadProfiledDevice(map_.Required("device"), &profile().device_memory_bytes);
    key().driver = map_["driver"].AsString().value_or("");
    key().torch = map_["torch"].AsString().value_or("");
    ReadAxes();
    profile().padded = map_.Required("padded").AsBool().value_or(true);
    profile().knee =
        map_.Required("knee").AsNumber(kSoftestKnee, kSharpestKnee).value_or(kSoftestKnee);
    profile().bus_bytes_per_second = map_["bus_bytes_per_s"].AsNumber(0, 1e15).value_or(0);
    profile().context_bytes = ReadBytes(map_["context_bytes"]);
    const size_t count = cascade_.stages.size();
    const std::vector<NodeReader> stages = map_.Required("stages").AsList(count, count);
    for (size_t i = 0; i < stages.size(); ++i) ReadStageCosts(stages[i], cascade_.stages[i]);
    return std::move(measured_);
  }

 private:
  ProfileKey& key() { return measured_.key; }
  Profile& profile() { return measured_.profile; }

  void ReadAxes() {
    const NodeReader shares = map_.Required("thread_percents");
    profile().thread_percents = ReadAscending(shares, kMaxShares, 100);
    if (!profile().thread_percents.empty() && profile().thread_percents.back() != 100) {
      shares.AddMistake(
          absl::StrCat("the last is ", profile().thread_percents.back(), ", expected 100"));
    }
    for (const NodeReader& element : map_["refused_shares"].AsList(0, kMaxShares)) {
      const MapReader share(element, {"thread_percent", "reason"});
      profile().refused.push_back(
          {.thread_percent = share.Required("thread_percent").AsInt(1, 100).value_or(1),
           .reason = share.Required("reason").AsString().value_or("")});
    }
    const NodeReader counts = map_.Required("client_counts");
    profile().client_counts = ReadAscending(counts, kMaxClientCounts, kMaxClients);
    if (!profile().client_counts.empty() && profile().client_counts.front() != 1) {
      counts.AddMistake(
          absl::StrCat("the first is ", profile().client_counts.front(), ", expected 1"));
    }
  }

  void ReadStageCosts(const NodeReader& node, const StageSpec& stage) {
    const MapReader map(node, {"name", "model", "precision", "layout", "execution", "fallback",
                               "buckets", "step_us", "steady_step_us", "device_time_us", "way",
                               "input_bytes", "memory_bytes"});
    const NodeReader name = map.Required("name");
    StageKey& stage_key = key().stages.emplace_back();
    stage_key.name = name.AsString().value_or("");
    if (name.present() && stage_key.name != stage.name) {
      name.AddMistake(
          absl::StrCat(stage_key.name, " is not the cascade's stage, expected ", stage.name));
    }
    stage_key.model_hash = map["model"].AsString().value_or("");
    stage_key.gpu = ReadGpuOptions(map);
    StageCosts& costs = profile().stages.emplace_back();
    costs.buckets = ReadBuckets(map.Required("buckets"), stage);
    costs.step = ReadShares<std::vector<Seconds>>(
        map.Required("step_us"), [&](const NodeReader& share) { return ReadTimes(share, stage); });
    const NodeReader steady = map["steady_step_us"];
    costs.steady_step = costs.step;
    if (steady.present()) {
      costs.steady_step = ReadShares<std::vector<Seconds>>(
          steady, [&](const NodeReader& share) { return ReadTimes(share, stage); });
    }
    costs.device_time = ReadShares<std::vector<std::vector<Seconds>>>(
        map.Required("device_time_us"),
        [&](const NodeReader& share) { return ReadClients(share, stage); });
    const NodeReader way = map["way"];  // not in profiles of before
    if (way.present()) {
      costs.way = ReadShares<std::string>(
          way, [](const NodeReader& share) { return share.AsString().value_or(""); });
    }
    costs.input_bytes = ReadBytes(map["input_bytes"]);
    costs.memory_bytes = ReadBytes(map["memory_bytes"]);
  }

  std::vector<int> ReadBuckets(const NodeReader& node, const StageSpec& stage) {
    std::vector<int> buckets = ReadAscending(node, kMaxBatchRows, kMaxBatchRows);
    if (!buckets.empty() && buckets != stage.buckets) {
      node.AddMistake(absl::StrCat(ListText(buckets), " are not those of stage ", stage.name,
                                   ", expected ", ListText(stage.buckets)));
    }
    return buckets;
  }

  // An element for each share.
  template <typename T, typename ReadElement>
  std::vector<T> ReadShares(const NodeReader& node, ReadElement read) {
    std::vector<T> table;
    const size_t count = profile().thread_percents.size();
    if (count == 0) return table;
    for (const NodeReader& share : node.AsList(count, count)) table.push_back(read(share));
    return table;
  }

  // [clients][bucket]
  std::vector<std::vector<Seconds>> ReadClients(const NodeReader& node, const StageSpec& stage) {
    std::vector<std::vector<Seconds>> table;
    const size_t count = profile().client_counts.size();
    if (count == 0) return table;
    for (const NodeReader& clients : node.AsList(count, count)) {
      table.push_back(ReadTimes(clients, stage));
    }
    return table;
  }

  // [bucket]
  static std::vector<Seconds> ReadTimes(const NodeReader& node, const StageSpec& stage) {
    std::vector<Seconds> times;
    const size_t count = stage.buckets.size();
    for (const NodeReader& element : node.AsList(count, count)) {
      const double us = element.AsNumber(kShortestUs, kLongestUs).value_or(kShortestUs);
      times.push_back(Seconds(us / 1e6));
    }
    return times;
  }

  const MapReader map_;
  const CascadeSpec& cascade_;
  MeasuredProfile measured_;
};

}  // namespace

absl::StatusOr<MeasuredProfile> LoadProfile(const std::filesystem::path& file,
                                            const CascadeSpec& cascade) {
  const absl::StatusOr<std::string> json = ReadFile(file);
  if (!json.ok()) return json.status();
  Mistakes mistakes(file.string());
  MeasuredProfile profile = ProfileReader(RootOf(*json, &mistakes), cascade).Read();
  if (absl::Status status = mistakes.ToStatus(); !status.ok()) return status;
  return profile;
}

absl::StatusOr<Device> LoadProfiledDevice(const std::filesystem::path& file) {
  const absl::StatusOr<std::string> json = ReadFile(file);
  if (!json.ok()) return json.status();
  Mistakes mistakes(file.string());
  size_t memory_bytes = 0;
  Device device = ReadProfiledDevice(RootOf(*json, &mistakes).Required("device"), &memory_bytes);
  if (absl::Status status = mistakes.ToStatus(); !status.ok()) return status;
  return device;
}

}  // namespace escan
