#include "profiling/step_figures.h"

#include <algorithm>
#include <cstddef>

namespace escan {
namespace {

double Median(const std::vector<double>& sorted) {
  const size_t count = sorted.size();
  return (sorted[(count - 1) / 2] + sorted[count / 2]) / 2;
}

}  // namespace

StepFigures MedianOf(const std::vector<StepFigures>& windows) {
  std::vector<double> rates;
  std::vector<double> steps;
  for (const StepFigures& window : windows) {
    rates.push_back(window.rate);
    steps.push_back(window.step.count());
  }
  std::ranges::sort(rates);
  std::ranges::sort(steps);
  const double rate = Median(rates);
  const size_t outside = (rates.size() - 1) / 4;  // at either end
  return {.rate = rate,
          .step = Seconds(Median(steps)),
          .spread = (rates[rates.size() - 1 - outside] - rates[outside]) / rate};
}

}  // namespace escan
