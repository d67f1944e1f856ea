// escan-loadgen: the load generator. Ends with 0, with 1 if the server could not be asked, no
// request succeeded or no rate kept an objective, with 2 on a mistake in its use.

#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <fstream>
#include <iostream>
#include <string>
#include <utility>
#include <variant>

#include "absl/strings/str_cat.h"
#include "loadgen/asked_answers.h"
#include "loadgen/connections.h"
#include "loadgen/grpc_transport.h"
#include "loadgen/load_run.h"
#include "loadgen/material.h"
#include "loadgen/max_rate.h"
#include "loadgen/options.h"
#include "loadgen/report.h"
#include "loadgen/report_json.h"
#include "process/standard_descriptors.h"
#include "traffic/interrupts.h"

namespace escan::loadgen {
namespace {

constexpr int kFailed = 1;
constexpr int kUsageError = 2;

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
    if (Interrupted() && !stopped) {
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

// A report as text, as JSON in a file, or both.
template <typename AnyReport>
int Publish(const AnyReport& report, bool succeeded, const OutputOptions& options) {
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
  return succeeded ? 0 : kFailed;
}

// One server and what is sent to it; runs loads one after the other.
class Generator {
 public:
  // `options` outlives this object.
  Generator(const Options& options, Channels channels, ModelInfo model, Material material)
      : options_(options),
        channels_(std::move(channels)),
        model_(std::move(model)),
        material_(std::move(material)),
        chunks_{.total_rows = material_.samples.rows(),
                .rows_per_request = options.samples.rows_per_request,
                .keep_last = options.once} {}

  int Run() const {
    if (options_.max_rate) return SearchMaxRate(*options_.max_rate);
    LoadLimits limits = options_.limits;
    if (options_.once) limits.requests = chunks_.count();
    const Report report =
        Measure(options_.pace, limits, !options_.output.quiet && isatty(STDERR_FILENO) == 1);
    return Publish(report, report.succeeded > 0, options_.output);
  }

 private:
  Report Measure(const Pace& pace, const LoadLimits& limits, bool show_progress) const {
    GrpcTransport transport(
        channels_, model_, &material_.samples,
        {.rows_per_request = chunks_.rows_per_request,
         .threads = options_.server.threads,
         .deadline = options_.server.deadline,
         .label_output = material_.labels.empty() ? std::string() : options_.samples.label_output,
         .exits = material_.exit_control()});
    const Expectations expected{
        .labels = material_.labels,
        .answers = material_.answers ? &*material_.answers : nullptr,
        .difficulties = material_.difficulties ? &*material_.difficulties : nullptr};
    LoadRun run(chunks_, limits, pace, expected, &transport, material_.exits);
    run.Start();
    Watch(run, show_progress);
    return BuildReport(Describe(pace), run.Finish());
  }

  RunDescription Describe(const Pace& pace) const {
    const int connections = options_.server.channels;
    return {.target = options_.server.target,
            .model = model_.name,
            .pace = pace,
            .rows_per_request = chunks_.rows_per_request,
            .connections = connections,
            .threads = std::min(options_.server.threads, connections),
            .labelled = !material_.labels.empty(),
            .compared = material_.answers.has_value(),
            .exits = material_.exits,
            .wanted = options_.output.wanted};
  }

  int SearchMaxRate(const MaxRateOptions& search) const {
    OpenLoop pace = std::get<OpenLoop>(options_.pace);
    const RunDescription run = Describe(pace);
    const auto probe = [&](double rate, const LoadLimits& limits) {
      pace.rate = rate;
      ++pace.seed;  // other arrivals each time
      return Measure(pace, limits, /*show_progress=*/false);
    };
    const auto show = [&](size_t number, const Report& report) {
      if (!options_.output.quiet) std::cerr << ProbeLine(number, report) << std::endl;
    };
    const MaxRateReport report = FindMaxRate(search, run, options_.limits, probe, show);
    const bool found = std::any_of(report.objectives.begin(), report.objectives.end(),
                                   [](const ObjectiveRate& o) { return o.bracket.kept; });
    return Publish(report, found, options_.output);
  }

  const Options& options_;
  const Channels channels_;
  const ModelInfo model_;
  const Material material_;
  const RowChunks chunks_;
};

int Run(const Options& options) {
  const SecurityOptions& files = options.server.security;
  const absl::StatusOr<ChannelSecurity> security = ChannelSecurity::Read(
      {.ca = files.ca, .certificate = files.certificate, .key = files.key, .token = files.token});
  if (!security.ok()) return Complain(std::string(security.status().message()), kUsageError);
  absl::StatusOr<Channels> channels = Connect(options.server.target, options.server.channels,
                                              options.server.connect_timeout, *security);
  if (!channels.ok()) return Complain(std::string(channels.status().message()), kFailed);
  absl::StatusOr<ModelInfo> model =
      DescribeModel(channels->front(), options.server.model, options.server.connect_timeout);
  if (!model.ok()) {
    return Complain(absl::StrCat(options.server.target, ": ", model.status().message()), kFailed);
  }
  absl::StatusOr<Material> material = PrepareMaterial(*model, options.samples);
  if (!material.ok()) return Complain(std::string(material.status().message()), kUsageError);
  if (const ExpectOptions& expect = options.samples.expect; expect.ask) {
    absl::StatusOr<RightAnswers> answers = AskForAnswers(channels->front(), *model, *material,
                                                         expect.tolerance, options.server.deadline);
    if (!answers.ok()) {
      return Complain(absl::StrCat("--expect ask: ", answers.status().message()), kFailed);
    }
    material->answers = *std::move(answers);
  }
  CatchInterrupts();
  return Generator(options, *std::move(channels), *std::move(model), *std::move(material)).Run();
}

}  // namespace
}  // namespace escan::loadgen

int main(int argc, char** argv) {
  escan::OpenStandardDescriptors();
  using escan::loadgen::Options;
  const escan::loadgen::ParsedOptions parsed = escan::loadgen::ParseCommandLine(argc, argv);
  if (const int* exit_status = std::get_if<int>(&parsed)) return *exit_status;
  return escan::loadgen::Run(std::get<Options>(parsed));
}
