#include "server/deployment/configuration_changes.h"

#include <sys/stat.h>

#include <filesystem>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

namespace escan {
namespace {

std::string Text(const std::optional<TlsConfig>& tls) {
  if (!tls.has_value()) return "off";
  return absl::StrCat(tls->certificate.string(), " ", tls->key.string(), " ",
                      tls->client_ca.string());
}

std::string Text(const std::vector<Device>& devices) {
  return absl::StrJoin(devices, ",", [](std::string* out, const Device& device) {
    absl::StrAppend(out, device.kind == Device::Kind::kGpu ? device.uuid : device.name);
  });
}

std::string Text(const MpsConfig& mps) {
  return absl::StrCat(std::string(Name(mps.mode)), " ", mps.directory.string());
}

std::string Identity(const std::filesystem::path& file) {
  struct stat info {};
  if (file.empty() || stat(file.c_str(), &info) != 0) return "none";
  return absl::StrCat(info.st_dev, ":", info.st_ino, ":", info.st_size, ":", info.st_mtim.tv_sec,
                      ".", info.st_mtim.tv_nsec);
}

}  // namespace

absl::Status CheckTakesNoRestart(const Config& served, const Config& next) {
  std::vector<std::string> changes;
  const auto compare = [&](const char* key, const std::string& from, const std::string& to) {
    if (from == to) return;
    changes.push_back(
        absl::StrCat(key, ": changed from \"", from, "\" to \"", to, "\", which takes a restart"));
  };
  compare("server.listen", served.server.listen, next.server.listen);
  compare("server.metrics", served.server.metrics, next.server.metrics);
  compare("server.admin", served.server.admin, next.server.admin);
  compare("server.tls", Text(served.server.tls), Text(next.server.tls));
  compare("server.admin_tls", Text(served.server.admin_tls), Text(next.server.admin_tls));
  compare("devices", Text(served.devices), Text(next.devices));
  compare("mps", Text(served.mps), Text(next.mps));
  compare("cache", served.cache.string(), next.cache.string());
  if (changes.empty()) return absl::OkStatus();
  return absl::FailedPreconditionError(absl::StrJoin(changes, "\n"));
}

std::string Fingerprint(const CascadeConfig& cascade) {
  Config alone;
  alone.devices = {Device{}};
  alone.cascades = {cascade};
  std::string text = ToYaml(alone);
  for (const StageSpec& stage : cascade.spec.stages) {
    absl::StrAppend(&text, Identity(stage.model), "\n");
  }
  absl::StrAppend(&text, Identity(cascade.spec.probe), "\n", Identity(cascade.profile), "\n");
  return text;
}

absl::StatusOr<CascadeConfig> WithModels(CascadeConfig cascade,
                                         const std::map<std::string, std::string>& models) {
  for (const auto& [name, file] : models) {
    const std::optional<int> stage = cascade.spec.FindStage(name);
    if (!stage.has_value()) {
      return absl::InvalidArgumentError(
          absl::StrCat("cascade '", cascade.spec.name, "' has no stage '", name, "'"));
    }
    StageSpec& spec = cascade.spec.stages[static_cast<size_t>(*stage)];
    if (spec.executor == ExecutorKind::kNull) {
      return absl::InvalidArgumentError(absl::StrCat("stage '", name, "' has no model"));
    }
    spec.model = file;
  }
  return cascade;
}

}  // namespace escan
