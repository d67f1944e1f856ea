#include "profiling/cost_fit.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>

#include "contracts/profile.h"

namespace escan {
namespace {

constexpr double kSoftestKnee = 1;
constexpr double kSharpestKnee = 16;
constexpr double kKneeStep = 0.25;
constexpr double kVisibleSlowdown = 1.02;

double Slowdown(int clients, double rate, double rate_alone) { return clients * rate_alone / rate; }

// The part of the device that a step which is slowed so among `clients` equal ones takes.
double LoadOf(double slowdown, int clients, double knee) {
  return std::pow((std::pow(slowdown, knee) - 1) / (std::pow(clients, knee) - 1), 1 / knee);
}

double SlowdownOf(double load, int clients, double knee) {
  return std::pow(1 + std::pow(clients * load, knee) - std::pow(load, knee), 1 / knee);
}

// Squared errors of the counts between the first and the last.
double Error(const std::vector<int>& client_counts, const ClientRates& rates, double knee) {
  const double most =
      std::max(Slowdown(client_counts.back(), rates.back(), rates.front()), kVisibleSlowdown);
  const double load = LoadOf(most, client_counts.back(), knee);
  double sum = 0;
  for (size_t i = 1; i + 1 < client_counts.size(); ++i) {
    const double measured = Slowdown(client_counts[i], rates[i], rates.front());
    const double error = std::log(measured / SlowdownOf(load, client_counts[i], knee));
    sum += error * error;
  }
  return sum;
}

bool Bends(const std::vector<int>& client_counts, const ClientRates& rates) {
  return client_counts.size() > 2 &&
         Slowdown(client_counts.back(), rates.back(), rates.front()) >= kVisibleSlowdown;
}

}  // namespace

double FitKnee(const std::vector<int>& client_counts, const std::vector<ClientRates>& measured) {
  double best = Profile().knee;
  double least = std::numeric_limits<double>::infinity();
  const bool any = std::ranges::any_of(
      measured, [&](const ClientRates& rates) { return Bends(client_counts, rates); });
  if (!any) return best;
  for (double knee = kSoftestKnee; knee <= kSharpestKnee; knee += kKneeStep) {
    double error = 0;
    for (const ClientRates& rates : measured) {
      if (Bends(client_counts, rates)) error += Error(client_counts, rates, knee);
    }
    if (error >= least) continue;
    least = error;
    best = knee;
  }
  return best;
}

std::vector<Seconds> FitDeviceTimes(const std::vector<int>& client_counts, const ClientRates& rates,
                                    double knee) {
  const Seconds alone(1 / rates.front());
  if (client_counts.size() == 1) return {alone};
  const size_t count = client_counts.size();
  std::vector<Seconds> times(count);
  for (size_t i = count; i-- > 0;) {
    const double slowdown = Slowdown(client_counts[i], rates[i], rates.front());
    const bool greatest = i + 1 == count;
    if (!greatest && (i == 0 || slowdown < kVisibleSlowdown)) {
      times[i] = times[i + 1];
    } else {
      times[i] = alone * LoadOf(std::max(slowdown, kVisibleSlowdown), client_counts[i], knee);
    }
  }
  return times;
}

}  // namespace escan
