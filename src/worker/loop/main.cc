#include <sys/prctl.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <csignal>
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
#include "worker/loop/low_priority.h"
#include "worker/loop/make_executor.h"
#include "worker/loop/state_reporter.h"
#include "worker/loop/worker_log.h"
#include "worker/loop/worker_loop.h"
#include "worker/verification/score_diagnosis.h"
#ifdef ESCAN_WITH_TORCH
#include "worker/torch/compiled_function.h"
#endif

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

// What a worker needs to serve. Never given back: the process ends. To take CUDA down costs time
// and, once the device is in error, can hang.
struct Serving {
  std::optional<Probes> probes;
  std::unique_ptr<StageExecutor> executor;
  std::unique_ptr<ScoreWatch> scores;
  std::unique_ptr<WorkerLoop> loop;
};

absl::Status MakeLoop(const Inheritance& given, StateReporter& reporter, Serving& serving) {
  const WorkerSpec& spec = given.spec;
  if (given.probes) {
    absl::StatusOr<Probes> probes = MakeProbes(spec, *given.probes);
    if (!probes.ok()) return probes.status();
    serving.probes = *std::move(probes);
  }
  absl::StatusOr<std::unique_ptr<StageExecutor>> executor =
      MakeExecutor(spec, given.slab, serving.probes ? &*serving.probes : nullptr);
  if (!executor.ok()) return executor.status();
  serving.executor = *std::move(executor);
  serving.scores =
      std::make_unique<ScoreWatch>(spec.stages, given.slab, [&spec](const std::string& fields) {
        LogLine(absl::StrCat(fields, " cascade=", spec.cascade, " worker=", spec.worker));
      });
  serving.loop = std::make_unique<WorkerLoop>(spec, given.socket, *serving.executor, reporter,
                                              *serving.scores);
  return absl::OkStatus();
}

// Serves until the end that WorkerLoop::Serve() describes.
absl::Status Serve(const Inheritance& given, StateReporter& reporter) {
  Serving& serving = *new Serving;
  const WorkerSpec& spec = given.spec;
  const auto reported = [&reporter](const absl::Status& status) {
    if (!status.ok()) reporter.ReportFailure(status).IgnoreError();
    return status;
  };
  const auto prepare = [&](const std::vector<int>& cpus) {
    absl::Status status = RunOnCpus(cpus);
    if (status.ok()) status = MakeLoop(given, reporter, serving);
    return status.ok() ? serving.loop->Prepare() : reported(status);
  };
  if (!spec.yields) {
    const absl::Status prepared = prepare(spec.cpus);
    return prepared.ok() ? serving.loop->Serve() : prepared;
  }
  absl::Status status;
  RunAtLowPriority(
      [&] { status = prepare(spec.prepare_cpus.empty() ? spec.cpus : spec.prepare_cpus); });
  if (!status.ok()) return status;
  LimitThreads(spec);
  status = reported(RunOnCpus(spec.cpus));
  return status.ok() ? serving.loop->Serve() : status;
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
#ifdef ESCAN_WITH_TORCH
  escan::HaveCompiledModelsCheckInputs();
#endif
  // Not through exit(): the destructors of libtorch's tables take about a quarter of a second, and
  // give back what the end of the process gives back anyway.
  ::_exit(escan::RunWorker());
}
