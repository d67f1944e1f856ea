#include <cmath>
#include <string>
#include <vector>

#include "config/profile_file.h"
#include "nlohmann/json.hpp"

namespace escan {
namespace {

using Json = nlohmann::ordered_json;

Json Microseconds(Seconds time) { return std::round(time.count() * 1e9) / 1e3; }

template <typename T>
Json Microseconds(const std::vector<T>& table) {
  Json json = Json::array();
  for (const T& element : table) json.push_back(Microseconds(element));
  return json;
}

Json StageJson(const StageKey& key, const StageCosts& costs) {
  Json json = {{"name", key.name},
               {"model", key.model_hash},
               {"precision", Name(key.gpu.precision)},
               {"layout", Name(key.gpu.layout)},
               {"execution", Name(key.gpu.execution)},
               {"fallback", FallbackName(key.gpu)},
               {"buckets", costs.buckets},
               {"step_us", Microseconds(costs.step)},
               {"steady_step_us", Microseconds(costs.steady_step)},
               {"device_time_us", Microseconds(costs.device_time)},
               {"input_bytes", costs.input_bytes},
               {"memory_bytes", costs.memory_bytes}};
  if (!costs.way.empty()) json["way"] = costs.way;  // else of a profile of before
  return json;
}

Json RefusedJson(const Profile& profile) {
  Json json = Json::array();
  for (const RefusedShare& share : profile.refused) {
    json.push_back({{"thread_percent", share.thread_percent}, {"reason", share.reason}});
  }
  return json;
}

}  // namespace

std::string ToJson(const MeasuredProfile& measured) {
  const ProfileKey& key = measured.key;
  const Profile& profile = measured.profile;
  Json stages = Json::array();
  for (size_t i = 0; i < profile.stages.size(); ++i) {
    stages.push_back(StageJson(key.stages[i], profile.stages[i]));
  }
  const Json json = {{"device",
                      {{"kind", key.device.kind == Device::Kind::kGpu ? "gpu" : "cpu"},
                       {"name", key.device.name},
                       {"multiprocessors", key.device.multiprocessors},
                       {"memory_bytes", profile.device_memory_bytes}}},
                     {"driver", key.driver},
                     {"torch", key.torch},
                     {"thread_percents", profile.thread_percents},
                     {"refused_shares", RefusedJson(profile)},
                     {"client_counts", profile.client_counts},
                     {"padded", profile.padded},
                     {"knee", profile.knee},
                     {"bus_bytes_per_s", profile.bus_bytes_per_second},
                     {"context_bytes", profile.context_bytes},
                     {"stages", stages}};
  return json.dump(2) + "\n";
}

}  // namespace escan
