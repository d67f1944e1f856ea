#pragma once

#include <prometheus/metric_family.h>

#include <array>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "scheduling/stage_statistics.h"

namespace escan {

using MetricLabels = std::vector<prometheus::ClientMetric::Label>;

// Collects samples into families in the order in which a family is first named.
class MetricFamilies {
 public:
  // Names the family that the following calls add to.
  void Begin(prometheus::MetricType type, std::string name, std::string help);

  void Counter(MetricLabels labels, double value);
  void Gauge(MetricLabels labels, double value);
  template <size_t kBounds>
  void Histogram(MetricLabels labels, const std::array<double, kBounds>& bounds,
                 const escan::Histogram<kBounds>& histogram) {
    AddHistogram(std::move(labels), {bounds.begin(), bounds.end()},
                 {histogram.counts.begin(), histogram.counts.end()}, histogram.sum);
  }

  std::vector<prometheus::MetricFamily> Take() { return std::move(families_); }

 private:
  void AddHistogram(MetricLabels labels, const std::vector<double>& bounds,
                    const std::vector<uint64_t>& counts, double sum);
  prometheus::ClientMetric& Add(MetricLabels labels);

  std::vector<prometheus::MetricFamily> families_;
};

}  // namespace escan
