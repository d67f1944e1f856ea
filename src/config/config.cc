#include "config/config.h"

#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "config/address.h"
#include "config/cascade_reader.h"
#include "config/clients_file.h"
#include "config/device_reader.h"
#include "config/files.h"
#include "config/http_reader.h"
#include "config/mistakes.h"
#include "config/node_reader.h"
#include "config/plan_reader.h"
#include "config/scalars.h"
#include "config/tls_reader.h"

namespace escan {
namespace {

constexpr size_t kMaxCascades = 64;

// Port 0 is another one each time.
bool SamePort(const std::string& address, const std::string& other) {
  return address == other && !address.ends_with(":0");
}

ServerConfig ReadServer(const NodeReader& node, const std::filesystem::path& folder) {
  const MapReader map(
      node, {"listen", "metrics", "admin", "tls", "admin_tls", "clients", "model_control"});
  ServerConfig server;
  server.listen = map["listen"].AsParsed(ParseListenAddress).value_or(server.listen);
  server.metrics = map["metrics"].AsParsed(ParseOptionalAddress).value_or(server.metrics);
  server.admin = map["admin"].AsParsed(ParseAdminAddress).value_or(server.admin);
  if (SamePort(server.metrics, server.listen)) {
    map["metrics"].AddMistake(absl::StrCat(server.metrics, " is taken by server.listen"));
  }
  if (SamePort(server.admin, server.listen) || SamePort(server.admin, server.metrics)) {
    map["admin"].AddMistake(
        absl::StrCat(server.admin, " is taken by server.listen or server.metrics"));
  }
  server.tls = ReadTls(map["tls"], folder);
  server.admin_tls = ReadTls(map["admin_tls"], folder);
  if (server.admin_tls.has_value() && UnixPathOf(server.admin).has_value()) {
    map["admin_tls"].AddMistake(absl::StrCat("is for an admin address ADDR:PORT: ", server.admin,
                                             " is protected by the permissions of its file"));
  }
  server.clients = map["clients"].AsPath(folder).value_or("");
  if (!server.clients.empty()) {
    const absl::StatusOr<std::vector<ClientConfig>> clients = LoadClients(server.clients);
    if (!clients.ok()) map["clients"].AddMistake(std::string(clients.status().message()));
  }
  server.model_control = map["model_control"].AsBool().value_or(server.model_control);
  return server;
}

MpsConfig ReadMps(const NodeReader& node, const std::filesystem::path& folder) {
  const MapReader map(node, {"mode", "directory"});
  MpsConfig mps;
  mps.mode = map["mode"]
                 .AsOneOf({Named(MpsConfig::Mode::kManaged), Named(MpsConfig::Mode::kExternal),
                           Named(MpsConfig::Mode::kOff)})
                 .value_or(mps.mode);
  mps.directory = map["directory"].AsPath(folder).value_or("");
  if (mps.mode == MpsConfig::Mode::kOff && map["directory"].present()) {
    map["directory"].AddMistake("is not used where mode is off");
  }
  return mps;
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
                                        const std::vector<Device>& devices, MpsConfig::Mode mps) {
  std::vector<CascadeConfig> cascades;
  for (const NodeReader& element : node.AsList(1, kMaxCascades)) {
    CascadeConfig cascade = ReadCascade(element, folder, devices, mps);
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

// `read_devices` answers the devices of a configuration for the value of its key.
template <typename ReadDevices>
absl::StatusOr<Config> Load(const std::filesystem::path& file, ReadDevices read_devices) {
  const absl::StatusOr<std::string> yaml = ReadFile(file);
  if (!yaml.ok()) return yaml.status();
  Mistakes mistakes(file.string());
  const MapReader map(NodeReader::Parse(*yaml, &mistakes),
                      {"server", "http", "devices", "mps", "cache", "shutdown", "cascades"});
  const std::filesystem::path folder = file.parent_path();
  Config config;
  config.server = ReadServer(map["server"], folder);
  config.http = ReadHttp(map["http"], config.server);
  config.devices = read_devices(map["devices"]);
  config.mps = ReadMps(map["mps"], folder);
  config.cache = map["cache"].AsPath(folder).value_or("");
  config.shutdown = ReadShutdown(map["shutdown"]);
  config.cascades = ReadCascades(map.Required("cascades"), folder, config.devices, config.mps.mode);
  if (absl::Status status = mistakes.ToStatus(); !status.ok()) return status;
  return config;
}

}  // namespace

std::string_view Name(MpsConfig::Mode mode) {
  switch (mode) {
    case MpsConfig::Mode::kManaged:
      return "managed";
    case MpsConfig::Mode::kExternal:
      return "external";
    case MpsConfig::Mode::kOff:
      return "off";
  }
  return "";
}

absl::StatusOr<Config> LoadConfig(const std::filesystem::path& file,
                                  const std::vector<Device>& gpus) {
  return Load(file, [&](const NodeReader& node) { return ReadDevices(node, gpus); });
}

absl::StatusOr<Config> LoadConfigFor(const std::filesystem::path& file,
                                     const std::vector<Device>& devices) {
  return Load(file, [&](const NodeReader&) { return devices; });
}

absl::StatusOr<Plan> ParsePlan(std::string_view yaml, std::string_view source,
                               const PlanContext& context) {
  Mistakes mistakes{std::string(source)};
  Plan plan = ReadPlan(NodeReader::Parse(std::string(yaml), &mistakes), context);
  if (absl::Status status = mistakes.ToStatus(); !status.ok()) return status;
  return plan;
}

}  // namespace escan
