#include "mps/mps_worker_host.h"

#include <fcntl.h>
#include <poll.h>
#include <spdlog/spdlog.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "supervision/pidfd.h"

namespace escan {
namespace {

constexpr size_t kMostQueued = 1024;
constexpr Duration kListingPeriod = std::chrono::milliseconds(100);
constexpr size_t kMebibyte = size_t{1} << 20;
constexpr char kDefaultPipeDirectory[] = "/tmp/nvidia-mps";  // CUDA's

MpsControl::Directories ExternalDirectories(const MpsConfig& mps) {
  return {.pipe = mps.directory.empty() ? kDefaultPipeDirectory : mps.directory, .log = {}};
}

absl::StatusOr<std::unique_ptr<MpsService>> StartService(const MpsWorkerHost::Options& options) {
  std::vector<std::string> gpus;
  for (const Device& device : options.devices) {
    if (device.kind == Device::Kind::kGpu) gpus.push_back(device.uuid);
  }
  if (gpus.empty() || options.mps.mode == MpsConfig::Mode::kOff) return nullptr;
  std::unique_ptr<MpsDaemon> own;
  if (options.mps.mode == MpsConfig::Mode::kManaged) {
    auto daemon = MpsDaemon::Prepare({.program = options.control_program,
                                      .directory = options.mps.directory,
                                      .gpus = std::move(gpus),
                                      .times = options.times});
    if (!daemon.ok()) return daemon.status();
    own = *std::move(daemon);
  }
  MpsControl control = own != nullptr
                           ? own->control()
                           : MpsControl(options.control_program, ExternalDirectories(options.mps),
                                        options.times.command);
  auto service = std::make_unique<MpsService>(std::move(control), std::move(own), options.times);
  const absl::Status started = service->Start();
  if (!started.ok()) return started;
  return service;
}

// Of a GPU whose workers do not use MPS.
absl::Status CheckWhole(const Device& device, int seen) {
  if (device.multiprocessors == 0 || seen == device.multiprocessors) return absl::OkStatus();
  return absl::FailedPreconditionError(absl::StrCat(
      "the worker sees ", seen, " of the GPU's ", device.multiprocessors,
      " multiprocessors, expected all: it has joined an MPS daemon although MPS is off"));
}

timespec TimeUntil(TimePoint deadline) {
  const TimePoint now = Clock::now();
  const Duration left =
      std::min<Duration>(deadline > now ? deadline - now : Duration::zero(), std::chrono::hours(1));
  return {.tv_sec = static_cast<time_t>(left / std::chrono::seconds(1)),
          .tv_nsec = static_cast<long>((left % std::chrono::seconds(1)).count())};
}

}  // namespace

absl::StatusOr<std::unique_ptr<MpsWorkerHost>> MpsWorkerHost::Start(Options options) {
  UniqueFd wake_fd(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (!wake_fd) return absl::ErrnoToStatus(errno, "eventfd");
  absl::StatusOr<std::unique_ptr<MpsService>> service = StartService(options);
  if (!service.ok()) return service.status();
  return std::unique_ptr<MpsWorkerHost>(
      new MpsWorkerHost(std::move(options), *std::move(service), std::move(wake_fd)));
}

MpsWorkerHost::MpsWorkerHost(Options options, std::unique_ptr<MpsService> service, UniqueFd wake_fd)
    : options_(std::move(options)), service_(std::move(service)), wake_fd_(std::move(wake_fd)) {
  if (service_ == nullptr) return;
  Publish();
  thread_ = std::thread(&MpsWorkerHost::Run, this);
}

MpsWorkerHost::~MpsWorkerHost() {
  if (!thread_.joinable()) return;
  {
    const MutexLock lock(mutex_);
    stopping_ = true;
  }
  Wake();
  thread_.join();
}

const Device& MpsWorkerHost::DeviceOf(const WorkerGroup& role) const {
  return options_.devices.at(static_cast<size_t>(role.device));
}

bool MpsWorkerHost::UsesMps(const WorkerGroup& role) const {
  return service_ != nullptr && DeviceOf(role).kind == Device::Kind::kGpu;
}

absl::StatusOr<WorkerCommand> MpsWorkerHost::CommandFor(const WorkerGroup& role) {
  const Device& device = DeviceOf(role);
  if (device.kind == Device::Kind::kCpu) return options_.cpu_command;
  WorkerCommand command = options_.gpu_command;
  std::vector<std::string>& environment = command.environment;
  environment.push_back(absl::StrCat("CUDA_VISIBLE_DEVICES=", device.uuid));
  if (!UsesMps(role)) {
    // CUDA joins any daemon that answers in the pipe directory, and one may in the default one.
    environment.push_back("CUDA_MPS_PIPE_DIRECTORY=/dev/null");
    return command;
  }
  {
    const MutexLock lock(mutex_);
    if (!status_.running) return absl::UnavailableError(status_.reason);
  }
  for (std::string& variable : service_->directories().Environment()) {
    environment.push_back(std::move(variable));
  }
  environment.push_back(absl::StrCat("CUDA_MPS_ACTIVE_THREAD_PERCENTAGE=", role.thread_percent));
  if (role.memory_limit > 0) {
    const size_t mebibytes = (role.memory_limit + kMebibyte - 1) / kMebibyte;
    environment.push_back(absl::StrCat("CUDA_MPS_PINNED_DEVICE_MEM_LIMIT=0=", mebibytes, "M"));
  }
  return command;
}

void MpsWorkerHost::Kill(const WorkerProcess& process, const WorkerGroup& role) {
  if (!UsesMps(role)) return process.Kill();
  Ending ending{.pid = process.pid(),
                .pidfd = UniqueFd(::fcntl(process.pidfd(), F_DUPFD_CLOEXEC, 0))};
  if (!ending.pidfd) return process.Kill();
  {
    const MutexLock lock(mutex_);
    if (endings_.size() >= kMostQueued) return process.Kill();
    endings_.push_back(std::move(ending));
  }
  Wake();
}

void MpsWorkerHost::Verify(const WorkerProcess& process, const WorkerGroup& role,
                           int multiprocessors, Verified done) {
  const Device& device = DeviceOf(role);
  if (device.kind == Device::Kind::kCpu) return done(absl::OkStatus());
  if (multiprocessors == 0) {
    return done(absl::FailedPreconditionError("the worker does not see its GPU"));
  }
  if (!UsesMps(role)) return done(CheckWhole(device, multiprocessors));
  const MpsShare share{.thread_percent = role.thread_percent,
                       .multiprocessors = device.multiprocessors};
  const absl::Status status = share.Check(multiprocessors);
  if (!status.ok()) return done(status);
  Verification verification{
      .pid = process.pid(), .share = share, .seen = multiprocessors, .done = std::move(done)};
  bool full = false;
  {
    const MutexLock lock(mutex_);
    full = verifications_.size() >= kMostQueued;
    if (!full) verifications_.push_back(std::move(verification));
  }
  if (full) {
    return verification.done(absl::ResourceExhaustedError(
        absl::StrCat(kMostQueued, " workers are already being verified")));
  }
  Wake();
}

MpsStatus MpsWorkerHost::Status() const {
  const MutexLock lock(mutex_);
  return status_;
}

void MpsWorkerHost::OnRestart(std::function<void()> callback) {
  const MutexLock lock(callback_mutex_);
  on_restart_ = std::move(callback);
}

void MpsWorkerHost::EndStaleServers() {
  {
    const MutexLock lock(mutex_);
    end_stale_ = true;
  }
  Wake();
}

void MpsWorkerHost::Wake() const {
  const uint64_t one = 1;
  [[maybe_unused]] const ssize_t written = ::write(wake_fd_.get(), &one, sizeof(one));
}

// Kills come first: each is looked for again after anything that may have taken time.
void MpsWorkerHost::Run() {
  while (true) {
    Ending ending;
    if (TakeEnding(&ending)) {
      End(ending);
      continue;
    }
    bool stopping = false;
    bool end_stale = false;
    {
      const MutexLock lock(mutex_);
      stopping = stopping_;
      end_stale = std::exchange(end_stale_, false);
    }
    if (stopping) break;
    if (end_stale) service_->EndStaleServers();
    const bool back = service_->Tend(Clock::now());
    Publish();
    if (back) Announce();
    Verification verification;
    if (TakeDue(Clock::now(), &verification)) {
      Check(std::move(verification));
    } else {
      Sleep();
    }
  }
  CancelAll();
}

bool MpsWorkerHost::TakeEnding(Ending* ending) {
  const MutexLock lock(mutex_);
  if (endings_.empty()) return false;
  *ending = std::move(endings_.front());
  endings_.pop_front();
  return true;
}

bool MpsWorkerHost::TakeDue(TimePoint now, Verification* verification) {
  const MutexLock lock(mutex_);
  const auto due = std::find_if(verifications_.begin(), verifications_.end(),
                                [now](const Verification& v) { return v.due <= now; });
  if (due == verifications_.end()) return false;
  *verification = std::move(*due);
  verifications_.erase(due);
  return true;
}

void MpsWorkerHost::End(const Ending& ending) {
  const auto ended = [&] { return AwaitEnd(ending.pidfd.get(), TimePoint::min()); };
  if (ended()) return;
  if (service_->answers()) {
    const auto clients = service_->ListClients();
    for (const MpsService::Client& client : clients.value_or(std::vector<MpsService::Client>{})) {
      // The number may be another's by now: not while our process still has it.
      if (client.pid != ending.pid || ended()) continue;
      const absl::Status status = service_->Terminate(client);
      if (!status.ok()) {
        spdlog::warn("mps client not terminated pid={} reason=\"{}\"", client.pid,
                     std::string(status.message()));
      }
      break;
    }
  }
  SendSignal(ending.pidfd.get(), SIGKILL);
}

void MpsWorkerHost::Check(Verification verification) {
  const TimePoint now = Clock::now();
  if (verification.deadline == TimePoint::max()) {
    verification.deadline = now + options_.times.listing;
  }
  absl::Status status = FindClient(verification);
  if (status.ok() || now >= verification.deadline) {
    return verification.done(std::move(status));
  }
  verification.due = now + kListingPeriod;
  const MutexLock lock(mutex_);
  verifications_.push_back(std::move(verification));
}

absl::Status MpsWorkerHost::FindClient(const Verification& verification) {
  const absl::Status available = service_->availability();
  if (!available.ok()) return available;
  const auto clients = service_->ListClients();
  if (!clients.ok()) return absl::UnavailableError(clients.status().message());
  const auto is_it = [&](const MpsService::Client& c) { return c.pid == verification.pid; };
  if (std::any_of(clients->begin(), clients->end(), is_it)) {
    workers_are_listed_ = true;
    return absl::OkStatus();
  }
  // A daemon in another container numbers processes differently. There the share is proof enough:
  // nothing but MPS shows a process less than the whole GPU.
  const bool foreign = options_.mps.mode == MpsConfig::Mode::kExternal && !workers_are_listed_;
  if (foreign && !clients->empty() && verification.share.Proves(verification.seen)) {
    spdlog::debug("mps client not listed, but has its share pid={}", verification.pid);
    return absl::OkStatus();
  }
  const std::string pids =
      absl::StrJoin(*clients, ",", [](std::string* text, const MpsService::Client& client) {
        absl::StrAppend(text, client.pid);
      });
  return absl::FailedPreconditionError(absl::StrCat(
      "process ", verification.pid, " is no client of the MPS control daemon in ",
      service_->directories().pipe.string(), " (its clients: ", pids.empty() ? "none" : pids,
      "): the worker runs without MPS"));
}

void MpsWorkerHost::Publish() {
  const absl::Status availability = service_->availability();
  const MutexLock lock(mutex_);
  status_ = {.mode = options_.mps.mode,
             .running = availability.ok(),
             .reason = std::string(availability.message()),
             .servers = service_->servers(),
             .restarts = service_->restarts()};
}

void MpsWorkerHost::Announce() {
  const MutexLock lock(callback_mutex_);
  if (on_restart_) on_restart_();
}

void MpsWorkerHost::Sleep() {
  TimePoint deadline = service_->due();
  {
    const MutexLock lock(mutex_);
    for (const Verification& verification : verifications_) {
      deadline = std::min(deadline, verification.due);
    }
  }
  const timespec timeout = TimeUntil(deadline);
  std::array<pollfd, 2> waiting = {
      pollfd{.fd = wake_fd_.get(), .events = POLLIN, .revents = 0},
      pollfd{.fd = service_->end_fd(), .events = POLLIN, .revents = 0}};
  ::ppoll(waiting.data(), waiting.size(), &timeout, nullptr);
  uint64_t wakes = 0;
  [[maybe_unused]] const ssize_t size = ::read(wake_fd_.get(), &wakes, sizeof(wakes));
}

void MpsWorkerHost::CancelAll() {
  std::deque<Verification> verifications;
  {
    const MutexLock lock(mutex_);
    verifications.swap(verifications_);
  }
  for (const Verification& verification : verifications) {
    verification.done(absl::CancelledError("the server ends"));
  }
}

}  // namespace escan
