#include "server/profile_command.h"

#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <functional>
#include <iostream>
#include <memory>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "config/files.h"
#include "config/profile_file.h"
#include "ipc/unique_fd.h"
#include "profiling/measurement_log.h"
#include "profiling/profiler.h"
#include "profiling/progress_display.h"
#include "server/address_check.h"
#include "workers/cpu_share.h"

namespace escan {
namespace {

// Calls back, on a thread of its own, when `fd` can be read; at most once, and not after its end.
class Watch {
 public:
  Watch(int fd, std::function<void()> on_readable)
      : end_(eventfd(0, EFD_CLOEXEC)), thread_([this, fd, on_readable = std::move(on_readable)] {
          std::array<pollfd, 2> polled = {{{fd, POLLIN, 0}, {end_.get(), POLLIN, 0}}};
          while (poll(polled.data(), polled.size(), -1) < 0) {
          }
          if (polled[0].revents != 0) on_readable();
        }) {}
  ~Watch() {
    eventfd_write(end_.get(), 1);
    thread_.join();
  }

 private:
  const UniqueFd end_;
  std::thread thread_;
};

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

// Where one cannot listen for another reason than that somebody does, nobody is disturbed.
absl::Status CheckNobodyServes(const ServerConfig& server) {
  for (const std::string& address : {server.listen, server.admin, server.metrics}) {
    if (address.empty()) continue;
    const absl::Status status = CheckAddressIsFree(address);
    if (!absl::IsUnavailable(status) && !absl::IsAlreadyExists(status)) continue;
    return absl::UnavailableError(absl::StrCat(
        "a daemon serves there and would disturb the measurement: ", status.message()));
  }
  return absl::OkStatus();
}

absl::StatusOr<Profile> Measure(const ProfileCommand& command, const CascadeSpec& cascade,
                                const MeasuredProfile& outline, MeasurementLog* log,
                                int signal_fd) {
  absl::StatusOr<std::shared_ptr<MpsWorkerHost>> host =
      StartWorkerHost(command.config, command.programs, command.torch);
  if (!host.ok()) return host.status();
  std::cerr << "profiling " << cascade.name << " on " << command.site.device.name << '\n';
  ProgressDisplay display(cascade, &std::cerr, isatty(STDERR_FILENO) != 0, Clock::now());
  Profiler profiler(cascade, outline, log,
                    {.engine = {.host = *host,
                                .devices = command.config.devices,
                                .cache = command.config.cache,
                                .cpus = UsableCpus(),
                                .completer_threads = 2},
                     .on_progress = [&display](const Profiler::Progress& progress) {
                       display.Show(progress, Clock::now());
                     }});
  const Watch watch(signal_fd, [&profiler] { profiler.Stop(); });
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
