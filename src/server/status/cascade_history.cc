#include "server/status/cascade_history.h"

#include <algorithm>
#include <numeric>
#include <utility>

#include "absl/strings/str_cat.h"
#include "scheduling/latency_quantile.h"

namespace escan {
namespace {

using nlohmann::ordered_json;

uint64_t Answered(const RequestCounters::Snapshot& requests) {
  return requests.requests[static_cast<size_t>(absl::StatusCode::kOk)];
}

uint64_t All(const RequestCounters::Snapshot& requests) {
  return std::accumulate(requests.requests.begin(), requests.requests.end(), uint64_t{0});
}

double PerSecond(uint64_t before, uint64_t now, double seconds) {
  return static_cast<double>(now - before) / seconds;
}

Histogram<kLatencyBounds.size()> Between(const RequestCounters::Snapshot& before,
                                         const RequestCounters::Snapshot& now) {
  Histogram<kLatencyBounds.size()> difference = now.latency;
  for (size_t i = 0; i < difference.counts.size(); ++i) {
    difference.counts[i] -= before.latency.counts[i];
  }
  return difference;
}

ordered_json Milliseconds(const std::optional<double>& seconds) {
  return seconds.has_value() ? ordered_json(*seconds * 1000) : ordered_json(nullptr);
}

}  // namespace

void CascadeHistory::Add(TimePoint now, const RequestCounters::Snapshot& requests,
                         const EngineStatus& status, const std::string& not_ready) {
  Reading reading = {.time = now, .requests = requests, .status = status, .not_ready = not_ready};
  if (latest_.has_value() && now > latest_->time) {
    AddPoint(*latest_, reading);
    AddEvents(*latest_, reading);
  }
  latest_ = std::move(reading);
}

void CascadeHistory::AddPoint(const Reading& before, const Reading& now) {
  const double seconds = Seconds(now.time - before.time).count();
  const Histogram<kLatencyBounds.size()> latency = Between(before.requests, now.requests);
  Point point = {
      .time = now.time,
      .requests_per_second = PerSecond(Answered(before.requests), Answered(now.requests), seconds),
      .failed_per_second = PerSecond(All(before.requests) - Answered(before.requests),
                                     All(now.requests) - Answered(now.requests), seconds),
      .p50 = LatencyQuantile(latency.counts, 0.5),
      .p99 = LatencyQuantile(latency.counts, 0.99)};
  for (size_t i = 0; i < now.status.stages.size(); ++i) {
    const StageStatistics& old = before.status.stages[i].statistics;
    const StageStatistics& young = now.status.stages[i].statistics;
    point.stages.push_back(
        {.samples_per_second = PerSecond(old.samples_executed, young.samples_executed, seconds),
         .exits_per_second = PerSecond(old.samples_exited, young.samples_exited, seconds),
         .queued = now.status.stages[i].queued});
  }
  points_.push_back(std::move(point));
  if (points_.size() > kPoints) points_.pop_front();
}

void CascadeHistory::AddEvents(const Reading& before, const Reading& now) {
  if (before.not_ready != now.not_ready) {
    const bool ready = now.not_ready.empty();
    AddEvent(now.time, !ready, ready ? "ready" : absl::StrCat("not ready: ", now.not_ready));
  }
  if (now.status.plan_changes > before.status.plan_changes) {
    AddEvent(now.time, false, "another plan is in effect");
  }
  AddWorkerEvents(before, now);
  for (size_t i = 0; i < now.status.stages.size(); ++i) {
    const StageStatistics& old = before.status.stages[i].statistics;
    const StageStatistics& young = now.status.stages[i].statistics;
    const uint64_t wrong = young.answers_wrong - old.answers_wrong;
    const uint64_t doubtful = young.answers_doubtful - old.answers_doubtful;
    const uint64_t failed = young.samples_failed - old.samples_failed;
    const std::string& stage = cascade_.stages[i].name;
    if (wrong > 0) AddEvent(now.time, true, absl::StrCat(stage, ": ", wrong, " wrong answers"));
    if (doubtful > 0) {
      AddEvent(now.time, true, absl::StrCat(stage, ": ", doubtful, " doubtful answers"));
    }
    if (failed > 0) AddEvent(now.time, true, absl::StrCat(stage, ": ", failed, " samples failed"));
  }
}

void CascadeHistory::AddWorkerEvents(const Reading& before, const Reading& now) {
  for (const EngineStatus::Worker& worker : now.status.workers) {
    const auto same = std::find_if(
        before.status.workers.begin(), before.status.workers.end(),
        [&](const EngineStatus::Worker& other) { return other.member.id == worker.member.id; });
    if (same == before.status.workers.end()) continue;
    if (worker.member.restarts <= same->member.restarts) continue;
    AddEvent(
        now.time, true,
        absl::StrCat("worker ", worker.member.id, " was started again: ", worker.member.last_end));
  }
}

void CascadeHistory::AddEvent(TimePoint time, bool bad, std::string text) {
  events_.push_back({.time = time, .bad = bad, .text = std::move(text)});
  if (events_.size() > kEvents) events_.pop_front();
}

ordered_json CascadeHistory::ToJson(TimePoint now) const {
  ordered_json history = {{"age_s", ordered_json::array()},
                          {"requests_per_second", ordered_json::array()},
                          {"failed_per_second", ordered_json::array()},
                          {"p50_ms", ordered_json::array()},
                          {"p99_ms", ordered_json::array()},
                          {"stages", ordered_json::array()}};
  for (size_t i = 0; i < cascade_.stages.size(); ++i) {
    history["stages"].push_back({{"samples_per_second", ordered_json::array()},
                                 {"exits_per_second", ordered_json::array()},
                                 {"queued", ordered_json::array()}});
  }
  for (const Point& point : points_) {
    history["age_s"].push_back(Seconds(now - point.time).count());
    history["requests_per_second"].push_back(point.requests_per_second);
    history["failed_per_second"].push_back(point.failed_per_second);
    history["p50_ms"].push_back(Milliseconds(point.p50));
    history["p99_ms"].push_back(Milliseconds(point.p99));
    for (size_t i = 0; i < point.stages.size(); ++i) {
      ordered_json& stage = history["stages"][i];
      stage["samples_per_second"].push_back(point.stages[i].samples_per_second);
      stage["exits_per_second"].push_back(point.stages[i].exits_per_second);
      stage["queued"].push_back(point.stages[i].queued);
    }
  }
  return history;
}

}  // namespace escan
