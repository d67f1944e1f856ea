#include "server/deployment/version_factory.h"

#include <unistd.h>

#include <cerrno>
#include <utility>

#include "absl/strings/str_cat.h"
#include "supervision/cpu_quota.h"

namespace escan {

absl::Status VersionFactory::CheckPrograms(const CascadeConfig& cascade) const {
  for (const WorkerGroup& group : cascade.plan.workers) {
    const absl::StatusOr<WorkerCommand> command = options_.host->CommandFor(group);
    if (!command.ok()) return command.status();
    if (access(command->program.c_str(), X_OK) == 0) continue;
    return absl::ErrnoToStatus(
        errno, absl::StrCat("cannot run the worker program ", command->program.string()));
  }
  return absl::OkStatus();
}

absl::StatusOr<std::shared_ptr<ServedModel>> VersionFactory::Start(const CascadeConfig& cascade) {
  EngineOptions options;
  options.host = options_.host;
  options.devices = options_.devices;
  options.cache = options_.cache;
  CpuBudget cpus = UsableCpuBudget();
  options.cpus = std::move(cpus.cpus);
  options.pin_cpus = cpus.pinned;
  options.worker_output = options_.worker_output;
  const std::string& name = cascade.spec.name;
  absl::StatusOr<std::unique_ptr<Engine>> engine =
      Engine::Start(cascade.spec, cascade.plan, options);
  if (!engine.ok()) {
    return absl::Status(engine.status().code(),
                        absl::StrCat("cascade '", name, "': ", engine.status().message()));
  }
  return ModelKeeper::Keep(
      keeper_,
      std::make_unique<ServedModel>(cascade, *std::move(engine), std::to_string(++started_[name])));
}

}  // namespace escan
