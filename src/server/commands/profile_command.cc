#include "server/commands/profile_command.h"

#include <unistd.h>

#include <algorithm>
#include <iostream>
#include <memory>
#include <system_error>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "config/files.h"
#include "config/profile_file.h"
#include "profiling/measurement_log.h"
#include "profiling/profiler.h"
#include "profiling/progress_display.h"
#include "server/commands/offline_command.h"
#include "supervision/cpu_quota.h"

namespace escan {
namespace {

absl::StatusOr<const CascadeSpec*> CascadeNamed(const Config& config, const std::string& model) {
  const std::vector<CascadeConfig>& cascades = config.cascades;
  if (model.empty() && cascades.size() == 1) return &cascades.front().spec;
  const auto found = std::ranges::find(
      cascades, model, [](const CascadeConfig& cascade) { return cascade.spec.name; });
  if (found != cascades.end()) return &found->spec;
  const std::string names = absl::StrJoin(
      cascades, ", ",
      [](std::string* out, const CascadeConfig& cascade) { out->append(cascade.spec.name); });
  return absl::InvalidArgumentError(
      model.empty() ? absl::StrCat("--model: expected one of ", names)
                    : absl::StrCat("--model: there is no '", model, "', expected one of ", names));
}

absl::StatusOr<Profile> Measure(const ProfileCommand& command, const CascadeSpec& cascade,
                                const MeasuredProfile& outline, MeasurementLog* log,
                                int signal_fd) {
  absl::StatusOr<std::shared_ptr<MpsWorkerHost>> host =
      StartWorkerHost(command.config, command.programs, command.torch);
  if (!host.ok()) return host.status();
  std::cerr << "profiling " << cascade.name << " on " << command.site.device.name << '\n';
  ProgressDisplay display(cascade, &std::cerr, isatty(STDERR_FILENO) != 0, Clock::now());
  const CpuBudget cpus = UsableCpuBudget();
  CascadeSpec measured = cascade;
  measured.verify_every = 0;  // a check takes a step that would be measured
  Profiler profiler(measured, outline, log,
                    {.engine = {.host = *host,
                                .devices = command.config.devices,
                                .cache = command.config.cache,
                                .cpus = cpus.cpus,
                                .pin_cpus = cpus.pinned},
                     .on_progress = [&display](const Profiler::Progress& progress) {
                       display.Show(progress, Clock::now());
                     }});
  const ReadableWatch watch(signal_fd, [&profiler] { profiler.Stop(); });
  return profiler.Run();
}

}  // namespace

absl::Status WriteProfile(ProfileCommand command, int signal_fd) {
  const absl::StatusOr<const CascadeSpec*> cascade = CascadeNamed(command.config, command.model);
  if (!cascade.ok()) return cascade.status();
  if (absl::Status status = CheckNobodyServes(command.config.server); !status.ok()) return status;
  command.config.devices.resize(1);
  absl::StatusOr<ProfileKey> key = KeyOf(**cascade, command.site);
  if (!key.ok()) return key.status();
  MeasuredProfile profile = ProfileOutline(**cascade, command.site, *std::move(key));
  absl::StatusOr<MeasurementLog> log =
      MeasurementLog::Open(absl::StrCat(command.file.string(), ".partial"), profile);
  if (!log.ok()) return log.status();
  absl::StatusOr<Profile> measured = Measure(command, **cascade, profile, &*log, signal_fd);
  if (absl::IsCancelled(measured.status())) {
    return absl::CancelledError(absl::StrCat(
        "interrupted; the same command goes on with what is in ", log->file().string()));
  }
  if (!measured.ok()) return measured.status();
  profile.profile = *std::move(measured);
  if (absl::Status status = ReplaceFile(command.file, ToJson(profile)); !status.ok()) return status;
  std::error_code ignored;  // a profile that is complete is found there the next time
  std::filesystem::remove(log->file(), ignored);
  return absl::OkStatus();
}

}  // namespace escan
