#include "server/rollout/rollout_judgement.h"

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/time/time.h"
#include "scheduling/interval.h"

namespace escan {
namespace {

constexpr double kBeyondP99 = 0.01;

// A part that must not be above a limit.
struct Part {
  uint64_t hits = 0;
  uint64_t trials = 0;
  double limit = 0;

  double ratio() const { return static_cast<double>(hits) / static_cast<double>(trials); }
  bool Above(bool at_end) const {
    if (trials == 0) return false;
    return at_end ? ratio() > limit : WilsonInterval(hits, trials).low > limit;
  }
};

std::string Percent(double part) { return absl::StrFormat("%.4g%%", 100 * part); }

}  // namespace

std::optional<std::string> ReasonToAbort(const RolloutConditions& conditions,
                                         const RolloutFigures& figures, bool at_end) {
  const uint64_t requests = figures.answered + figures.errors;
  if (at_end && requests == 0) return "the new version had no requests";
  if (conditions.agreement_below.has_value()) {
    if (at_end && figures.compared == 0) return "no answers were compared";
    const Part differ{.hits = figures.compared - figures.agreeing,
                      .trials = figures.compared,
                      .limit = 1 - *conditions.agreement_below};
    if (differ.Above(at_end)) {
      return absl::StrCat("agreement is ", Percent(1 - differ.ratio()), " of ", differ.trials,
                          " rows, below ", Percent(*conditions.agreement_below));
    }
  }
  if (conditions.p99_above.has_value()) {
    const Part slow{.hits = figures.slow, .trials = figures.answered, .limit = kBeyondP99};
    if (slow.Above(at_end)) {
      return absl::StrCat("p99 is above ",
                          absl::FormatDuration(absl::FromChrono(*conditions.p99_above)), ": ",
                          Percent(slow.ratio()), " of ", slow.trials, " requests took longer");
    }
  }
  if (conditions.errors_above.has_value()) {
    const Part errors{
        .hits = figures.errors, .trials = requests, .limit = *conditions.errors_above};
    if (errors.Above(at_end)) {
      return absl::StrCat(Percent(errors.ratio()), " of ", errors.trials,
                          " requests failed, above ", Percent(*conditions.errors_above));
    }
  }
  return std::nullopt;
}

}  // namespace escan
