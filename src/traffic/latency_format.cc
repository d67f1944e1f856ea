#include "traffic/latency_format.h"

#include "absl/strings/str_format.h"

namespace escan {

double Milliseconds(Duration duration) {
  return std::chrono::duration<double, std::milli>(duration).count();
}

std::string LatencyText(const LatencySummary& latency) {
  return absl::StrFormat("mean %.3f  p50 %.3f  p90 %.3f  p95 %.3f  p99 %.3f  p99.9 %.3f  max %.3f",
                         Milliseconds(latency.mean), Milliseconds(latency.p50),
                         Milliseconds(latency.p90), Milliseconds(latency.p95),
                         Milliseconds(latency.p99), Milliseconds(latency.p99_9),
                         Milliseconds(latency.max));
}

nlohmann::ordered_json LatencyJson(const LatencySummary& latency) {
  return {{"mean", Milliseconds(latency.mean)}, {"p50", Milliseconds(latency.p50)},
          {"p90", Milliseconds(latency.p90)},   {"p95", Milliseconds(latency.p95)},
          {"p99", Milliseconds(latency.p99)},   {"p99_9", Milliseconds(latency.p99_9)},
          {"max", Milliseconds(latency.max)}};
}

}  // namespace escan
