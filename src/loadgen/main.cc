// escan-loadgen: the load generator. Ends with 0, with 1 if the server could not be asked or no
// request succeeded, with 2 on a mistake in its use.

#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <csignal>
#include <cstdio>
#include <fstream>
#include <iostream>
#include <string>
#include <utility>
#include <variant>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "loadgen/array_file.h"
#include "loadgen/connections.h"
#include "loadgen/grpc_transport.h"
#include "loadgen/load_run.h"
#include "loadgen/options.h"
#include "loadgen/report.h"
#include "loadgen/sample_set.h"

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

// What is sent, and what it should be answered with.
struct Material {
  SampleSet samples;
  std::vector<int64_t> labels;
};

// Enough random rows for variety, within 64 MiB.
int64_t RandomRows(const ModelInfo& model, int rows_per_request) {
  size_t row_bytes = 1;
  for (const TensorSpec& spec : model.inputs) row_bytes += spec.row_bytes();
  const auto requests = static_cast<int64_t>((size_t{64} << 20) /
                                             (row_bytes * static_cast<size_t>(rows_per_request)));
  return std::clamp<int64_t>(requests, 1, 1024) * rows_per_request;
}

absl::Status CheckLabelOutput(const ModelInfo& model, const std::string& name) {
  const auto output = std::find_if(model.outputs.begin(), model.outputs.end(),
                                   [&](const TensorSpec& spec) { return spec.name == name; });
  if (output == model.outputs.end()) {
    return absl::InvalidArgumentError(absl::StrCat(
        "--label-output: the model has no output '", name, "'; its outputs are ",
        absl::StrJoin(model.outputs, ", ", [](std::string* out, const TensorSpec& spec) {
          absl::StrAppend(out, spec.name);
        })));
  }
  if (output->datatype != Datatype::kFp32) {
    return absl::InvalidArgumentError(
        absl::StrFormat("--label-output: '%s' is %s, expected FP32", name, Name(output->datatype)));
  }
  return absl::OkStatus();
}

absl::StatusOr<Material> Prepare(const ModelInfo& model, const SampleOptions& options) {
  Material material;
  if (options.files.empty()) {
    material.samples =
        SampleSet::Random(model.inputs, RandomRows(model, options.rows_per_request), options.seed);
    return material;
  }
  absl::StatusOr<SampleSet> samples = SampleSet::FromFiles(model.inputs, options.files);
  if (!samples.ok()) return samples.status();
  material.samples = *std::move(samples);
  const int64_t rows = material.samples.rows();
  if (rows < options.rows_per_request) {
    return absl::InvalidArgumentError(
        absl::StrCat("--rows: ", options.rows_per_request, " is more than the ", rows, " samples"));
  }
  if (options.labels.empty()) return material;
  if (absl::Status status = CheckLabelOutput(model, options.label_output); !status.ok()) {
    return status;
  }
  absl::StatusOr<std::vector<int64_t>> labels = ReadLabels(options.labels);
  if (!labels.ok()) return labels.status();
  if (static_cast<int64_t>(labels->size()) != rows) {
    return absl::InvalidArgumentError(
        absl::StrCat(options.labels.native(), ": holds ", labels->size(),
                     " labels, expected one for each of ", rows, " samples"));
  }
  material.labels = *std::move(labels);
  return material;
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
  const absl::StatusOr<Material> material = Prepare(*model, options.samples);
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
       .label_output = material->labels.empty() ? std::string() : options.samples.label_output});
  CatchInterrupts();
  LoadRun run(chunks, options.limits, options.pace, material->labels, &transport);
  run.Start();
  Watch(run, !options.output.quiet && isatty(STDERR_FILENO) == 1);

  const RunDescription description{.target = options.server.target,
                                   .model = model->name,
                                   .pace = options.pace,
                                   .rows_per_request = rows,
                                   .connections = transport.connections(),
                                   .threads = transport.lanes(),
                                   .labelled = !material->labels.empty()};
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
