#include "profiling/profiler.h"

#include <algorithm>
#include <cstddef>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "profiling/cost_fit.h"
#include "profiling/doubts.h"
#include "profiling/stage_alone.h"

namespace escan {
namespace {

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
    costs->way.push_back(log.Find({.stage = stage,
                                   .thread_percent = percent,
                                   .clients = 1,
                                   .rows = costs->buckets.front()})
                             ->way);
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
  std::vector<std::vector<Buckets>> shares;
  progress_.all = CountPoints(outline_.profile);
  progress_.found = progress_.all;
  for (int stage = 0; stage < cascade_.stage_count(); ++stage) {
    for (const int percent : outline_.profile.thread_percents) {
      shares.push_back(Unfinished(stage, percent));
      for (const Buckets& buckets : shares.back()) {
        progress_.found -= static_cast<int>(Missing(buckets).size());
      }
    }
  }
  progress_.done = progress_.found;
  for (const std::vector<Buckets>& unfinished : shares) {
    if (unfinished.empty()) continue;
    const MeasurementPoint& point = unfinished.front().front();
    if (IsRefused(point.thread_percent)) continue;
    const absl::Status status = MeasureShare(unfinished);
    EndWorkers();
    const StageSpec& stage = cascade_.stages[static_cast<size_t>(point.stage)];
    if (absl::IsDataLoss(status) && point.thread_percent < 100) {
      refused_.push_back(
          {.thread_percent = point.thread_percent,
           .reason = absl::StrCat("stage ", stage.name, " answers wrongly: ", status.message())});
      continue;
    }
    if (!status.ok()) {
      MutexLock lock(mutex_);
      if (stopped_) return absl::CancelledError("the measurement was interrupted");
      return absl::Status(status.code(),
                          absl::StrCat("stage ", stage.name, " at ", point.thread_percent,
                                       " %: ", status.message()));
    }
  }
  MeasuredProfile verified = outline_;
  std::erase_if(verified.profile.thread_percents,
                [this](int percent) { return IsRefused(percent); });
  std::ranges::sort(refused_, {}, &RefusedShare::thread_percent);
  verified.profile.refused = refused_;
  return ProfileOf(verified, *log_);
}

bool Profiler::IsRefused(int thread_percent) const {
  return std::ranges::count(refused_, thread_percent, &RefusedShare::thread_percent) > 0;
}

// The greatest number of clients first, because ending workers takes less time than starting them.
std::vector<Profiler::Buckets> Profiler::Unfinished(int stage, int thread_percent) const {
  const Profile& profile = outline_.profile;
  std::vector<Buckets> unfinished;
  for (auto clients = profile.client_counts.rbegin(); clients != profile.client_counts.rend();
       ++clients) {
    Buckets buckets;
    for (const int rows : profile.stages[static_cast<size_t>(stage)].buckets) {
      buckets.push_back(
          {.stage = stage, .thread_percent = thread_percent, .clients = *clients, .rows = rows});
    }
    if (Missing(buckets).empty() && !Doubtful(buckets).has_value()) continue;
    unfinished.push_back(std::move(buckets));
  }
  return unfinished;
}

Profiler::Buckets Profiler::Missing(const Buckets& buckets) const {
  Buckets missing = buckets;
  std::erase_if(missing,
                [&](const MeasurementPoint& point) { return log_->Find(point) != nullptr; });
  return missing;
}

std::optional<MeasurementPoint> Profiler::Doubtful(const Buckets& buckets) const {
  std::vector<Measurement> measured;
  for (const MeasurementPoint& point : buckets) {
    if (const Measurement* found = log_->Find(point)) measured.push_back(*found);
  }
  return FirstDoubtful(measured);
}

absl::Status Profiler::MeasureShare(const std::vector<Buckets>& unfinished) {
  const absl::StatusOr<StageRun*> run = StartWorkers(unfinished.front().front());
  if (!run.ok()) return run.status();
  for (const Buckets& buckets : unfinished) {
    if (absl::Status status = MeasureBuckets(**run, buckets); !status.ok()) return status;
  }
  return absl::OkStatus();
}

absl::Status Profiler::MeasureBuckets(StageRun& run, const Buckets& buckets) {
  for (const MeasurementPoint& point : Missing(buckets)) {
    progress_.next = point;
    options_.on_progress(progress_);
    const absl::StatusOr<Measurement> measurement = Measure(run, point);
    if (!measurement.ok()) return measurement.status();
    if (absl::Status status = log_->Add(*measurement); !status.ok()) return status;
    ++progress_.done;
  }
  while (const std::optional<MeasurementPoint> point = Doubtful(buckets)) {
    const absl::StatusOr<Measurement> again = Measure(run, *point);
    if (!again.ok()) return again.status();
    const absl::Status status = log_->Add(BetterFounded(*log_->Find(*point), *again));
    if (!status.ok()) return status;
  }
  return absl::OkStatus();
}

absl::StatusOr<Measurement> Profiler::Measure(StageRun& run, const MeasurementPoint& point) const {
  if (absl::Status status = run.Set(point.clients, point.rows); !status.ok()) return status;
  const absl::StatusOr<StepFigures> saturated = run.MeasureSaturated(options_.times);
  if (!saturated.ok()) return saturated.status();
  Measurement measurement{.point = point,
                          .rate = saturated->rate,
                          .memory_bytes = run.WorkerMemory(),
                          .spread = saturated->spread,
                          .way = run.Way()};
  if (point.clients == 1) {
    const absl::StatusOr<StepFigures> alone = run.MeasureAlone(options_.times);
    if (!alone.ok()) return alone.status();
    measurement.step = alone->step;
    measurement.spread = std::max(measurement.spread, alone->spread);
  }
  return measurement;
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
