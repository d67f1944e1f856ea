#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "contracts/device.h"
#include "contracts/plan.h"
#include "escan/cascade.h"

namespace escan {

// The PEM files of a listener that speaks TLS; absolute paths.
struct TlsConfig {
  std::filesystem::path certificate;  // of the server, then those that lead to who signed it
  std::filesystem::path key;
  std::filesystem::path client_ca;  // who signs clients' certificates. Empty: they need none

  friend bool operator==(const TlsConfig&, const TlsConfig&) = default;
};

struct ServerConfig {
  std::string listen = "127.0.0.1:8001";
  std::string metrics = "127.0.0.1:8002";            // empty: no metrics port
  std::string admin = "unix:/run/escan/admin.sock";  // unix:PATH or a loopback ADDR:PORT
  std::optional<TlsConfig> tls;                      // of `listen`; absent: anyone can read along
  std::optional<TlsConfig> admin_tls;                // of `admin`, where that is ADDR:PORT
  std::filesystem::path clients;                     // who may ask; empty: everybody
  bool model_control = false;                        // clients may load and unload cascades

  friend bool operator==(const ServerConfig&, const ServerConfig&) = default;
};

// The Open Inference Protocol over HTTP.
struct HttpConfig {
  std::string listen;                      // empty: it is not served
  std::vector<std::string> allow_origins;  // of pages that browsers let ask; "*" is all

  friend bool operator==(const HttpConfig&, const HttpConfig&) = default;
};

// Who runs NVIDIA's MPS daemon on the GPUs among the devices.
struct MpsConfig {
  enum class Mode {
    kManaged,   // escand starts, checks, restarts and stops one of its own
    kExternal,  // one that runs already is joined, and left running
    kOff,       // nobody; worker processes take turns on a GPU
  };
  Mode mode = Mode::kManaged;
  // kManaged: absolute; holds the daemon's pipes and logs, used by no other. Empty: the server
  // chooses. kExternal: the daemon's pipe directory. Empty: CUDA's default.
  std::filesystem::path directory;

  friend bool operator==(const MpsConfig&, const MpsConfig&) = default;
};

std::string_view Name(MpsConfig::Mode mode);  // "managed", "external", "off"

struct ShutdownConfig {
  Duration grace = std::chrono::seconds(2);           // not ready, but still admitting
  Duration drain_timeout = std::chrono::seconds(30);  // for the requests inside
};

struct CascadeConfig {
  CascadeSpec spec;
  Plan plan;
  bool plan_is_auto = false;      // `plan` then is SafePlan()
  std::filesystem::path profile;  // absolute; empty: none
};

// A configuration file, checked and with every default filled in.
struct Config {
  ServerConfig server;
  HttpConfig http;
  std::vector<Device> devices;
  MpsConfig mps;
  std::filesystem::path cache;  // absolute; what workers found by trying. Empty: the server chooses
  ShutdownConfig shutdown;
  std::vector<CascadeConfig> cascades;
};

// Reads and validates a configuration. InvalidArgument has one line a mistake, all of them, each as
//   FILE:LINE: cascades[0].stages[1].exit.threshold: 1.7 is not in [0, 1]
// NotFound when the file does not exist. Model paths are relative to the file's folder and must
// exist. `gpus` are those of this machine: `auto` stands for all of them, or for the CPU where
// there is none, and a UUID must be among them.
absl::StatusOr<Config> LoadConfig(const std::filesystem::path& file,
                                  const std::vector<Device>& gpus = {});

// The same with `devices` in place of those that the file lists, whatever this machine has: for
// what runs nothing on them.
absl::StatusOr<Config> LoadConfigFor(const std::filesystem::path& file,
                                     const std::vector<Device>& devices);

// What a plan is about and is checked against.
struct PlanContext {
  const CascadeSpec& cascade;
  const std::vector<Device>& devices;
  MpsConfig::Mode mps = MpsConfig::Mode::kManaged;
};

// A plan alone, in the form of the configuration's `plan:`. `source` names it in messages.
absl::StatusOr<Plan> ParsePlan(std::string_view yaml, std::string_view source,
                               const PlanContext& context);

// One worker with the whole first device that hosts every stage; batches up to the largest bucket.
// What is served when no better plan is known.
Plan SafePlan(const CascadeSpec& cascade);

// YAML that LoadConfig and ParsePlan read back to equal values, on a machine with the same GPUs.
std::string ToYaml(const Config& config);
std::string ToYaml(const Plan& plan, const CascadeSpec& cascade);

}  // namespace escan
