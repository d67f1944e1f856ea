#include "config/config.h"

#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "config/address.h"
#include "config/cascade_reader.h"
#include "config/files.h"
#include "config/mistakes.h"
#include "config/node_reader.h"
#include "config/plan_reader.h"
#include "config/scalars.h"

namespace escan {
namespace {

constexpr size_t kMaxDevices = 64;
constexpr size_t kMaxCascades = 64;

// Port 0 is another one each time.
bool SamePort(const std::string& address, const std::string& other) {
  return address == other && !address.ends_with(":0");
}

ServerConfig ReadServer(const NodeReader& node) {
  const MapReader map(node, {"listen", "metrics", "admin"});
  ServerConfig server;
  server.listen = map["listen"].AsParsed(ParseListenAddress).value_or(server.listen);
  server.metrics = map["metrics"].AsParsed(ParseMetricsAddress).value_or(server.metrics);
  server.admin = map["admin"].AsParsed(ParseAdminAddress).value_or(server.admin);
  if (SamePort(server.metrics, server.listen)) {
    map["metrics"].AddMistake(absl::StrCat(server.metrics, " is taken by server.listen"));
  }
  if (SamePort(server.admin, server.listen) || SamePort(server.admin, server.metrics)) {
    map["admin"].AddMistake(
        absl::StrCat(server.admin, " is taken by server.listen or server.metrics"));
  }
  return server;
}

// One processor is all that `auto` finds, as is the only thing that can be named.
std::vector<Device> ReadDevices(const NodeReader& node) {
  std::vector<Device> devices;
  for (const NodeReader& element : node.AsList(1, kMaxDevices)) {
    const std::optional<std::string> name = element.AsString();
    if (!name.has_value()) continue;
    if (name->starts_with("GPU-")) {
      element.AddMistake(
          absl::StrCat(*name, ": this build has no GPU support, expected auto or cpu"));
    } else if (*name != "auto" && *name != "cpu") {
      element.AddMistake(absl::StrCat(*name, " is not a device, expected auto or cpu"));
    } else if (!devices.empty()) {
      element.AddMistake(absl::StrCat(*name, " is the device cpu, which is in the list already"));
    } else {
      devices.emplace_back();
    }
  }
  if (devices.empty()) devices.emplace_back();
  return devices;
}

MpsConfig::Mode ReadMps(const NodeReader& node) {
  return MapReader(node, {"mode"})["mode"]
      .AsOneOf<MpsConfig::Mode>({{"managed", MpsConfig::Mode::kManaged},
                                 {"external", MpsConfig::Mode::kExternal},
                                 {"off", MpsConfig::Mode::kOff}})
      .value_or(MpsConfig::Mode::kManaged);
}

ShutdownConfig ReadShutdown(const NodeReader& node) {
  const MapReader map(node, {"grace", "drain_timeout"});
  ShutdownConfig shutdown;
  shutdown.grace = map["grace"].AsParsed(ParseDuration).value_or(shutdown.grace);
  shutdown.drain_timeout =
      map["drain_timeout"].AsParsed(ParseDuration).value_or(shutdown.drain_timeout);
  return shutdown;
}

std::vector<CascadeConfig> ReadCascades(const NodeReader& node, const std::filesystem::path& folder,
                                        int device_count) {
  std::vector<CascadeConfig> cascades;
  for (const NodeReader& element : node.AsList(1, kMaxCascades)) {
    CascadeConfig cascade = ReadCascade(element, folder, device_count);
    for (const CascadeConfig& other : cascades) {
      if (!cascade.spec.name.empty() && other.spec.name == cascade.spec.name) {
        element.AddMistake(absl::StrCat("there is another cascade named ", cascade.spec.name));
        break;
      }
    }
    cascades.push_back(std::move(cascade));
  }
  return cascades;
}

}  // namespace

absl::StatusOr<Config> LoadConfig(const std::filesystem::path& file, const std::vector<Device>&) {
  const absl::StatusOr<std::string> yaml = ReadFile(file);
  if (!yaml.ok()) return yaml.status();
  Mistakes mistakes(file.string());
  const MapReader map(NodeReader::Parse(*yaml, &mistakes),
                      {"server", "devices", "mps", "shutdown", "cascades"});
  Config config;
  config.server = ReadServer(map["server"]);
  config.devices = ReadDevices(map["devices"]);
  config.mps.mode = ReadMps(map["mps"]);
  config.shutdown = ReadShutdown(map["shutdown"]);
  config.cascades = ReadCascades(map.Required("cascades"), file.parent_path(),
                                 static_cast<int>(config.devices.size()));
  if (absl::Status status = mistakes.ToStatus(); !status.ok()) return status;
  return config;
}

absl::StatusOr<Plan> ParsePlan(std::string_view yaml, std::string_view source,
                               const CascadeSpec& cascade, int device_count) {
  Mistakes mistakes{std::string(source)};
  Plan plan = ReadPlan(NodeReader::Parse(std::string(yaml), &mistakes), cascade, device_count);
  if (absl::Status status = mistakes.ToStatus(); !status.ok()) return status;
  return plan;
}

}  // namespace escan
