#include "mps/mps_daemon.h"

#include <fcntl.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <fstream>
#include <iterator>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

namespace escan {
namespace {

constexpr char kControlName[] = "nvidia-cuda-mps-control";
constexpr char kServerName[] = "nvidia-cuda-mps-server";
constexpr char kPidFile[] = "nvidia-cuda-mps-control.pid";  // among the pipes
constexpr size_t kOutputTail = 500;                         // bytes that an error cites

std::string PipeVariable(const MpsDirectory& directory) {
  return absl::StrCat("CUDA_MPS_PIPE_DIRECTORY=", directory.paths().pipe.string());
}

// The process that the daemon's own pid file names, unless that number has another owner by now.
std::optional<ForeignProcess> FromPidFile(const MpsDirectory& directory) {
  pid_t pid = 0;
  if (!(std::ifstream(directory.paths().pipe / kPidFile) >> pid)) return std::nullopt;
  std::optional<ForeignProcess> process = ForeignProcess::Find(pid, kControlName);
  if (!process) return std::nullopt;
  const auto environment = process->Environment();
  const bool serves_others =
      environment && std::find(environment->begin(), environment->end(), PipeVariable(directory)) ==
                         environment->end();
  if (serves_others) return std::nullopt;
  return process;
}

std::string PidsOf(const std::vector<ForeignProcess>& processes) {
  return absl::StrJoin(processes, ",", [](std::string* text, const ForeignProcess& process) {
    absl::StrAppend(text, process.pid());
  });
}

// Gives all `patience` together to end by themselves, then ends them.
void AwaitOrEnd(const std::vector<ForeignProcess>& processes, Duration patience) {
  const TimePoint deadline = Clock::now() + patience;
  for (const ForeignProcess& process : processes) {
    if (!process.AwaitEnd(deadline)) process.End(patience);
  }
}

}  // namespace

absl::StatusOr<std::unique_ptr<MpsDaemon>> MpsDaemon::Prepare(Options options) {
  absl::StatusOr<MpsDirectory> directory = MpsDirectory::Acquire(options.directory);
  if (!directory.ok()) return directory.status();
  std::unique_ptr<MpsDaemon> daemon(new MpsDaemon(std::move(options), *std::move(directory)));
  const absl::Status status = daemon->EndLeftover();
  if (!status.ok()) return status;
  return daemon;
}

MpsDaemon::MpsDaemon(Options options, MpsDirectory directory)
    : options_(std::move(options)), directory_(std::move(directory)) {}

MpsDaemon::~MpsDaemon() { Stop(); }

MpsControl MpsDaemon::control() const {
  return MpsControl(options_.program, directory_.paths(), options_.times.command);
}

absl::Status MpsDaemon::EndLeftover() {
  std::vector<ForeignProcess> controls =
      ForeignProcess::FindAll(kControlName, PipeVariable(directory_));
  if (auto named = FromPidFile(directory_)) controls.push_back(*std::move(named));
  const std::vector<ForeignProcess> servers =
      ForeignProcess::FindAll(kServerName, PipeVariable(directory_));
  const bool answers = control().Servers().ok();
  if (controls.empty() && servers.empty() && !answers) return absl::OkStatus();

  spdlog::warn("mps leftover directory={} control_pids={} server_pids={} answers={}",
               directory_.root().string(), PidsOf(controls), PidsOf(servers), answers);
  if (answers) {
    const absl::Status quit = control().Quit();
    if (!quit.ok()) spdlog::warn("mps quit failed reason=\"{}\"", std::string(quit.message()));
  }
  AwaitOrEnd(controls, options_.times.stop);
  AwaitOrEnd(servers, options_.times.stop);
  if (!control().Servers().ok()) return absl::OkStatus();
  return absl::FailedPreconditionError(
      absl::StrCat("mps: a control daemon that this server did not start answers in ",
                   directory_.paths().pipe.string(), " and does not end when it is asked to"));
}

absl::Status MpsDaemon::Spawn() {
  const absl::Status cleared = directory_.ClearPipes();
  if (!cleared.ok()) return cleared;
  const std::filesystem::path path = directory_.paths().log / "output";
  const UniqueFd output(
      ::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_APPEND | O_CLOEXEC, 0600));
  if (!output) return absl::ErrnoToStatus(errno, path.string());
  std::vector<std::string> environment = directory_.paths().Environment();
  environment.push_back(absl::StrCat("CUDA_VISIBLE_DEVICES=", absl::StrJoin(options_.gpus, ",")));
  absl::StatusOr<ChildProcess> process =
      ChildProcess::Spawn({.path = options_.program,
                           .arguments = {"-f"},
                           .environment = std::move(environment),
                           .descriptors = {std::nullopt, output.get(), output.get()}});
  if (!process.ok()) return process.status();
  process_ = *std::move(process);
  spdlog::info("mps starting pid={} directory={}", process_->pid(), directory_.root().string());
  return absl::OkStatus();
}

std::optional<std::string> MpsDaemon::TakeEnd() {
  if (!process_) return std::nullopt;
  const std::optional<ProcessExit> exit = process_->Reap();
  if (!exit) return std::nullopt;
  process_.reset();
  for (ForeignProcess& server : FindServers()) stale_.push_back(std::move(server));
  return absl::StrCat(exit->ToString(), ", it said \"", Output(), "\"");
}

void MpsDaemon::Kill() const {
  if (process_) process_->Signal(SIGKILL);
}

void MpsDaemon::Remember(const std::vector<pid_t>& servers) {
  std::erase_if(servers_, [](const ForeignProcess& server) { return server.ended(); });
  for (const pid_t pid : servers) {
    const auto known = [&](const ForeignProcess& server) { return server.pid() == pid; };
    if (std::any_of(servers_.begin(), servers_.end(), known)) continue;
    auto server = ForeignProcess::Find(pid, kServerName);
    if (server) servers_.push_back(*std::move(server));
  }
}

void MpsDaemon::EndStaleServers() {
  for (const ForeignProcess& server : std::exchange(stale_, {})) {
    if (server.ended()) continue;
    spdlog::info("mps stale server ends pid={}", server.pid());
    server.End(options_.times.command);
  }
}

// All that live and are not known to be stale; none is known after this.
std::vector<ForeignProcess> MpsDaemon::FindServers() {
  std::vector<ForeignProcess> servers = std::exchange(servers_, {});
  std::erase_if(servers, [](const ForeignProcess& server) { return server.ended(); });
  for (ForeignProcess& found : ForeignProcess::FindAll(kServerName, PipeVariable(directory_))) {
    const auto same = [&](const ForeignProcess& server) { return server.pid() == found.pid(); };
    if (std::any_of(servers.begin(), servers.end(), same)) continue;
    if (std::any_of(stale_.begin(), stale_.end(), same)) continue;
    servers.push_back(std::move(found));
  }
  return servers;
}

std::string MpsDaemon::Output() const {
  std::ifstream file(directory_.paths().log / "output");
  const std::string text{std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
  return std::string(
      absl::StripAsciiWhitespace(text.substr(text.size() - std::min(text.size(), kOutputTail))));
}

void MpsDaemon::Stop() {
  if (process_) {
    const absl::Status quit = control().Quit();
    if (!quit.ok()) spdlog::warn("mps quit failed reason=\"{}\"", std::string(quit.message()));
    if (quit.ok() && process_->AwaitEnd(Clock::now() + options_.times.stop)) {
      spdlog::info("mps stopped pid={}", process_->pid());
    } else {
      spdlog::warn("mps killed pid={}", process_->pid());
    }
    process_.reset();
  }
  for (ForeignProcess& server : FindServers()) stale_.push_back(std::move(server));
  EndStaleServers();
}

}  // namespace escan
