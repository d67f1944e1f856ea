#include "loadgen/service_level.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "traffic/latency_summary.h"

namespace escan::loadgen {
namespace {

// How fast the median latency of a steady run may grow, as a part of the time.
constexpr double kGrowthAllowed = 0.01;

std::optional<Duration> P99OfAll(std::vector<Duration> latencies, int64_t due) {
  const int64_t rank = due - static_cast<int64_t>(kMissesAllowed * static_cast<double>(due));
  if (rank < 1 || rank > static_cast<int64_t>(latencies.size())) return std::nullopt;
  const auto nth = latencies.begin() + (rank - 1);
  std::nth_element(latencies.begin(), nth, latencies.end());
  return *nth;
}

ObjectiveFigures FiguresOf(Duration objective, const std::vector<TimedAnswer>& answers) {
  ObjectiveFigures figures{.p99 = objective};
  for (const TimedAnswer& answer : answers) {
    if (answer.latency > objective) continue;
    ++figures.within;
    figures.samples += answer.rows;
  }
  return figures;
}

}  // namespace

ServiceLevel Judge(const std::vector<TimedAnswer>& answers, const DueRequests& due,
                   absl::Span<const Duration> objectives) {
  ServiceLevel level;
  std::vector<Duration> all;
  std::vector<Duration> first_half;
  std::vector<Duration> second_half;
  all.reserve(answers.size());
  for (const TimedAnswer& answer : answers) {
    all.push_back(answer.latency);
    (answer.due < due.span / 2 ? first_half : second_half).push_back(answer.latency);
  }
  level.p99 = P99OfAll(std::move(all), due.count);
  level.first_half_p50 = Summarize(std::move(first_half)).p50;
  level.second_half_p50 = Summarize(std::move(second_half)).p50;
  const Seconds growth = level.second_half_p50 - level.first_half_p50;
  level.steady = growth <= kGrowthAllowed * Seconds(due.span) / 2;
  for (const Duration objective : objectives) {
    ObjectiveFigures figures = FiguresOf(objective, answers);
    figures.kept = level.steady && level.p99 && *level.p99 <= objective;
    level.objectives.push_back(figures);
  }
  return level;
}

std::vector<TimelineInterval> DivideIntoIntervals(const std::vector<TimedAnswer>& answers,
                                                  Duration span, Duration interval,
                                                  absl::Span<const Duration> objectives) {
  const auto count = static_cast<size_t>((span + interval - Duration(1)) / interval);
  std::vector<TimelineInterval> timeline(count);
  std::vector<std::vector<Duration>> latencies(count);
  for (const TimedAnswer& answer : answers) {
    const auto index = static_cast<size_t>(answer.due / interval);
    if (index < count) latencies[index].push_back(answer.latency);
  }
  for (size_t i = 0; i < count; ++i) {
    TimelineInterval& part = timeline[i];
    part.start = static_cast<int64_t>(i) * interval;
    part.succeeded = static_cast<int64_t>(latencies[i].size());
    for (const Duration objective : objectives) {
      part.within.push_back(
          std::count_if(latencies[i].begin(), latencies[i].end(),
                        [objective](Duration latency) { return latency <= objective; }));
    }
    part.p99 = Summarize(std::move(latencies[i])).p99;
  }
  return timeline;
}

}  // namespace escan::loadgen
