#include "profiling/profiler.h"

#include <algorithm>
#include <cstddef>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "profiling/cost_fit.h"
#include "profiling/stage_alone.h"

namespace escan {
namespace {

// In the order in which they are measured: the greatest number of clients first, because ending
// workers takes less time than starting them.
std::vector<MeasurementPoint> PointsOf(const Profile& profile, int stage, int thread_percent) {
  std::vector<MeasurementPoint> points;
  for (auto clients = profile.client_counts.rbegin(); clients != profile.client_counts.rend();
       ++clients) {
    for (const int rows : profile.stages[static_cast<size_t>(stage)].buckets) {
      points.push_back(
          {.stage = stage, .thread_percent = thread_percent, .clients = *clients, .rows = rows});
    }
  }
  return points;
}

int CountPoints(const Profile& profile) {
  size_t buckets = 0;
  for (const StageCosts& stage : profile.stages) buckets += stage.buckets.size();
  return static_cast<int>(profile.thread_percents.size() * profile.client_counts.size() * buckets);
}

// What was measured of one stage at one share and bucket.
ClientRates RatesOf(const Profile& profile, const MeasurementLog& log, MeasurementPoint point) {
  ClientRates rates;
  for (const int clients : profile.client_counts) {
    point.clients = clients;
    rates.push_back(log.Find(point)->rate);
  }
  return rates;
}

// [share][bucket] of a stage.
using RateTable = std::vector<std::vector<ClientRates>>;

RateTable RateTableOf(const Profile& profile, const MeasurementLog& log, int stage) {
  RateTable table;
  for (const int percent : profile.thread_percents) {
    std::vector<ClientRates>& share = table.emplace_back();
    for (const int rows : profile.stages[static_cast<size_t>(stage)].buckets) {
      share.push_back(
          RatesOf(profile, log, {.stage = stage, .thread_percent = percent, .rows = rows}));
    }
  }
  return table;
}

void FillAlone(const Profile& profile, const MeasurementLog& log, int stage, StageCosts* costs) {
  for (const int percent : profile.thread_percents) {
    std::vector<Seconds>& step = costs->step.emplace_back();
    std::vector<Seconds>& steady = costs->steady_step.emplace_back();
    for (const int rows : costs->buckets) {
      const Measurement& alone =
          *log.Find({.stage = stage, .thread_percent = percent, .clients = 1, .rows = rows});
      step.push_back(alone.step);
      steady.push_back(Seconds(1 / alone.rate));
      costs->memory_bytes = std::max(costs->memory_bytes, alone.memory_bytes);
    }
  }
}

void FillDeviceTimes(const Profile& profile, const RateTable& rates, StageCosts* costs) {
  for (const std::vector<ClientRates>& share : rates) {
    std::vector<std::vector<Seconds>>& table = costs->device_time.emplace_back(
        profile.client_counts.size(), std::vector<Seconds>(share.size()));
    for (size_t bucket = 0; bucket < share.size(); ++bucket) {
      const std::vector<Seconds> times =
          FitDeviceTimes(profile.client_counts, share[bucket], profile.knee);
      for (size_t i = 0; i < times.size(); ++i) table[i][bucket] = times[i];
    }
  }
}

}  // namespace

Profile ProfileOf(const MeasuredProfile& outline, const MeasurementLog& log) {
  Profile profile = outline.profile;
  std::vector<RateTable> rates;
  std::vector<ClientRates> all;
  for (size_t stage = 0; stage < profile.stages.size(); ++stage) {
    rates.push_back(RateTableOf(profile, log, static_cast<int>(stage)));
    for (const auto& share : rates.back()) all.insert(all.end(), share.begin(), share.end());
  }
  profile.knee = FitKnee(profile.client_counts, all);
  for (size_t stage = 0; stage < profile.stages.size(); ++stage) {
    StageCosts& costs = profile.stages[stage];
    FillAlone(profile, log, static_cast<int>(stage), &costs);
    FillDeviceTimes(profile, rates[stage], &costs);
  }
  return profile;
}

Profiler::Profiler(const CascadeSpec& cascade, const MeasuredProfile& outline, MeasurementLog* log,
                   Options options)
    : cascade_(cascade), outline_(outline), log_(log), options_(std::move(options)) {}

Profiler::~Profiler() { EndWorkers(); }

absl::StatusOr<Profile> Profiler::Run() {
  std::vector<std::vector<MeasurementPoint>> shares;
  progress_.all = CountPoints(outline_.profile);
  progress_.found = progress_.all;
  for (int stage = 0; stage < cascade_.stage_count(); ++stage) {
    for (const int percent : outline_.profile.thread_percents) {
      shares.push_back(Missing(stage, percent));
      progress_.found -= static_cast<int>(shares.back().size());
    }
  }
  progress_.done = progress_.found;
  for (const std::vector<MeasurementPoint>& points : shares) {
    if (points.empty()) continue;
    const absl::Status status = MeasureShare(points);
    EndWorkers();
    if (!status.ok()) {
      const StageSpec& stage = cascade_.stages[static_cast<size_t>(points.front().stage)];
      MutexLock lock(mutex_);
      if (stopped_) return absl::CancelledError("the measurement was interrupted");
      return absl::Status(status.code(),
                          absl::StrCat("stage ", stage.name, " at ", points.front().thread_percent,
                                       " %: ", status.message()));
    }
  }
  return ProfileOf(outline_, *log_);
}

std::vector<MeasurementPoint> Profiler::Missing(int stage, int thread_percent) const {
  std::vector<MeasurementPoint> points = PointsOf(outline_.profile, stage, thread_percent);
  std::erase_if(points,
                [&](const MeasurementPoint& point) { return log_->Find(point) != nullptr; });
  return points;
}

absl::Status Profiler::MeasureShare(const std::vector<MeasurementPoint>& points) {
  const absl::StatusOr<StageRun*> run = StartWorkers(points.front());
  if (!run.ok()) return run.status();
  for (const MeasurementPoint& point : points) {
    progress_.next = point;
    options_.on_progress(progress_);
    if (absl::Status status = MeasurePoint(**run, point); !status.ok()) return status;
    ++progress_.done;
  }
  return absl::OkStatus();
}

absl::Status Profiler::MeasurePoint(StageRun& run, const MeasurementPoint& point) {
  if (absl::Status status = run.Set(point.clients, point.rows); !status.ok()) return status;
  const absl::StatusOr<StepFigures> saturated = run.MeasureSaturated(options_.times);
  if (!saturated.ok()) return saturated.status();
  Measurement measurement{
      .point = point, .rate = saturated->rate, .memory_bytes = run.WorkerMemory()};
  if (point.clients == 1) {
    const absl::StatusOr<StepFigures> alone = run.MeasureAlone(options_.times);
    if (!alone.ok()) return alone.status();
    measurement.step = alone->step;
  }
  return log_->Add(measurement);
}

absl::StatusOr<StageRun*> Profiler::StartWorkers(const MeasurementPoint& greatest) {
  MutexLock lock(mutex_);
  if (stopped_) return absl::CancelledError("stopped");
  absl::StatusOr<std::unique_ptr<StageRun>> run =
      StageRun::Start(StageAlone(cascade_, greatest.stage), greatest.thread_percent,
                      greatest.clients, options_.engine);
  if (!run.ok()) return run.status();
  run_ = *std::move(run);
  return run_.get();
}

void Profiler::EndWorkers() {
  MutexLock lock(mutex_);
  run_.reset();
}

void Profiler::Stop() {
  MutexLock lock(mutex_);
  stopped_ = true;
  if (run_ != nullptr) run_->Stop();
}

}  // namespace escan
