#include "server/daemon/daemon.h"

#include <poll.h>
#include <signal.h>
#include <spdlog/spdlog.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <limits>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "server/listening/address_check.h"
#include "server/listening/descriptor_budget.h"

namespace escan {
namespace {

// For the last answers to reach their clients once everything is answered.
constexpr Duration kFarewell = std::chrono::seconds(1);
// How long the end may take after the drain's time-out: workers are killed after a few seconds.
constexpr Duration kLongestEnd = std::chrono::seconds(15);
// Without a new call for this long, the clients have noticed that the server leaves.
constexpr Duration kQuiet = std::chrono::milliseconds(100);

int PollTimeout(TimePoint until) {
  if (until == TimePoint::max()) return -1;
  const auto left = std::chrono::ceil<std::chrono::milliseconds>(until - Clock::now());
  return static_cast<int>(std::clamp<int64_t>(left.count(), 0, std::numeric_limits<int>::max()));
}

bool IsGpu(const Device& device) { return device.kind == Device::Kind::kGpu; }

// The signal's number; 0: there is none.
int ReadSignal(int signal_fd) {
  signalfd_siginfo info{};
  if (read(signal_fd, &info, sizeof(info)) != sizeof(info)) return 0;
  spdlog::info("signal number={} sender_pid={}", info.ssi_signo, info.ssi_pid);
  return static_cast<int>(info.ssi_signo);
}

std::string ModelNames(const ServerState& state) {
  return absl::StrJoin(state.models(), ",", [](std::string* out, const auto& model) {
    absl::StrAppend(out, model->cascade().name);
  });
}

}  // namespace

absl::StatusOr<std::unique_ptr<Daemon>> Daemon::Start(Options options) {
  std::unique_ptr<Daemon> daemon(new Daemon(std::move(options)));
  if (!daemon->wake_fd_) return absl::ErrnoToStatus(errno, "cannot create an eventfd");
  if (absl::Status status = daemon->CheckAddresses(); !status.ok()) return status;
  if (absl::Status status = daemon->StartEngines(); !status.ok()) return status;
  if (absl::Status status = daemon->StartServers(); !status.ok()) return status;
  daemon->StartSelfProbe();
  return daemon;
}

Daemon::Daemon(Options options)
    : options_(std::move(options)), wake_fd_(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {}

Daemon::~Daemon() {
  self_probe_.reset();
  if (deployment_ != nullptr) deployment_->Stop();
  if (drain_thread_.joinable()) drain_thread_.join();
  if (options_.mps != nullptr) options_.mps->OnRestart(nullptr);
  if (deployment_ == nullptr) return;
  // Requests inside are answered before the servers that carry the answers go.
  for (const std::shared_ptr<ServedModel>& model : deployment_->Living()) model->engine->Stop();
}

absl::Status Daemon::CheckAddresses() const {
  const ServerConfig& config = options_.config.server;
  for (const std::string& address :
       {config.listen, options_.config.http.listen, config.admin, config.metrics}) {
    if (address.empty()) continue;
    if (absl::Status status = CheckAddressIsFree(address); !status.ok()) return status;
  }
  return absl::OkStatus();
}

absl::Status Daemon::StartEngines() {
  deployment_ = std::make_unique<Deployment>(
      Deployment::Options{.first = {.config = options_.config, .profiles = options_.profiles},
                          .read_again = options_.read_again,
                          .host = options_.host,
                          .worker_output = options_.worker_output,
                          .on_change = [this] { Wake(); },
                          .on_unservable =
                              [this](const std::string& model, const std::string& reason) {
                                if (unservable_.exchange(true)) return;
                                spdlog::error("cannot serve model={} reason=\"{}\"", model, reason);
                                Wake();
                              }});
  absl::StatusOr<ModelTable> models = deployment_->StartFirst();
  if (!models.ok()) return models.status();
  std::shared_ptr<ControlLoop> controller =
      MakeControlLoop(options_.config, options_.profiles, *models);
  state_ = std::make_unique<ServerState>(*std::move(models), ReporterOfMps(), std::move(controller),
                                         options_.log_lines_lost);
  if (options_.mps != nullptr) options_.mps->OnRestart([this] { RenewWorkersOnGpus(); });
  return deployment_->Serve(state_.get());
}

ChangeCascades Daemon::ChangesOfCascades() {
  return [deployment = deployment_.get()](CascadeChange change, ChangeDone done) {
    deployment->Begin(std::move(change), std::move(done));
  };
}

MpsReporter Daemon::ReporterOfMps() const {
  if (options_.mps == nullptr ||
      !std::any_of(options_.config.devices.begin(), options_.config.devices.end(), IsGpu)) {
    return nullptr;
  }
  return [mps = options_.mps] {
    const MpsStatus status = mps->Status();
    return MpsReport{.mode = status.mode,
                     .running = status.running,
                     .server_pids = status.servers,
                     .restarts = static_cast<uint64_t>(status.restarts),
                     .reason = status.reason};
  };
}

void Daemon::RenewWorkersOnGpus() {
  // Told of each renewal; the last one to be done ends the servers that nobody uses any more,
  // unless old workers stay because new ones could not be started.
  struct Renewals {
    explicit Renewals(std::shared_ptr<MpsWorkerHost> host) : mps(std::move(host)) {}
    ~Renewals() {
      if (all_done) mps->EndStaleServers();
    }
    const std::shared_ptr<MpsWorkerHost> mps;
    std::atomic<bool> all_done{true};
  };
  const auto renewals = std::make_shared<Renewals>(options_.mps);
  for (const std::shared_ptr<ServedModel>& model : deployment_->Living()) {
    for (size_t device = 0; device < options_.config.devices.size(); ++device) {
      if (!IsGpu(options_.config.devices[device])) continue;
      model->engine->RenewWorkers(static_cast<int>(device), [renewals](const absl::Status& status) {
        if (!status.ok()) renewals->all_done = false;
      });
    }
  }
}

absl::Status Daemon::StartServers() {
  const ServerConfig& config = options_.config.server;
  absl::StatusOr<std::unique_ptr<InferenceServer>> inference = InferenceServer::Start(
      state_.get(), {.listen = config.listen,
                     .tls = config.tls,
                     .descriptor_ceiling = ClientCeiling(options_.descriptor_limit),
                     .on_change = [this] { Wake(); },
                     .change_cascades = ChangesOfCascades()});
  if (!inference.ok()) return inference.status();
  inference_ = *std::move(inference);
  if (!options_.config.http.listen.empty()) {
    absl::StatusOr<std::unique_ptr<RestServer>> rest = RestServer::Start(
        state_.get(), options_.config.http, ClientCeiling(options_.descriptor_limit));
    if (!rest.ok()) return rest.status();
    rest_ = *std::move(rest);
    spdlog::info("http address={}", rest_->address());
  }
  absl::StatusOr<std::unique_ptr<AdminServer>> admin = AdminServer::Start(
      state_.get(), {.devices = options_.config.devices,
                     .address = config.admin,
                     .tls = config.admin_tls,
                     .descriptor_ceiling = OperatorCeiling(options_.descriptor_limit),
                     .request_drain =
                         [this] {
                           drain_requested_.store(true);
                           Wake();
                         },
                     .change_cascades = ChangesOfCascades()});
  if (!admin.ok()) return admin.status();
  admin_ = *std::move(admin);
  if (!config.metrics.empty()) {
    absl::StatusOr<std::unique_ptr<MetricsServer>> metrics =
        MetricsServer::Start(state_.get(), options_.config.devices, config.metrics,
                             OperatorCeiling(options_.descriptor_limit));
    if (!metrics.ok()) return metrics.status();
    metrics_ = *std::move(metrics);
    spdlog::info("metrics address={}", metrics_->address());
  }
  state_->controller()->Start();
  spdlog::info("admin address={}", admin_->address());
  spdlog::info("listening address={} models={}", inference_->address(), ModelNames(*state_));
  return absl::OkStatus();
}

void Daemon::StartSelfProbe() {
  SelfProbe::Options options;
  options.questions.push_back([this](TimePoint deadline) {
    return std::ranges::all_of(state_->models(), [deadline](const auto& model) {
      return model->engine->Answers(deadline);
    });
  });
  // A server that refuses connections, or leaves, says so itself.
  options.questions.push_back([this](TimePoint deadline) {
    return inference_->Answers(deadline) || !state_->accepting() ||
           state_->phase() != Phase::kServing;
  });
  options.on_round = [this](bool answered) {
    if (answered) options_.notify("WATCHDOG=1");
    if (state_->answering() == answered) return;
    state_->set_answering(answered);
    Wake();
  };
  self_probe_ = std::make_unique<SelfProbe>(std::move(options));
}

Daemon::Addresses Daemon::addresses() const {
  return {.inference = inference_->address(),
          .http = rest_ == nullptr ? "" : rest_->address(),
          .admin = admin_->address(),
          .metrics = metrics_ == nullptr ? "" : metrics_->address()};
}

Daemon::Ending Daemon::Run(int signal_fd) {
  PublishReadiness();
  int signals = 0;
  while (!drained_.load()) {
    const Phase phase = state_->phase();
    const bool leaving = phase == Phase::kLeaving;
    std::array<pollfd, 2> polled = {{{signal_fd, POLLIN, 0}, {wake_fd_.get(), POLLIN, 0}}};
    const TimePoint until = leaving ? leave_until_ : end_by_;
    poll(polled.data(), polled.size(), PollTimeout(until));
    if (polled[1].revents != 0) {
      eventfd_t ignored = 0;
      eventfd_read(wake_fd_.get(), &ignored);
    }
    const int signal = polled[0].revents == 0 ? 0 : ReadSignal(signal_fd);
    // What became of it is in the log.
    if (signal == SIGHUP) deployment_->Begin({}, [](const absl::StatusOr<ChangeReport>&) {});
    const bool signalled = signal != 0 && signal != SIGHUP;
    if (signalled && ++signals > 1) {
      spdlog::warn("ending at once");
      admin_->RemoveSocket();
      return Ending::kForced;
    }
    if (Clock::now() >= end_by_ && !drained_.load()) {
      spdlog::error("ending at once reason=\"the workers or the servers did not end in time\"");
      admin_->RemoveSocket();
      return Ending::kForced;
    }
    if (phase == Phase::kServing && unservable_.load()) return Ending::kUnservable;
    if (phase == Phase::kServing && (signalled || drain_requested_.load())) BeginLeaving();
    if (leaving && Clock::now() >= leave_until_) BeginDraining();
    PublishReadiness();
  }
  drain_thread_.join();
  spdlog::info("ended");
  return Ending::kDrained;
}

void Daemon::Wake() { eventfd_write(wake_fd_.get(), 1); }

void Daemon::PublishReadiness() {
  inference_->PublishHealth();
  if (state_->phase() != Phase::kServing) return;
  const std::string reason = state_->NotReadyReason();
  const std::string text = reason.empty() ? "ready" : absl::StrCat("not ready: ", reason);
  if (text == said_) return;
  said_ = text;
  spdlog::info("{}", reason.empty() ? "ready" : absl::StrCat("not_ready reason=\"", reason, "\""));
  // READY is sent once; what follows is a status.
  const bool first = reason.empty() && !was_ready_;
  was_ready_ = was_ready_ || reason.empty();
  options_.notify(absl::StrCat(first ? "READY=1\n" : "", "STATUS=", text));
}

void Daemon::BeginLeaving() {
  state_->set_phase(Phase::kLeaving);
  deployment_->Stop();
  state_->controller()->Stop();
  const Duration grace = deployment_->shutdown().grace;
  leave_until_ = Clock::now() + grace;
  spdlog::info("leaving grace_seconds={}", std::chrono::duration<double>(grace).count());
  options_.notify("STOPPING=1\nSTATUS=leaving: not ready, still admitting requests");
}

void Daemon::BeginDraining() {
  state_->set_phase(Phase::kDraining);
  options_.notify("STATUS=draining: answering the requests inside");
  inference_->DrainStreams();
  const TimePoint deadline = Clock::now() + deployment_->shutdown().drain_timeout;
  end_by_ = deadline + kLongestEnd;
  drain_thread_ = std::thread([this, deadline] {
    Drain(deadline);
    drained_.store(true);
    Wake();
  });
}

void Daemon::Drain(TimePoint deadline) {
  for (const std::shared_ptr<ServedModel>& model : deployment_->Living()) {
    const EngineStatus status = model->engine->Status();
    spdlog::info("draining model={} requests={}", model->cascade().name, status.requests);
    if (!model->engine->WaitUntilIdle(deadline)) {
      spdlog::warn("drain_timeout model={} requests={}", model->cascade().name,
                   model->engine->Status().requests);
    }
  }
  for (const std::shared_ptr<ServedModel>& model : deployment_->Living()) model->engine->Stop();
  const TimePoint end = Clock::now() + kFarewell;
  RefuseUntilQuiet(end - kFarewell / 2);
  if (rest_ != nullptr) rest_->Shutdown(end);
  inference_->Shutdown(end);
}

void Daemon::RefuseUntilQuiet(TimePoint deadline) const {
  TimePoint quiet = Clock::now() + kQuiet;
  while (Clock::now() < std::min(quiet, deadline)) {
    std::this_thread::sleep_until(std::min(quiet, deadline));
    quiet = std::max(quiet, state_->last_refusal() + kQuiet);
  }
}

}  // namespace escan
