// Plans of a cascade side by side in a closed loop, without gRPC: samples per second, latency,
// batch sizes and processor time. Prints a line for each measurement and appends it, as a line of
// JSON, to --output; what stands there already is not measured again, so an interrupted run can be
// resumed and runs of several cascades share a file. A plan is verified before it is measured: one
// that answers wrongly has `wrong`, which says what is, in place of figures. SIGINT and SIGTERM end
// it after the measurement that goes on, and what it started with it.
#include <spdlog/spdlog.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <nlohmann/json.hpp>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "cascade_run.h"
#include "config/config.h"
#include "server/daemon/local_workers.h"
#include "supervision/cpu_share.h"
#include "traffic/interrupts.h"

namespace escan {
namespace {

using nlohmann::json;

constexpr Duration kPatience = std::chrono::minutes(4);  // for the workers of a plan

struct Flags {
  std::string config;
  std::vector<std::string> plans;
  std::vector<int> limits;
  std::vector<double> exit_ratios;
  int rows = 1;
  int in_flight = 0;  // samples
  double seconds = 3;
  double warm_up = 1;
  bool stage_limits = false;
  std::string output;
};

void Declare(CLI::App& app, Flags* flags) {
  app.add_option("--config", flags->config,
                 "Configuration with one cascade; beside it lie samples.npz and expected.npz")
      ->required();
  app.add_option("--plans", flags->plans, "Plan files to compare")->delimiter(',');
  app.add_option("--limits", flags->limits, "Batch limits to compare, of all stages alike")
      ->delimiter(',')
      ->required();
  app.add_option("--exit-ratios", flags->exit_ratios, "Of every stage but the last")
      ->delimiter(',');
  app.add_option("--rows", flags->rows, "Samples in a request")->capture_default_str();
  app.add_option("--in-flight", flags->in_flight,
                 "Samples under way [four times what the plan's workers can hold]");
  app.add_option("--seconds", flags->seconds, "Of a measurement")->capture_default_str();
  app.add_option("--warm-up", flags->warm_up, "Seconds before it")->capture_default_str();
  app.add_flag("--stage-limits", flags->stage_limits,
               "Also measure each stage alone with the device saturated: what bounds every plan");
  app.add_option("--output", flags->output, "File of JSON lines to append to")->required();
}

std::string ReadFile(const std::filesystem::path& file) {
  std::ostringstream text;
  text << std::ifstream(file).rdbuf();
  return text.str();
}

// The lines of a file that say the same in `keys` as the measurement that is to be made.
class Results {
 public:
  explicit Results(std::string file) : file_(std::move(file)) {
    std::ifstream lines(file_);
    for (std::string line; std::getline(lines, line);) {
      json record = json::parse(line, nullptr, /*allow_exceptions=*/false);
      if (!record.is_discarded()) records_.push_back(std::move(record));
    }
  }

  bool Has(const json& key) const {
    return std::any_of(records_.begin(), records_.end(),
                       [&](const json& record) { return record.value("key", json()) == key; });
  }

  void Add(json record) {
    std::ofstream(file_, std::ios::app) << record.dump() << std::endl;
    records_.push_back(std::move(record));
  }

 private:
  const std::string file_;
  std::vector<json> records_;
};

json ToJson(const CascadeFigures& figures) {
  json stages = json::array();
  for (const CascadeFigures::Stage& stage : figures.stages) {
    stages.push_back({{"samples_per_second", stage.samples_per_second},
                      {"exit_share", stage.exit_share},
                      {"mean_batch", stage.mean_batch},
                      {"mean_step_seconds", stage.mean_step_seconds}});
  }
  return {{"seconds", figures.seconds},
          {"clients", figures.clients},
          {"samples_per_second", figures.samples_per_second},
          {"p50_seconds", figures.p50_seconds},
          {"p99_seconds", figures.p99_seconds},
          {"daemon_cpu_seconds_per_1000", figures.daemon_cpu_seconds},
          {"worker_cpu_seconds_per_1000", figures.worker_cpu_seconds},
          {"stages", stages}};
}

void Print(const std::string& what, const json& record) {
  if (record.contains("wrong")) {
    std::printf("%-44s wrong: %s\n", what.c_str(), record["wrong"].get<std::string>().c_str());
    std::fflush(stdout);
    return;
  }
  std::vector<std::string> batches;
  for (const json& stage : record["stages"]) {
    batches.push_back(fmt::format("{:.1f}", stage["mean_batch"].get<double>()));
  }
  const auto figure = [&record](const char* name) { return record[name].get<double>(); };
  std::printf(
      "%-44s %9.0f samples/s  p50 %7.2f ms  p99 %7.2f ms  mean batches %-18s "
      "CPU s/1,000: daemon %.3f workers %.3f\n",
      what.c_str(), figure("samples_per_second"), figure("p50_seconds") * 1e3,
      figure("p99_seconds") * 1e3, absl::StrJoin(batches, "/").c_str(),
      figure("daemon_cpu_seconds_per_1000"), figure("worker_cpu_seconds_per_1000"));
  std::fflush(stdout);
}

Duration FromSeconds(double seconds) {
  return std::chrono::duration_cast<Duration>(std::chrono::duration<double>(seconds));
}

int HeldRows(const Plan& plan) {
  int rows = 0;
  for (const WorkerGroup& group : plan.workers) {
    int largest = 0;
    for (const int stage : group.stages) {
      largest = std::max(largest, plan.stages[static_cast<size_t>(stage)].max_batch);
    }
    rows += group.count * group.credits * largest;
  }
  return rows;
}

// A cascade, or some of its stages.
struct Part {
  CascadeSpec cascade;
  int first_stage = 0;
};

class Benchmark {
 public:
  Benchmark(const Flags& flags, const Config& config, KnownAnswers known, EngineOptions options)
      : flags_(flags),
        config_(config),
        known_(std::move(known)),
        cascade_(config.cascades.front().spec),
        options_(std::move(options)),
        results_(flags.output) {}

  absl::Status Run() {
    absl::Status status;
    for (const std::string& file : flags_.plans) status.Update(ComparePlan(file));
    if (flags_.stage_limits) {
      for (int stage = 0; stage < cascade_.stage_count(); ++stage) {
        status.Update(SaturateStage(stage));
      }
    }
    return status;
  }

 private:
  absl::Status ComparePlan(const std::string& file) {
    const absl::StatusOr<Plan> plan =
        ParsePlan(ReadFile(file), file,
                  {.cascade = cascade_, .devices = config_.devices, .mps = config_.mps.mode});
    if (!plan.ok()) return plan.status();
    return MeasureAll({.cascade = cascade_}, *plan, std::filesystem::path(file).stem().string(),
                      flags_.exit_ratios);
  }

  // One stage as a cascade of its own, by workers that together ask for more than the device.
  absl::Status SaturateStage(int stage) {
    Part alone{.cascade = cascade_, .first_stage = stage};
    alone.cascade.stages = {cascade_.stages[static_cast<size_t>(stage)]};
    absl::Status status;
    for (const auto& [count, percent] : {std::pair(1, 100), std::pair(3, 50), std::pair(6, 30)}) {
      Plan plan;
      plan.workers = {{.count = count, .thread_percent = percent, .credits = 2, .stages = {0}}};
      plan.stages = {{.max_batch = 1, .max_delay = std::chrono::milliseconds(5)}};
      status.Update(MeasureAll(
          alone, plan,
          absl::StrCat("only ", alone.cascade.stages.front().name, " ", count, "x", percent), {}));
    }
    return status;
  }

  absl::Status MeasureAll(const Part& part, const Plan& plan, const std::string& name,
                          const std::vector<double>& ratios) {
    const CascadeSpec& cascade = part.cascade;
    std::unique_ptr<CascadeRun> run;
    for (const int limit : flags_.limits) {
      if (Interrupted()) return absl::CancelledError("interrupted");
      const json key = {{"cascade", cascade.name}, {"plan", name},        {"limit", limit},
                        {"exit_ratios", ratios},   {"rows", flags_.rows}, {"device", DeviceName()}};
      if (results_.Has(key)) continue;
      if (run == nullptr) {
        absl::StatusOr<std::unique_ptr<CascadeRun>> started =
            CascadeRun::Start(cascade, plan, options_, kPatience);
        if (!started.ok()) return Failed(name, started.status());
        run = *std::move(started);
        std::printf("%s %s: workers ready after %.1f s\n", cascade.name.c_str(), name.c_str(),
                    std::chrono::duration<double>(run->ready_after()).count());
      }
      const Plan limited = Limited(plan, cascade, limit);
      absl::StatusOr<json> record = Verified(*run, limited, part.first_stage, ratios);
      if (!record.ok()) return Failed(name, record.status());
      (*record)["key"] = key;
      (*record)["ready_seconds"] = std::chrono::duration<double>(run->ready_after()).count();
      Print(absl::StrCat(cascade.name, " ", name, " limit ", limit), *record);
      results_.Add(*std::move(record));
    }
    return absl::OkStatus();
  }

  static Plan Limited(const Plan& plan, const CascadeSpec& cascade, int limit) {
    Plan limited = plan;
    for (size_t i = 0; i < limited.stages.size(); ++i) {
      limited.stages[i].max_batch = std::min(limit, cascade.stages[i].buckets.back());
    }
    return limited;
  }

  // Figures of a plan, or what is wrong with its answers.
  absl::StatusOr<json> Verified(CascadeRun& run, const Plan& plan, int first_stage,
                                const std::vector<double>& ratios) const {
    if (absl::Status status = run.SetPolicies(plan.stages); !status.ok()) return status;
    const absl::StatusOr<std::optional<std::string>> wrong =
        run.FindWrongAnswer(known_, first_stage);
    if (!wrong.ok()) return wrong.status();
    if (*wrong) return json{{"wrong", **wrong}};
    const absl::StatusOr<CascadeFigures> figures = Measure(run, plan, ratios);
    if (!figures.ok()) return figures.status();
    return ToJson(*figures);
  }

  absl::StatusOr<CascadeFigures> Measure(CascadeRun& run, const Plan& limited,
                                         const std::vector<double>& ratios) const {
    const int wanted = flags_.in_flight > 0 ? flags_.in_flight : 4 * HeldRows(limited);
    // Slots are free a moment after the answer, so more are needed than are under way.
    const int in_flight = std::min(wanted, run.engine().cascade().slots * 3 / 4);
    return run.Measure({.rows = flags_.rows,
                        .clients = std::max(1, in_flight / flags_.rows),
                        .exit_ratios = ratios,
                        .warm_up = FromSeconds(flags_.warm_up),
                        .duration = FromSeconds(flags_.seconds)});
  }

  std::string DeviceName() const { return config_.devices.front().name; }

  static absl::Status Failed(const std::string& name, const absl::Status& status) {
    std::printf("%s: FAILED: %s\n", name.c_str(), std::string(status.message()).c_str());
    std::fflush(stdout);
    return status;
  }

  const Flags& flags_;
  const Config& config_;
  const KnownAnswers known_;
  const CascadeSpec& cascade_;
  const EngineOptions options_;
  Results results_;
};

std::string Variable(const std::string& name) {
  const char* value = std::getenv(name.c_str());
  return value == nullptr ? "" : value;
}

// Those in the folder that ESCAN_BIN names, else beside this program.
absl::StatusOr<WorkerPrograms> Programs() {
  const std::filesystem::path folder = Variable("ESCAN_BIN");
  if (folder.empty()) return FindWorkerPrograms("");
  return WorkerPrograms{.cpu = folder / "escan-worker", .gpu = folder / "escan-worker-cuda"};
}

absl::Status Compare(const Flags& flags) {
  const absl::StatusOr<WorkerPrograms> programs = Programs();
  if (!programs.ok()) return programs.status();
  const absl::StatusOr<Config> config =
      LoadConfig(flags.config, UsableGpus(*programs, Variable).gpus);
  if (!config.ok()) return config.status();
  const absl::StatusOr<std::shared_ptr<MpsWorkerHost>> host =
      StartWorkerHost(*config, *programs, {.option = "", .variable = Variable});
  if (!host.ok()) return host.status();
  const EngineOptions options{.host = *host,
                              .devices = config->devices,
                              .cache = DefaultCache(Variable),
                              .cpus = UsableCpus()};
  absl::StatusOr<KnownAnswers> known = KnownAnswers::FromFolder(
      std::filesystem::path(flags.config).parent_path(), config->cascades.front().spec);
  if (!known.ok()) return known.status();
  return Benchmark(flags, *config, *std::move(known), options).Run();
}

int Main(int argc, char** argv) {
  CLI::App app("Compares plans of a cascade in a closed loop, without gRPC.");
  Flags flags;
  Declare(app, &flags);
  CLI11_PARSE(app, argc, argv);
  spdlog::set_level(spdlog::level::warn);
  CatchInterrupts();
  const absl::Status status = Compare(flags);
  if (status.ok()) return 0;
  std::cerr << status.message() << '\n';
  return 1;
}

}  // namespace
}  // namespace escan

int main(int argc, char** argv) { return escan::Main(argc, argv); }
