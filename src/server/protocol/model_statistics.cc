#include "server/protocol/model_statistics.h"

#include <numeric>
#include <string>

#include "absl/strings/str_cat.h"
#include "server/protocol/contract.h"

namespace escan {
namespace {

using inference::StatisticDuration;

void Set(StatisticDuration* to, uint64_t count, uint64_t ns) {
  to->set_count(count);
  to->set_ns(ns);
}

void Set(StatisticDuration* to, uint64_t count, Duration time) {
  Set(to, count, static_cast<uint64_t>(time.count()));
}

// Milliseconds since the epoch; 0 for the clock's zero, which stands for never.
uint64_t Date(TimePoint time, const Moment& now) {
  if (time == TimePoint{}) return 0;
  const auto date = now.wall.time_since_epoch() - (now.monotonic - time);
  return static_cast<uint64_t>(std::chrono::duration_cast<std::chrono::milliseconds>(date).count());
}

void AddBatches(const StageStatistics& statistics, inference::ModelStatistics* to) {
  for (size_t rows = 1; rows < statistics.batches_of_rows.size(); ++rows) {
    const uint64_t batches = statistics.batches_of_rows[rows];
    if (batches == 0) continue;
    inference::InferBatchStatistics* const entry = to->add_batch_stats();
    entry->set_batch_size(rows);
    Set(entry->mutable_compute_input(), batches, Duration{});
    Set(entry->mutable_compute_infer(), batches, statistics.execute_ns_of_rows[rows]);
    Set(entry->mutable_compute_output(), batches, Duration{});
  }
}

// Each row of a batch waits for all of it.
uint64_t SampleComputeNs(const StageStatistics& statistics) {
  uint64_t sum = 0;
  for (size_t rows = 1; rows < statistics.execute_ns_of_rows.size(); ++rows) {
    sum += rows * statistics.execute_ns_of_rows[rows];
  }
  return sum;
}

}  // namespace

TimeSplit::Sums SampleTimes(const EngineStatus& status) {
  TimeSplit::Sums sums;
  for (const EngineStatus::Stage& stage : status.stages) {
    sums.queue += Duration(static_cast<Duration::rep>(stage.statistics.queue_ns));
    sums.compute += Duration(static_cast<Duration::rep>(SampleComputeNs(stage.statistics)));
  }
  return sums;
}

inference::ModelStatistics CascadeStatistics(const CascadeSpec& cascade,
                                             const RequestCounters::Snapshot& requests,
                                             const EngineStatus& status,
                                             const TimeSplit::Sums& times, const Moment& now) {
  const uint64_t answered = requests.requests[static_cast<size_t>(absl::StatusCode::kOk)];
  const uint64_t all =
      std::accumulate(requests.requests.begin(), requests.requests.end(), uint64_t{0});
  inference::ModelStatistics statistics;
  statistics.set_name(cascade.name);
  statistics.set_version(std::string(kModelVersion));
  statistics.set_last_inference(Date(requests.last, now));
  statistics.set_inference_count(requests.rows);
  inference::InferStatistics& stats = *statistics.mutable_inference_stats();
  Set(stats.mutable_success(), answered, requests.answered.total);
  Set(stats.mutable_fail(), all - answered, requests.failed);
  Set(stats.mutable_queue(), answered, times.queue);
  Set(stats.mutable_compute_input(), answered, requests.answered.input);
  Set(stats.mutable_compute_infer(), answered, times.compute);
  Set(stats.mutable_compute_output(), answered, requests.answered.output);
  // Every sample is executed by the first stage, so its batches are how requests were combined.
  if (!status.stages.empty()) {
    const StageStatistics& first = status.stages.front().statistics;
    statistics.set_execution_count(first.batches);
    AddBatches(first, &statistics);
  }
  return statistics;
}

inference::ModelStatistics StageEntry(const CascadeSpec& cascade, int stage,
                                      const StageStatistics& statistics, const Moment& now) {
  const uint64_t samples = statistics.samples_executed;
  const uint64_t compute_ns = SampleComputeNs(statistics);
  inference::ModelStatistics entry;
  entry.set_name(absl::StrCat(cascade.name, "/", cascade.stages[static_cast<size_t>(stage)].name));
  entry.set_version(std::string(kModelVersion));
  entry.set_last_inference(
      Date(TimePoint(Duration(static_cast<Duration::rep>(statistics.last_finished_ns))), now));
  entry.set_inference_count(samples);
  entry.set_execution_count(statistics.batches);
  inference::InferStatistics& stats = *entry.mutable_inference_stats();
  Set(stats.mutable_success(), samples, statistics.queue_ns + compute_ns);
  Set(stats.mutable_fail(), statistics.samples_failed, Duration{});
  Set(stats.mutable_queue(), samples, statistics.queue_ns);
  Set(stats.mutable_compute_input(), samples, Duration{});
  Set(stats.mutable_compute_infer(), samples, compute_ns);
  Set(stats.mutable_compute_output(), samples, Duration{});
  AddBatches(statistics, &entry);
  return entry;
}

}  // namespace escan
