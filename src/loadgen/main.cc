// escan-loadgen: the load generator. Ends with 0, with 1 if the server could not be asked or no
// request succeeded, with 2 on a mistake in its use.

#include <unistd.h>

#include <atomic>
#include <csignal>
#include <cstdio>
#include <fstream>
#include <iostream>
#include <string>
#include <utility>
#include <variant>

#include "absl/strings/str_cat.h"
#include "loadgen/connections.h"
#include "loadgen/grpc_transport.h"
#include "loadgen/load_run.h"
#include "loadgen/material.h"
#include "loadgen/options.h"
#include "loadgen/report.h"

namespace escan::loadgen {
namespace {

constexpr int kFailed = 1;
constexpr int kUsageError = 2;

std::atomic<bool> interrupted{false};
static_assert(std::atomic<bool>::is_always_lock_free);

// The first signal ends the run early, with a report; a second one ends the program.
void CatchInterrupts() {
  struct sigaction action {};
  action.sa_handler = [](int) { interrupted = true; };
  action.sa_flags = static_cast<int>(SA_RESETHAND);
  sigaction(SIGINT, &action, nullptr);
  sigaction(SIGTERM, &action, nullptr);
}

int Complain(const std::string& message, int exit_status) {
  std::cerr << "escan-loadgen: " << message << "\n";
  return exit_status;
}

// Blocks until the run is over, shows progress and ends the run early when interrupted.
void Watch(LoadRun& run, bool show_progress) {
  constexpr auto kTick = std::chrono::milliseconds(100);
  constexpr auto kProgressInterval = std::chrono::milliseconds(500);
  RunProgress shown;
  bool stopped = false;
  while (!run.WaitUntil(Clock::now() + kTick)) {
    if (interrupted && !stopped) {
      run.Stop();
      stopped = true;
    }
    const RunProgress now = run.progress();
    if (show_progress && now.elapsed - shown.elapsed >= kProgressInterval) {
      std::cerr << "\r" << ToLine(shown, now) << "\x1b[K" << std::flush;
      shown = now;
    }
  }
  if (show_progress) std::cerr << "\r\x1b[K" << std::flush;
}

int Publish(const Report& report, const OutputOptions& options) {
  if (options.json == "-") {
    std::cout << ToJson(report) << std::flush;
  } else if (!options.quiet) {
    std::cout << ToText(report) << std::flush;
  }
  if (!options.json.empty() && options.json != "-") {
    std::ofstream file(options.json);
    file << ToJson(report) << std::flush;
    if (!file) {
      return Complain(absl::StrCat(options.json, ": cannot be written"), kFailed);
    }
  }
  return report.succeeded > 0 ? 0 : kFailed;
}

int Run(Options options) {
  absl::StatusOr<Channels> channels =
      Connect(options.server.target, options.server.channels, options.server.connect_timeout);
  if (!channels.ok()) return Complain(std::string(channels.status().message()), kFailed);
  absl::StatusOr<ModelInfo> model =
      DescribeModel(channels->front(), options.server.model, options.server.connect_timeout);
  if (!model.ok()) {
    return Complain(absl::StrCat(options.server.target, ": ", model.status().message()), kFailed);
  }
  const absl::StatusOr<Material> material = PrepareMaterial(*model, options.samples);
  if (!material.ok()) return Complain(std::string(material.status().message()), kUsageError);

  const int rows = options.samples.rows_per_request;
  const RowChunks chunks{
      .total_rows = material->samples.rows(), .rows_per_request = rows, .keep_last = options.once};
  if (options.once) options.limits.requests = chunks.count();
  GrpcTransport transport(
      *std::move(channels), *model, &material->samples,
      {.rows_per_request = rows,
       .threads = options.server.threads,
       .deadline = options.server.deadline,
       .label_output = material->labels.empty() ? std::string() : options.samples.label_output,
       .exits = material->exit_control()});
  CatchInterrupts();
  LoadRun run(chunks, options.limits, options.pace, material->labels, &transport, material->exits);
  run.Start();
  Watch(run, !options.output.quiet && isatty(STDERR_FILENO) == 1);

  const RunDescription description{.target = options.server.target,
                                   .model = model->name,
                                   .pace = options.pace,
                                   .rows_per_request = rows,
                                   .connections = transport.connections(),
                                   .threads = transport.lanes(),
                                   .labelled = !material->labels.empty(),
                                   .exits = material->exits};
  return Publish(BuildReport(description, run.Finish()), options.output);
}

}  // namespace
}  // namespace escan::loadgen

int main(int argc, char** argv) {
  using escan::loadgen::Options;
  const escan::loadgen::ParsedOptions parsed = escan::loadgen::ParseCommandLine(argc, argv);
  if (const int* exit_status = std::get_if<int>(&parsed)) return *exit_status;
  return escan::loadgen::Run(std::get<Options>(parsed));
}
