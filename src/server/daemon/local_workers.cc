#include "server/daemon/local_workers.h"

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <optional>
#include <system_error>
#include <tuple>
#include <utility>

#include "absl/strings/str_cat.h"
#include "server/daemon/library_check.h"
#include "server/daemon/torch_locator.h"

namespace escan {
namespace {

bool Uses(const Config& config, Device::Kind kind) {
  return std::any_of(config.devices.begin(), config.devices.end(),
                     [kind](const Device& device) { return device.kind == kind; });
}

bool Runs(const std::filesystem::path& program) { return access(program.c_str(), X_OK) == 0; }

absl::StatusOr<WorkerCommand> CommandOf(const std::filesystem::path& program,
                                        const TorchOptions& torch) {
  if (!Runs(program)) {
    return absl::ErrnoToStatus(errno,
                               absl::StrCat("cannot run the worker program ", program.string()));
  }
  const absl::StatusOr<std::string> libraries = LibraryPathWithTorch(
      program, {.version = TorchVersion(), .option = torch.option, .variable = torch.variable},
      MissingLibraries);
  if (!libraries.ok()) return libraries.status();
  return WorkerCommand{.program = program,
                       .arguments = {},
                       .environment = {absl::StrCat("LD_LIBRARY_PATH=", *libraries)}};
}

// A folder for the pipes of an MPS daemon of this server's own.
std::filesystem::path DefaultMpsDirectory(const EnvironmentVariable& variable) {
  if (const std::string service = variable("RUNTIME_DIRECTORY"); !service.empty()) {
    return std::filesystem::path(service) / "mps";
  }
  if (const std::string user = variable("XDG_RUNTIME_DIR"); !user.empty()) {
    return std::filesystem::path(user) / "escan-mps";
  }
  return absl::StrCat("/tmp/escan-mps-", geteuid());
}

}  // namespace

std::string TorchVersion() { return ESCAN_TORCH_VERSION; }

absl::StatusOr<WorkerPrograms> FindWorkerPrograms(const std::string& worker) {
  std::error_code error;
  if (!worker.empty()) {
    const std::filesystem::path program = std::filesystem::absolute(worker, error);
    if (!error) return WorkerPrograms{.cpu = program, .gpu = program};
    return absl::ErrnoToStatus(error.value(),
                               absl::StrCat("cannot find the worker program ", worker));
  }
  constexpr char kSelf[] = "/proc/self/exe";
  const std::filesystem::path self = std::filesystem::read_symlink(kSelf, error);
  if (error) {
    return absl::ErrnoToStatus(error.value(),
                               absl::StrCat("cannot read ", kSelf, ", beside which workers are"));
  }
  return WorkerPrograms{.cpu = self.parent_path() / "escan-worker",
                        .gpu = self.parent_path() / "escan-worker-cuda"};
}

GpuList UsableGpus(const WorkerPrograms& programs, const EnvironmentVariable& variable) {
  const std::string visible = variable("CUDA_VISIBLE_DEVICES");
  GpuList gpus = ListGpus(visible.empty() ? std::nullopt : std::optional(visible));
  if (gpus.gpus.empty() || Runs(programs.gpu)) return gpus;
  gpus.missing.push_back(absl::StrCat("there is no ", programs.gpu.string(),
                                      ", which runs stages on a GPU: this build has none"));
  gpus.gpus.clear();
  return gpus;
}

absl::StatusOr<std::shared_ptr<MpsWorkerHost>> StartWorkerHost(const Config& config,
                                                               const WorkerPrograms& programs,
                                                               const TorchOptions& torch) {
  MpsWorkerHost::Options options{.devices = config.devices, .mps = config.mps};
  for (const auto& [kind, program, command] :
       {std::tuple(Device::Kind::kCpu, &programs.cpu, &options.cpu_command),
        std::tuple(Device::Kind::kGpu, &programs.gpu, &options.gpu_command)}) {
    if (!Uses(config, kind)) continue;
    absl::StatusOr<WorkerCommand> found = CommandOf(*program, torch);
    if (!found.ok()) return found.status();
    *command = *std::move(found);
  }
  if (options.mps.mode == MpsConfig::Mode::kManaged && options.mps.directory.empty()) {
    options.mps.directory = DefaultMpsDirectory(torch.variable);
  }
  absl::StatusOr<std::unique_ptr<MpsWorkerHost>> host = MpsWorkerHost::Start(std::move(options));
  if (!host.ok()) return host.status();
  return std::shared_ptr<MpsWorkerHost>(*std::move(host));
}

std::filesystem::path DefaultCache(const EnvironmentVariable& variable) {
  if (const std::string service = variable("CACHE_DIRECTORY"); !service.empty()) return service;
  if (const std::string user = variable("XDG_CACHE_HOME"); !user.empty()) {
    return std::filesystem::path(user) / "escan" / "gpu";
  }
  if (const std::string home = variable("HOME"); !home.empty()) {
    return std::filesystem::path(home) / ".cache" / "escan" / "gpu";
  }
  return {};
}

}  // namespace escan
