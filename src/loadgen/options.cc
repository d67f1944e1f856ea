#include "loadgen/options.h"

#include <CLI/CLI.hpp>

#include "absl/strings/numbers.h"
#include "absl/strings/str_split.h"
#include "absl/time/time.h"
#include "loadgen/exit_schedule.h"

namespace escan::loadgen {
namespace {

constexpr int kUsageError = 2;
constexpr Duration kProbeLength = std::chrono::seconds(3);
constexpr Duration kProbeWarmup = std::chrono::milliseconds(500);

// "1.5s", "200ms"
Duration ParseDuration(const std::string& option, const std::string& text) {
  absl::Duration duration;
  if (!absl::ParseDuration(text, &duration) || duration < absl::ZeroDuration() ||
      duration > absl::Hours(24 * 365)) {
    throw CLI::ValidationError(option, "'" + text + "' is not a duration, as 10s or 250ms are");
  }
  return absl::ToChronoNanoseconds(duration);
}

InputFile ParseInputFile(const std::string& text) {
  const size_t equals = text.find('=');
  if (equals == 0 || equals == std::string::npos || equals + 1 == text.size()) {
    throw CLI::ValidationError("--input-file", "'" + text + "' is not NAME=FILE");
  }
  return {.input = text.substr(0, equals), .file = text.substr(equals + 1)};
}

// "tokens=0:30521"
InputRange ParseInputRange(const std::string& text) {
  const std::pair<std::string, std::string> parts = absl::StrSplit(text, absl::MaxSplits('=', 1));
  const std::vector<std::string> bounds = absl::StrSplit(parts.second, ':');
  InputRange range{.input = parts.first, .range = {}};
  if (parts.first.empty() || bounds.size() != 2 || !absl::SimpleAtoi(bounds[0], &range.range.min) ||
      !absl::SimpleAtoi(bounds[1], &range.range.max) || range.range.min > range.range.max) {
    throw CLI::ValidationError("--input-range",
                               "'" + text + "' is not NAME=MIN:MAX, as tokens=0:30521 is");
  }
  return range;
}

// CLI11's view of the command line, before the parts are put together.
class CommandLine {
 public:
  CommandLine() {
    app_.set_version_flag("--version", "escan-loadgen " ESCAN_VERSION);
    app_.option_defaults()->always_capture_default();
    AddServerOptions();
    AddSampleOptions();
    AddExpectOptions();
    AddExitOptions();
    AddPaceOptions();
    AddLimitOptions();
    AddReportOptions();
    AddSearchOptions();
  }

  ParsedOptions Parse(int argc, const char* const* argv) {
    try {
      app_.parse(argc, argv);
      return Assemble();
    } catch (const CLI::ParseError& error) {
      return app_.exit(error) == 0 ? 0 : kUsageError;
    }
  }

 private:
  void AddReportOptions() {
    const std::string group = "Report";
    ReportOptions& wanted = options_.output.wanted;
    slo_ = app_.add_option_function<std::string>(
                   "--slo", [&wanted](const std::string& text) { ParseObjectives(text, &wanted); },
                   "Latency objectives; goodput is what was answered within one")
               ->type_name("p99=DURATION,...")
               ->group(group);
    AddDuration("--timeline", &wanted.timeline,
                "Also report each interval of this length; 0s: none")
        ->group(group);
    app_.add_option("--json", options_.output.json,
                    "Write the report as JSON to this file; - is standard output, where the "
                    "readable report is then left out")
        ->type_name("FILE")
        ->group(group);
    app_.add_flag("--quiet", options_.output.quiet, "Neither progress nor a readable report")
        ->group(group);
  }

  CLI::Option* AddDuration(const std::string& name, Duration* value, const std::string& help) {
    return app_
        .add_option_function<std::string>(
            name, [name, value](const std::string& text) { *value = ParseDuration(name, text); },
            help)
        ->type_name("DURATION")
        ->default_str(absl::FormatDuration(absl::FromChrono(*value)));
  }

  void AddServerOptions() {
    ServerOptions& server = options_.server;
    const std::string group = "Server";
    app_.add_option("--target", server.target, "Address of the server")
        ->type_name("ADDR:PORT")
        ->group(group);
    app_.add_option("--model", server.model, "Model to ask; may be left out if there is only one")
        ->type_name("NAME")
        ->group(group);
    app_.add_option("--channels", server.channels, "Connections")
        ->type_name("N")
        ->check(CLI::Range(1, 1024))
        ->group(group);
    app_.add_option("--threads", server.threads,
                    "Threads that receive answers, and as many that send in an open loop")
        ->type_name("N")
        ->check(CLI::Range(1, 256))
        ->group(group);
    AddDuration("--connect-timeout", &server.connect_timeout, "How long to wait for the server")
        ->group(group);
    AddDuration("--deadline", &server.deadline, "Deadline of each request")->group(group);
    AddSecurityOptions(group);
  }

  void AddSecurityOptions(const std::string& group) {
    SecurityOptions& security = options_.server.security;
    const auto add = [&](const char* name, std::filesystem::path* file, const char* help) {
      app_.add_option(name, *file, help)->type_name("FILE")->default_str("")->group(group);
    };
    add("--tls-ca", &security.ca, "Speak TLS; PEM file of who signs the server's certificate");
    add("--tls-cert", &security.certificate, "PEM file of the certificate to show the server");
    add("--tls-key", &security.key, "PEM file of that certificate's key");
    add("--token-file", &security.token, "File with the token to send with each request");
  }

  void AddSampleOptions() {
    SampleOptions& samples = options_.samples;
    const std::string group = "Samples (random unless files are given)";
    samples_ =
        app_.add_option("--samples", samples_file_,
                        "IDX or .npy file, plain or gzip, for a model with one input; or .npz file "
                        "with an array for each input")
            ->type_name("FILE")
            ->group(group);
    app_.add_option("--input-file", input_files_, "The same for an input of that name; repeatable")
        ->type_name("NAME=FILE")
        ->default_str("")
        ->excludes(samples_)
        ->group(group);
    app_.add_option("--input-range", input_ranges_,
                    "Random samples: the values of an integer input; repeatable")
        ->type_name("NAME=MIN:MAX")
        ->default_str("")
        ->group(group);
    app_.add_option("--labels", samples.labels,
                    "IDX or .npy file with the right class of every sample, to report accuracy")
        ->type_name("FILE")
        ->group(group);
    app_.add_option("--label-output", samples.label_output,
                    "FP32 output whose largest element is the class")
        ->type_name("NAME")
        ->group(group);
    app_.add_option("--rows", samples.rows_per_request, "Samples in a request")
        ->type_name("N")
        ->check(CLI::Range(1, 65536))
        ->group(group);
    app_.add_option("--seed", samples.seed, "Seed of random samples, exits and arrivals")
        ->type_name("N")
        ->group(group);
  }

  void AddExpectOptions() {
    ExpectOptions& expect = options_.samples.expect;
    const std::string group = "Comparison (of every answer that is measured)";
    expect_ = app_.add_option_function<std::string>(
                      "--expect",
                      [&expect](const std::string& text) {
                        expect.ask = text == "ask";
                        expect.file = expect.ask ? "" : text;
                      },
                      ".npz file with the right outputs of every sample: [samples, ...], or "
                      "[stages, samples, ...]; with ask, the server is first asked for each alone")
                  ->type_name("FILE|ask")
                  ->group(group);
    app_.add_option("--expect-tolerance", expect.tolerance,
                    "By how much of the largest right value of an output a number may differ")
        ->type_name("PART")
        ->check(CLI::Range(0.0, 1.0))
        ->needs(expect_)
        ->group(group);
  }

  void AddExitOptions() {
    ExitOptions& exits = options_.samples.exits;
    const std::string group = "Exits (of cascades with an input that controls them)";
    CLI::Option* const exit_ratios =
        app_.add_option_function<std::string>(
                "--exit-ratios", [&exits](const std::string& text) { ParseRatios(text, &exits); },
                "Which part of the samples reaching stage 1, 2, ... is to exit there; what is left "
                "is for the stage after")
            ->type_name("E1,E2,...")
            ->group(group);
    app_.add_option("--drift", exits.drift,
                    "CSV file with exit ratios that change during the measurement")
        ->type_name("FILE")
        ->excludes(exit_ratios)
        ->group(group);
    difficulty_input_ =
        app_.add_option("--difficulty-input", exits.input,
                        "FP32 input of one element: with a value in [k, k + 1) a sample exits at "
                        "stage k + 1")
            ->type_name("NAME")
            ->group(group);
  }

  // "p99=20ms,p99=60ms"
  static void ParseObjectives(const std::string& text, ReportOptions* wanted) {
    constexpr char kOption[] = "--slo";
    for (const std::string& part : std::vector<std::string>(absl::StrSplit(text, ','))) {
      const std::pair<std::string, std::string> sides =
          absl::StrSplit(part, absl::MaxSplits('=', 1));
      if (sides.first != "p99") {
        throw CLI::ValidationError(kOption, "'" + part + "' is not p99=DURATION");
      }
      wanted->objectives.push_back(ParseDuration(kOption, sides.second));
      if (wanted->objectives.back() == Duration::zero()) {
        throw CLI::ValidationError(kOption, "'" + part + "' cannot be kept");
      }
    }
  }

  static void ParseRatios(const std::string& text, ExitOptions* exits) {
    absl::StatusOr<std::vector<double>> ratios = ParseExitRatios(text);
    if (!ratios.ok()) {
      throw CLI::ValidationError("--exit-ratios", std::string(ratios.status().message()));
    }
    exits->ratios = *std::move(ratios);
  }

  void AddPaceOptions() {
    const std::string group = "Pace";
    rate_ = app_.add_option("--rate", open_.rate, "Open loop: requests per second")
                ->type_name("R")
                ->default_str("")
                ->check(CLI::PositiveNumber)
                ->group(group);
    app_.add_option("--arrivals", arrivals_, "Open loop: how requests are spaced")
        ->check(CLI::IsMember(
            {std::string(Name(Arrivals::kPoisson)), std::string(Name(Arrivals::kConstant))}))
        ->needs(rate_)
        ->group(group);
    app_.add_option("--max-outstanding", open_.max_outstanding,
                    "Open loop: a request due while so many wait is counted as not sent")
        ->type_name("N")
        ->check(CLI::PositiveNumber)
        ->needs(rate_)
        ->group(group);
    app_.add_option("--concurrency", closed_.concurrency,
                    "Closed loop (the default): requests under way at the same time")
        ->type_name("N")
        ->check(CLI::Range(1, 65536))
        ->excludes(rate_)
        ->group(group);
  }

  void AddLimitOptions() {
    const std::string group = "Length";
    duration_ = AddDuration("--duration", &length_, "Measure for so long")->group(group);
    requests_ = app_.add_option("--requests", request_count_, "Measure so many requests")
                    ->type_name("N")
                    ->default_str("")
                    ->check(CLI::PositiveNumber)
                    ->excludes(duration_)
                    ->group(group);
    app_.add_flag("--once", options_.once, "Measure every sample once")
        ->excludes(duration_)
        ->excludes(requests_)
        ->group(group);
    warmup_ =
        AddDuration("--warmup", &warmup_length_, "Send for so long before measuring")->group(group);
    warmup_requests_ =
        app_.add_option("--warmup-requests", options_.limits.warmup_requests,
                        "Send so many requests before measuring, instead of --warmup")
            ->type_name("N")
            ->check(CLI::NonNegativeNumber)
            ->excludes(warmup_)
            ->group(group);
  }

  void AddSearchOptions() {
    const std::string group = "Search (several short open loops)";
    const std::string help =
        "Search the highest Poisson rate that keeps each of --slo; --warmup (500ms) and --duration "
        "(3s) are those of one probe";
    find_max_rate_ = app_.add_flag("--find-max-rate", help)
                         ->excludes(rate_)
                         ->excludes("--concurrency")
                         ->excludes("--once")
                         ->excludes("--drift")
                         ->excludes("--timeline")
                         ->excludes(requests_)
                         ->excludes(warmup_requests_)
                         ->group(group);
    app_.add_option("--start-rate", search_.start_rate, "Requests per second of the first probe")
        ->type_name("R")
        ->check(CLI::PositiveNumber)
        ->needs(find_max_rate_)
        ->group(group);
    app_.add_option("--tolerance", search_.tolerance,
                    "End where a rate this much higher missed the objective: 0.05 is 5 %")
        ->type_name("PART")
        ->check(CLI::Range(0.001, 1.0))
        ->needs(find_max_rate_)
        ->group(group);
    app_.add_option("--max-seconds", search_seconds_,
                    "Start no probe that would end later; at least one is run")
        ->type_name("S")
        ->check(CLI::PositiveNumber)
        ->needs(find_max_rate_)
        ->group(group);
  }

  // A search has shorter defaults: it runs the load several times.
  void AssembleSearch() {
    if (slo_->count() == 0) throw CLI::ValidationError("--find-max-rate", "needs --slo");
    search_.max_time = std::chrono::duration_cast<Duration>(Seconds(search_seconds_));
    options_.max_rate = search_;
    if (duration_->count() == 0) options_.limits.duration = kProbeLength;
    if (warmup_->count() == 0) options_.limits.warmup = kProbeWarmup;
    if (*options_.limits.duration == Duration::zero()) {
      throw CLI::ValidationError("--duration", "a probe takes time");
    }
  }

  Options Assemble() {
    SampleOptions& samples = options_.samples;
    if (!samples_file_.empty()) samples.files.push_back({.input = "", .file = samples_file_});
    for (const std::string& text : input_files_) samples.files.push_back(ParseInputFile(text));
    if (samples.files.empty() && !samples.labels.empty()) {
      throw CLI::ValidationError("--labels", "needs --samples or --input-file");
    }
    for (const std::string& text : input_ranges_) samples.ranges.push_back(ParseInputRange(text));
    if (!samples.files.empty() && !samples.ranges.empty()) {
      throw CLI::ValidationError("--input-range", "is for random samples, not for those of files");
    }
    if (difficulty_input_->count() > 0 && !samples.exits.given()) {
      throw CLI::ValidationError("--difficulty-input", "needs --exit-ratios or --drift");
    }
    if (samples.files.empty() && !samples.expect.file.empty()) {
      throw CLI::ValidationError("--expect", "of a file needs --samples or --input-file");
    }
    if (samples.files.empty() && options_.once) {
      throw CLI::ValidationError("--once", "needs --samples or --input-file");
    }
    if (rate_->count() > 0 || find_max_rate_->count() > 0) {
      open_.arrivals =
          arrivals_ == Name(Arrivals::kConstant) ? Arrivals::kConstant : Arrivals::kPoisson;
      open_.seed = samples.seed;
      open_.max_lateness = options_.server.deadline;
      options_.pace = open_;
    } else {
      options_.pace = closed_;
    }
    LoadLimits& limits = options_.limits;
    if (requests_->count() > 0) limits.requests = request_count_;
    if (!limits.requests && !options_.once) limits.duration = length_;
    if (warmup_requests_->count() == 0) limits.warmup = warmup_length_;
    if (find_max_rate_->count() > 0) AssembleSearch();
    return options_;
  }

  CLI::App app_{
      "Puts load on a server of the Open Inference Protocol and reports latency, rate, errors, "
      "exits per stage and accuracy.",
      "escan-loadgen"};
  Options options_;
  std::string samples_file_;
  std::vector<std::string> input_files_;
  std::vector<std::string> input_ranges_;
  std::string arrivals_{Name(Arrivals::kPoisson)};
  OpenLoop open_{.max_outstanding = 4096};
  ClosedLoop closed_{.concurrency = 16};
  Duration length_ = std::chrono::seconds(10);
  Duration warmup_length_ = std::chrono::seconds(2);
  int64_t request_count_ = 0;
  MaxRateOptions search_;
  double search_seconds_ = Seconds(search_.max_time).count();

  CLI::Option* samples_ = nullptr;
  CLI::Option* expect_ = nullptr;
  CLI::Option* difficulty_input_ = nullptr;
  CLI::Option* rate_ = nullptr;
  CLI::Option* duration_ = nullptr;
  CLI::Option* requests_ = nullptr;
  CLI::Option* warmup_ = nullptr;
  CLI::Option* slo_ = nullptr;
  CLI::Option* find_max_rate_ = nullptr;
  CLI::Option* warmup_requests_ = nullptr;
};

}  // namespace

ParsedOptions ParseCommandLine(int argc, const char* const* argv) {
  return CommandLine().Parse(argc, argv);
}

}  // namespace escan::loadgen
