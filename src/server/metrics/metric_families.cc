#include "server/metrics/metric_families.h"

#include <limits>

namespace escan {

void MetricFamilies::Begin(prometheus::MetricType type, std::string name, std::string help) {
  prometheus::MetricFamily family;
  family.name = std::move(name);
  family.help = std::move(help);
  family.type = type;
  families_.push_back(std::move(family));
}

void MetricFamilies::Counter(MetricLabels labels, double value) {
  Add(std::move(labels)).counter.value = value;
}

void MetricFamilies::Gauge(MetricLabels labels, double value) {
  Add(std::move(labels)).gauge.value = value;
}

void MetricFamilies::AddHistogram(MetricLabels labels, const std::vector<double>& bounds,
                                  const std::vector<uint64_t>& counts, double sum) {
  prometheus::ClientMetric::Histogram& histogram = Add(std::move(labels)).histogram;
  uint64_t cumulative = 0;
  for (size_t i = 0; i < counts.size(); ++i) {
    cumulative += counts[i];
    const double bound = i < bounds.size() ? bounds[i] : std::numeric_limits<double>::infinity();
    histogram.bucket.push_back({.cumulative_count = cumulative, .upper_bound = bound});
  }
  histogram.sample_count = cumulative;
  histogram.sample_sum = sum;
}

prometheus::ClientMetric& MetricFamilies::Add(MetricLabels labels) {
  prometheus::ClientMetric& metric = families_.back().metric.emplace_back();
  metric.label = std::move(labels);
  return metric;
}

}  // namespace escan
