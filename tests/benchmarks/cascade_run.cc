#include "cascade_run.h"

#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cstring>
#include <future>
#include <random>
#include <utility>

#include "absl/strings/str_cat.h"
#include "process_figures.h"
#include "profiling/closed_loop.h"
#include "profiling/random_inputs.h"

namespace escan {
namespace {

constexpr const char* kDifficulty = "difficulty";

int DifficultyOf(const CascadeSpec& cascade) {
  for (size_t i = 0; i < cascade.inputs.size(); ++i) {
    const TensorSpec& input = cascade.inputs[i];
    if (input.name == kDifficulty && input.datatype == Datatype::kFp32 && input.elements() == 1) {
      return static_cast<int>(i);
    }
  }
  return -1;
}

// Draws the stage at which a sample leaves.
class ExitDraw {
 public:
  explicit ExitDraw(const std::vector<double>& ratios) : ratios_(ratios) {}

  int operator()() const {
    thread_local std::mt19937 random(NextSeed());
    std::uniform_real_distribution<double> uniform;
    int stage = 0;
    for (const double ratio : ratios_) {
      if (uniform(random) < ratio) break;
      ++stage;
    }
    return stage;
  }

 private:
  static uint32_t NextSeed() {
    static std::atomic<uint32_t> seed{1};
    return seed.fetch_add(1);
  }

  const std::vector<double>& ratios_;
};

double Percentile(std::vector<Duration>& latencies, double part) {
  if (latencies.empty()) return 0;
  const auto index = static_cast<size_t>(part * static_cast<double>(latencies.size() - 1));
  std::nth_element(latencies.begin(), latencies.begin() + static_cast<ptrdiff_t>(index),
                   latencies.end());
  return Seconds(latencies[index]).count();
}

Duration WorkersCpu(const EngineStatus& status) {
  Duration total{};
  for (const EngineStatus::Worker& worker : status.workers) {
    if (worker.pid != 0) total += ReadProcessorTime(worker.pid).own;
  }
  return total;
}

// The engine's counters at one moment.
struct Snapshot {
  TimePoint time = Clock::now();
  EngineStatus status;
  Duration own_cpu{};
  Duration worker_cpu{};

  static Snapshot Of(Engine& engine) {
    Snapshot snapshot;
    snapshot.status = engine.AwaitStatus();
    snapshot.own_cpu = ReadProcessorTime(::getpid()).own;
    snapshot.worker_cpu = WorkersCpu(snapshot.status);
    snapshot.time = Clock::now();
    return snapshot;
  }
};

CascadeFigures Difference(const Snapshot& begin, const Snapshot& end, double samples) {
  CascadeFigures figures;
  figures.seconds = Seconds(end.time - begin.time).count();
  figures.samples_per_second = samples / figures.seconds;
  figures.daemon_cpu_seconds = Seconds(end.own_cpu - begin.own_cpu).count() / samples * 1000;
  figures.worker_cpu_seconds = Seconds(end.worker_cpu - begin.worker_cpu).count() / samples * 1000;
  for (size_t i = 0; i < end.status.stages.size(); ++i) {
    const StageStatistics& before = begin.status.stages[i].statistics;
    const StageStatistics& after = end.status.stages[i].statistics;
    const auto rows = static_cast<double>(after.samples_executed - before.samples_executed);
    const auto batches = static_cast<double>(after.batches - before.batches);
    const auto exits = static_cast<double>(after.samples_exited - before.samples_exited);
    const auto step_ns = static_cast<double>(after.execute_ns - before.execute_ns);
    figures.stages.push_back({.samples_per_second = rows / figures.seconds,
                              .exit_share = exits / samples,
                              .mean_batch = batches > 0 ? rows / batches : 0,
                              .mean_step_seconds = batches > 0 ? step_ns / batches * 1e-9 : 0});
  }
  return figures;
}

}  // namespace

absl::StatusOr<std::unique_ptr<CascadeRun>> CascadeRun::Start(const CascadeSpec& cascade,
                                                              const Plan& plan,
                                                              const EngineOptions& options,
                                                              Duration patience) {
  const TimePoint start = Clock::now();
  absl::StatusOr<std::unique_ptr<Engine>> engine = Engine::Start(cascade, plan, options);
  if (!engine.ok()) return engine.status();
  const auto became_ready = std::make_shared<std::promise<void>>();
  (*engine)->OnReadyChange([became_ready, told = false](bool ready) mutable {
    if (ready && !std::exchange(told, true)) became_ready->set_value();
  });
  if (became_ready->get_future().wait_for(patience) != std::future_status::ready) {
    std::string reasons;
    for (const EngineStatus::Worker& worker : (*engine)->AwaitStatus().workers) {
      absl::StrAppend(&reasons, " worker ", worker.member.id, ": ", worker.member.last_end, ";");
    }
    return absl::UnavailableError(absl::StrCat("the workers did not become ready:", reasons));
  }
  std::unique_ptr<CascadeRun> run(new CascadeRun(*std::move(engine), DifficultyOf(cascade), plan));
  // All of them, not just one a stage: the plan is measured as a whole.
  const auto all_ready = [&] {
    for (const EngineStatus::Worker& worker : run->engine_->AwaitStatus().workers) {
      if (worker.member.state != FleetState::kReady) return false;
    }
    return true;
  };
  while (!all_ready()) {
    if (Clock::now() > start + patience) {
      return absl::UnavailableError("not all workers became ready");
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  }
  run->ready_after_ = Clock::now() - start;
  return run;
}

CascadeRun::CascadeRun(std::unique_ptr<Engine> engine, int difficulty, Plan plan)
    : engine_(std::move(engine)), difficulty_(difficulty), plan_(std::move(plan)) {}

CascadeRun::~CascadeRun() { engine_->Stop(); }

absl::Status CascadeRun::SetPolicies(const std::vector<StagePolicy>& policies) {
  plan_.stages = policies;
  return engine_->SetPlan(plan_).status();
}

absl::Status CascadeRun::CheckDifficulty() const {
  if (difficulty_ >= 0) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat("the cascade has no input '", kDifficulty, "', FP32 [1]"));
}

absl::StatusOr<std::optional<std::string>> CascadeRun::FindWrongAnswer(const KnownAnswers& known,
                                                                       int first_stage) {
  if (absl::Status status = CheckDifficulty(); !status.ok()) return status;
  absl::StatusOr<std::optional<std::string>> wrong =
      AnswerCheck(engine_.get(), &known, difficulty_, first_stage).FindWrong();
  FillSlots(*engine_);
  return wrong;
}

absl::StatusOr<CascadeFigures> CascadeRun::Measure(const CascadeLoad& load) {
  const int stages = engine_->cascade().stage_count();
  if (absl::Status status = CheckDifficulty(); !status.ok()) return status;
  if (static_cast<int>(load.exit_ratios.size()) != stages - 1) {
    return absl::InvalidArgumentError(
        absl::StrCat("found ", load.exit_ratios.size(),
                     " exit ratios, expected one for each stage but the last: ", stages - 1));
  }
  const ExitDraw draw(load.exit_ratios);
  ClosedLoop loop(engine_.get(),
                  {.clients = load.clients, .rows = load.rows, .fill = [&](SlotId slot) {
                     const float difficulty = static_cast<float>(draw()) + 0.5f;
                     std::memcpy(engine_->input(slot, difficulty_), &difficulty, sizeof(float));
                   }});
  absl::Status status = loop.WaitUntil(Clock::now() + load.warm_up);
  loop.TakeLatencies();
  const int64_t answered_before = loop.answered();
  const Snapshot begin = Snapshot::Of(*engine_);
  status.Update(loop.WaitUntil(begin.time + load.duration));
  const Snapshot end = Snapshot::Of(*engine_);
  if (!status.ok()) return status;
  const auto samples = static_cast<double>((loop.answered() - answered_before) * load.rows);
  if (samples == 0) return absl::UnavailableError("no request was answered");
  CascadeFigures figures = Difference(begin, end, samples);
  figures.clients = load.clients;
  std::vector<Duration> latencies = loop.TakeLatencies();
  figures.p50_seconds = Percentile(latencies, 0.50);
  figures.p99_seconds = Percentile(latencies, 0.99);
  return figures;
}

}  // namespace escan
