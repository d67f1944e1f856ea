#include <sched.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <iostream>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "supervision/worker_exit.h"
#include "worker/loop/confinement.h"
#include "worker/loop/daemon_watch.h"
#include "worker/loop/inheritance.h"
#include "worker/loop/make_executor.h"
#include "worker/loop/state_reporter.h"
#include "worker/loop/worker_log.h"
#include "worker/loop/worker_loop.h"
#include "worker/verification/score_diagnosis.h"

namespace escan {
namespace {

#ifdef ESCAN_WITH_CUDA
constexpr char kProgram[] = "escan-worker-cuda";
#else
constexpr char kProgram[] = "escan-worker";
#endif

enum ExitStatus {
  kStopped = 0,
  kEndedByError = 1,
  kUsage = 2,
  kUnservable = kUnservableExitStatus
};

// A worker that outlives its daemon ends itself within five seconds; this leaves one for noticing.
constexpr Duration kGraceWithoutDaemon = std::chrono::seconds(4);

// A stopped process does not see that its daemon is gone: the kernel wakes it then.
void WakeWhenTheDaemonDies() { ::prctl(PR_SET_PDEATHSIG, SIGCONT); }

// The daemon ends its workers over the socket; what a terminal or a service manager sends to the
// whole group is for the daemon.
void IgnoreSignals() {
  for (const int signal : {SIGINT, SIGTERM, SIGHUP, SIGPIPE}) ::signal(signal, SIG_IGN);
}

absl::Status RunOn(const std::vector<int>& cpus) {
  if (cpus.empty()) return absl::OkStatus();
  const auto largest = static_cast<size_t>(*std::max_element(cpus.begin(), cpus.end()));
  std::vector<cpu_set_t> mask(largest / CPU_SETSIZE + 1);
  const size_t bytes = mask.size() * sizeof(cpu_set_t);
  CPU_ZERO_S(bytes, mask.data());
  for (const int cpu : cpus) CPU_SET_S(static_cast<size_t>(cpu), bytes, mask.data());
  if (::sched_setaffinity(0, bytes, mask.data()) == 0) return absl::OkStatus();
  // No fault of the stages', whatever the system calls it.
  return absl::InternalError(
      absl::StrCat("cannot run on CPUs ", absl::StrJoin(cpus, ","), ": ", std::strerror(errno)));
}

// CUDA and MPS speak over sockets, so a worker on a GPU keeps them. A kernel that cannot confine is
// told of, and no reason not to serve.
void Confine(const WorkerSpec& spec) {
  absl::Status status = GiveUpPrivileges();
  if (status.ok() && spec.gpu.empty()) status = GiveUpNetworkAndPrograms();
  if (!status.ok()) {
    LogLine(absl::StrCat("event=not_confined cascade=", spec.cascade, " worker=", spec.worker,
                         " reason=\"", status.message(), "\""));
  }
}

// Serves until the end that WorkerLoop::Run() describes.
absl::Status Serve(const Inheritance& given, StateReporter& reporter) {
  absl::Status status = RunOn(given.spec.cpus);
  std::optional<Probes> probes;
  if (status.ok() && given.probes) {
    absl::StatusOr<Probes> made = MakeProbes(given.spec, *given.probes);
    status = made.status();
    if (made.ok()) probes = *std::move(made);
  }
  absl::StatusOr<std::unique_ptr<StageExecutor>> executor =
      status.ok() ? MakeExecutor(given.spec, given.slab, probes ? &*probes : nullptr) : status;
  if (!executor.ok()) {
    reporter.ReportFailure(executor.status()).IgnoreError();
    return executor.status();
  }
  // Not given back: the process ends. To take CUDA down costs time and, once the device is in
  // error, can hang.
  StageExecutor& running = *executor->release();
  ScoreWatch scores(given.spec.stages, given.slab, [&given](const std::string& fields) {
    LogLine(absl::StrCat(fields, " cascade=", given.spec.cascade, " worker=", given.spec.worker));
  });
  return WorkerLoop(given.spec, given.socket, running, reporter, scores).Run();
}

ExitStatus RunWorker() {
  const absl::StatusOr<Inheritance> given = TakeInheritance();
  if (absl::IsUnavailable(given.status())) {
    std::cerr << kProgram << " is started by escand, not by hand: " << given.status().message()
              << "\nRun with --help for more information.\n";
    return kUsage;
  }
  if (!given.ok()) {
    LogLine(absl::StrCat("event=failed reason=\"", given.status().message(), "\""));
    return kEndedByError;
  }
  IgnoreSignals();
  WakeWhenTheDaemonDies();
  const WorkerSpec& spec = given->spec;
  ::prctl(PR_SET_NAME, absl::StrCat("escan-worker-", spec.worker).c_str());
  const std::string label = absl::StrCat(" cascade=", spec.cascade, " worker=", spec.worker,
                                         " incarnation=", spec.incarnation);
  LogLine(absl::StrCat("event=started", label, " threads=", spec.threads,
                       " cpus=", absl::StrJoin(spec.cpus, ","), " gpu=", spec.gpu));

  Confine(spec);

  StateReporter reporter(given->socket, spec.incarnation);
  const DaemonWatch watch(
      given->socket.fd(),
      {.heartbeat_period = kHeartbeatInterval,
       .grace = kGraceWithoutDaemon,
       .heartbeat = [&] { reporter.Heartbeat().IgnoreError(); },
       .on_stuck =
           [&] {
             LogLine(absl::StrCat("event=ended", label, " reason=\"the daemon is gone\""));
             ::_exit(kEndedByError);
           }});
  const absl::Status status = Serve(*given, reporter);
  LogLine(absl::StrCat(absl::IsUnavailable(status) || status.ok() ? "event=ended" : "event=failed",
                       label, " reason=\"", status.ok() ? "told to stop" : status.message(), "\""));
  if (absl::IsInvalidArgument(status) || absl::IsNotFound(status)) return kUnservable;
  return status.ok() ? kStopped : kEndedByError;
}

}  // namespace
}  // namespace escan

int main(int argc, char** argv) {
  CLI::App app(
      "Runs stages of a cascade for escand, which starts it and hands it a socket, the samples'\n"
      "memory and a description of its stages. It is of no use by itself.",
      escan::kProgram);
  app.set_version_flag("--version", absl::StrCat(escan::kProgram, " " ESCAN_VERSION));
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : escan::kUsage;
  }
  // Not through exit(): the destructors of libtorch's tables take about a quarter of a second, and
  // give back what the end of the process gives back anyway.
  ::_exit(escan::RunWorker());
}
