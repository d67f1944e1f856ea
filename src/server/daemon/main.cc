#include <fcntl.h>
#include <signal.h>
#include <spdlog/sinks/stdout_color_sinks.h>
#include <spdlog/spdlog.h>
#include <sys/signalfd.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <cstdlib>
#include <iostream>
#include <memory>
#include <optional>
#include <string>

#include "config/address.h"
#include "config/config.h"
#include "process/standard_descriptors.h"
#include "server/commands/profile_command.h"
#include "server/commands/profile_notice.h"
#include "server/commands/verify_command.h"
#include "server/daemon/daemon.h"
#include "server/daemon/local_workers.h"
#include "server/listening/descriptor_budget.h"
#include "server/listening/grpc_listener.h"
#include "server/log/line_relay.h"
#include "server/log/log_sink.h"
#include "server/log/log_writer.h"
#include "supervision/cpu_quota.h"

namespace escan {
namespace {

constexpr int kWrongUse = 2;  // a mistake in the flags or in the configuration
constexpr int kFailed = 1;

// For the last lines to be taken; an end waits no longer for a reader that stands still.
constexpr Duration kFarewellToLog = std::chrono::seconds(1);

struct Flags {
  std::string config;
  std::optional<std::string> listen;
  std::optional<std::string> http;
  std::optional<std::string> metrics;
  std::optional<std::string> admin;
  bool check_config = false;
  bool load = false;
  bool verify = false;
  bool all_shares = false;
  std::string write_profile;
  std::string model;
  std::string log_level = "info";
  std::string worker;
  std::string torch;
};

void Declare(CLI::App& app, Flags* flags) {
  app.set_version_flag("--version", "escand " ESCAN_VERSION);
  app.add_option("--config", flags->config, "Configuration file")->required();
  app.add_option("--listen", flags->listen, "ADDR:PORT for clients, in place of server.listen");
  app.add_option("--http", flags->http,
                 "ADDR:PORT for clients over HTTP, or off, in place of http.listen");
  app.add_option("--metrics", flags->metrics,
                 "ADDR:PORT for Prometheus, or off, in place of server.metrics");
  app.add_option("--admin", flags->admin,
                 "unix:PATH or loopback ADDR:PORT for escanctl, in place of server.admin");
  CLI::Option* const check =
      app.add_flag("--check-config", flags->check_config,
                   "Validate the configuration, print it with all defaults, and exit");
  app.add_flag("--load", flags->load,
               "Also load every stage and compare what it answers, at the shares of the plans")
      ->needs(check);
  CLI::Option* const verify =
      app.add_flag("--verify", flags->verify,
                   "Serve nothing, but print which stages answer rightly on the first device, at "
                   "which shares, in "
                   "which way and how fast, and exit: with 1 where something is wrong");
  app.add_flag("--all-shares", flags->all_shares, "At all shares, not only those of the plans")
      ->needs(verify);
  CLI::Option* const profile = app.add_option(
      "--write-profile", flags->write_profile,
      "Serve nothing, but measure what a cascade's stages cost on the first device, write it to "
      "this file, and exit; takes minutes, and goes on where it was interrupted");
  app.add_option("--model", flags->model,
                 "The cascade that --write-profile measures, where there are several")
      ->needs(profile);
  app.add_option("--log-level", flags->log_level, "Least severe messages to log")
      ->check(CLI::IsMember({"debug", "info", "warn", "error"}))
      ->capture_default_str();
  app.add_option("--worker", flags->worker,
                 "Worker program [escan-worker or, for GPUs, escan-worker-cuda beside escand]");
  app.add_option(
      "--torch", flags->torch,
      "Folder with torch's libraries, where workers do not find them by themselves; also "
      "in ESCAN_TORCH [docs/installation.md says where they are looked for]");
  app.footer(
      "SIGTERM or SIGINT drains and ends the daemon; a second one ends it at once, with status 1. "
      "SIGHUP has it read its configuration again, as escanctl reload does.");
}

// Of the environment, which is read here only; empty where it is not set.
std::string Variable(const std::string& name) {
  const char* value = std::getenv(name.c_str());
  return value == nullptr ? "" : value;
}

// Replaces an address by the flag's. InvalidArgument naming the flag.
template <typename Parser>
absl::Status Override(const char* flag, const std::optional<std::string>& text, Parser parse,
                      std::string* address) {
  if (!text.has_value()) return absl::OkStatus();
  absl::StatusOr<std::string> parsed = parse(*text);
  if (!parsed.ok()) {
    return absl::InvalidArgumentError(std::string(flag) + ": " +
                                      std::string(parsed.status().message()));
  }
  *address = *std::move(parsed);
  return absl::OkStatus();
}

absl::StatusOr<Config> ReadConfig(const Flags& flags, const GpuList& gpus) {
  absl::StatusOr<Config> config = LoadConfig(flags.config, gpus.gpus);
  if (!config.ok()) return config;
  ServerConfig& server = config->server;
  absl::Status status = Override("--listen", flags.listen, ParseListenAddress, &server.listen);
  if (status.ok()) {
    status = Override("--http", flags.http, ParseOptionalAddress, &config->http.listen);
  }
  if (status.ok()) {
    status = Override("--metrics", flags.metrics, ParseOptionalAddress, &server.metrics);
  }
  if (status.ok()) status = Override("--admin", flags.admin, ParseAdminAddress, &server.admin);
  if (!status.ok()) return status;
  return config;
}

void SetUpLog(const std::string& level, spdlog::sink_ptr sink) {
  auto logger = std::make_shared<spdlog::logger>("escand", std::move(sink));
  logger->set_pattern("%Y-%m-%dT%H:%M:%S.%e%z %^%l%$ %v");
  logger->set_level(spdlog::level::from_str(level));
  spdlog::set_default_logger(std::move(logger));
  RouteLibraryLogs();
}

// Of what serves nobody, and so may wait for who reads the log. An engine tells each change of its
// plan, of which a measurement makes hundreds.
void SetUpCommandLog(const Flags& flags) {
  SetUpLog(flags.log_level == "info" ? "warn" : flags.log_level,
           std::make_shared<spdlog::sinks::stderr_color_sink_mt>());
}

int CannotStart(const absl::Status& status) {
  spdlog::error("cannot start reason=\"{}\"", std::string(status.message()));
  return kFailed;
}

void LogDevices(const Config& config, const GpuList& gpus) {
  for (const std::string& reason : gpus.missing) spdlog::warn("gpu missing reason=\"{}\"", reason);
  for (size_t i = 0; i < config.devices.size(); ++i) {
    const Device& device = config.devices[i];
    spdlog::info("device index={} name=\"{}\" uuid={} multiprocessors={} memory_mib={}", i,
                 device.name, device.uuid, device.multiprocessors, device.memory_bytes >> 20);
  }
}

// From here on the signals that end the daemon wait for who reads the descriptor. Threads inherit
// that, so it has to come before any is started, NVML's included. SIGHUP ends nothing; only what
// serves takes it.
UniqueFd TakeSignals(bool reloads) {
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGTERM);
  sigaddset(&signals, SIGINT);
  if (reloads) sigaddset(&signals, SIGHUP);
  sigprocmask(SIG_BLOCK, &signals, nullptr);
  signal(SIGPIPE, SIG_IGN);
  signal(SIGHUP, SIG_IGN);  // for the workers: a terminal that goes away is no reason to end
  return UniqueFd(signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK));
}

// Where this machine's profiles are measured. libtorch and the driver are those that workers use.
ProfilingSite SiteOf(const Config& config, const GpuList& gpus) {
  return {.device = config.devices.front(),
          .cpus = static_cast<int>(UsableCpuBudget().cpus.size()),
          .driver = gpus.driver_version,
          .torch = TorchVersion()};
}

// The profiles that hold here, by cascade. Tells what serving gains from one, where there is none.
Profiles LoadProfiles(const Flags& flags, const Config& config, const ProfilingSite& site) {
  Profiles profiles;
  for (const CascadeConfig& cascade : config.cascades) {
    CheckedProfile checked = CheckProfile(cascade, site);
    const std::string& model = cascade.spec.name;
    if (checked.profile.has_value()) profiles[model] = *std::move(checked.profile);
    const std::optional<ProfileNotice>& notice = checked.notice;
    if (!notice.has_value()) continue;
    if (notice->warning) {
      spdlog::warn("profile not used model={} reason=\"{}\"", model, notice->reason);
    } else {
      const std::string file =
          cascade.profile.empty() ? model + ".profile.json" : cascade.profile.string();
      spdlog::info(
          "safe plan served model={} reason=\"{}\" "
          "measure=\"escand --config {} --model {} --write-profile {}\"",
          model, notice->reason, flags.config, model, file);
    }
  }
  return profiles;
}

// What is in the file, and by the flags, now.
absl::StatusOr<Deployed> ReadAgain(const Flags& flags, const GpuList& gpus) {
  absl::StatusOr<Config> config = ReadConfig(flags, gpus);
  if (!config.ok()) return config.status();
  if (config->cache.empty()) config->cache = DefaultCache(Variable);
  Profiles profiles = LoadProfiles(flags, *config, SiteOf(*config, gpus));
  return Deployed{.config = *std::move(config), .profiles = std::move(profiles)};
}

int MeasureProfile(const Flags& flags, const WorkerPrograms& programs, const GpuList& gpus,
                   Config config, const UniqueFd& signal_fd) {
  SetUpCommandLog(flags);
  if (config.cache.empty()) config.cache = DefaultCache(Variable);
  const ProfilingSite site = SiteOf(config, gpus);
  const absl::Status status = WriteProfile({.config = std::move(config),
                                            .model = flags.model,
                                            .file = flags.write_profile,
                                            .site = site,
                                            .programs = programs,
                                            .torch = {.option = flags.torch, .variable = Variable}},
                                           signal_fd.get());
  if (status.ok()) return EXIT_SUCCESS;
  std::cerr << status.message() << '\n';
  return absl::IsInvalidArgument(status) ? kWrongUse : kFailed;
}

VerifyCommand VerificationOf(const Flags& flags, const WorkerPrograms& programs,
                             const GpuList& gpus, Config config) {
  SetUpCommandLog(flags);
  if (config.cache.empty()) config.cache = DefaultCache(Variable);
  Profiles profiles = LoadProfiles(flags, config, SiteOf(config, gpus));
  return {.config = std::move(config),
          .profiles = std::move(profiles),
          .all_shares = flags.all_shares,
          .programs = programs,
          .torch = {.option = flags.torch, .variable = Variable}};
}

int ExitStatusOf(const absl::Status& status) {
  if (status.ok()) return EXIT_SUCCESS;
  std::cerr << status.message() << '\n';
  return kFailed;
}

int ServeWithLog(const Flags& flags, const WorkerPrograms& programs, const GpuList& gpus,
                 Config config, const UniqueFd& signal_fd, LogWriter& log) {
  spdlog::info("escand version={} config={}", ESCAN_VERSION, flags.config);
  const DescriptorLimit descriptors = RaiseDescriptorLimit();
  spdlog::info("open files limit={} before={}", descriptors.now, descriptors.before);
  LogDevices(config, gpus);
  const Profiles profiles = LoadProfiles(flags, config, SiteOf(config, gpus));
  absl::StatusOr<std::shared_ptr<MpsWorkerHost>> host =
      StartWorkerHost(config, programs, {.option = flags.torch, .variable = Variable});
  if (!host.ok()) return CannotStart(host.status());
  const absl::StatusOr<std::unique_ptr<LineRelay>> relay =
      LineRelay::Start([&log](std::string line) { log.Write(std::move(line)); });
  if (!relay.ok()) return CannotStart(relay.status());
  if (config.cache.empty()) config.cache = DefaultCache(Variable);
  absl::StatusOr<std::unique_ptr<Daemon>> daemon =
      Daemon::Start({.config = std::move(config),
                     .profiles = profiles,
                     .read_again = [&flags, &gpus] { return ReadAgain(flags, gpus); },
                     .host = *host,
                     .mps = *host,
                     .descriptor_limit = descriptors.now,
                     .worker_output = (*relay)->write_end(),
                     .log_lines_lost = [&log] { return log.lines_lost(); },
                     .notify = [](const std::string& state) { sd_notify(0, state.c_str()); }});
  if (!daemon.ok()) return CannotStart(daemon.status());
  switch ((*daemon)->Run(signal_fd.get())) {
    case Daemon::Ending::kDrained:
      return EXIT_SUCCESS;
    case Daemon::Ending::kUnservable:
      return kFailed;
    case Daemon::Ending::kForced:
      break;
  }
  log.Flush(Clock::now() + kFarewellToLog);
  std::_Exit(kFailed);
}

int Serve(const Flags& flags, const WorkerPrograms& programs, const GpuList& gpus, Config config,
          const UniqueFd& signal_fd) {
  const auto log = std::make_shared<LogWriter>(UniqueFd(fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 0)));
  SetUpLog(flags.log_level, std::make_shared<LogSink>(log, isatty(STDERR_FILENO) != 0));
  const int status = ServeWithLog(flags, programs, gpus, std::move(config), signal_fd, *log);
  log->Flush(Clock::now() + kFarewellToLog);
  return status;
}

int Main(int argc, char** argv) {
  CLI::App app("Serves cascades of models over the Open Inference Protocol.");
  Flags flags;
  Declare(app, &flags);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? EXIT_SUCCESS : kWrongUse;
  }
  const absl::StatusOr<WorkerPrograms> programs = FindWorkerPrograms(flags.worker);
  if (!programs.ok()) {
    std::cerr << programs.status().message() << '\n';
    return kFailed;
  }
  const bool runs_workers = !flags.check_config || flags.load;
  const bool serves = !flags.check_config && !flags.verify && flags.write_profile.empty();
  const UniqueFd signal_fd = runs_workers ? TakeSignals(/*reloads=*/serves) : UniqueFd();
  const GpuList gpus = UsableGpus(*programs, Variable);
  absl::StatusOr<Config> config = ReadConfig(flags, gpus);
  if (!config.ok()) {
    std::cerr << config.status().message() << '\n';
    return kWrongUse;
  }
  if (flags.check_config) {
    std::cout << ToYaml(*config) << std::flush;
    if (!flags.load) return EXIT_SUCCESS;
    return ExitStatusOf(
        LoadAll(VerificationOf(flags, *programs, gpus, *std::move(config)), signal_fd.get()));
  }
  if (flags.verify) {
    return ExitStatusOf(Verify(VerificationOf(flags, *programs, gpus, *std::move(config)),
                               signal_fd.get(), std::cout));
  }
  if (!flags.write_profile.empty()) {
    return MeasureProfile(flags, *programs, gpus, *std::move(config), signal_fd);
  }
  return Serve(flags, *programs, gpus, *std::move(config), signal_fd);
}

}  // namespace
}  // namespace escan

int main(int argc, char** argv) {
  escan::OpenStandardDescriptors();
  return escan::Main(argc, argv);
}
