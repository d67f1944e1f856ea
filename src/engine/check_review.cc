#include "engine/check_review.h"

#include <cmath>
#include <optional>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"

namespace escan {
namespace {

// An earlier stage that takes so many times as long as the next one is no cheaper way to an answer;
// less may be noise.
constexpr double kSlowerThanTheNext = 1.25;

std::string Label(const CascadeSpec& cascade, int stage) {
  return absl::StrCat("stage ", stage + 1, " '", cascade.stages[static_cast<size_t>(stage)].name,
                      "'");
}

// How many times as long the first takes as the second, for the largest batch that both have.
std::optional<double> TimesAsLong(const std::vector<BucketCheck>& checks, int first, int second) {
  std::optional<double> ratio;
  int rows = 0;
  for (const BucketCheck& a : checks) {
    for (const BucketCheck& b : checks) {
      const bool both = a.stage == first && b.stage == second && a.rows == b.rows;
      if (!both || a.rows <= rows || a.step <= Duration::zero() || b.step <= Duration::zero()) {
        continue;
      }
      rows = a.rows;
      ratio = Seconds(a.step) / Seconds(b.step);
    }
  }
  return ratio;
}

// What is odd about the exits of a stage; empty: nothing.
std::string OddExits(const CascadeSpec& cascade, const BucketCheck& check, float threshold) {
  const std::string scores = absl::StrFormat("scores %.4g to %.4g, threshold %.4g",
                                             check.least_score, check.greatest_score, threshold);
  if (check.least_score >= threshold) {
    return absl::StrCat("every row of the probe leaves at ", Label(cascade, check.stage), " (",
                        scores, "): the stages after it are hardly asked");
  }
  if (check.greatest_score < threshold) {
    return absl::StrCat("no row of the probe leaves at ", Label(cascade, check.stage), " (", scores,
                        "): it costs time and saves none");
  }
  return "";
}

}  // namespace

std::vector<std::string> CheckReview::Look(const std::vector<BucketCheck>& checks,
                                           const std::vector<float>& thresholds) {
  std::vector<std::string> news;
  const auto say = [&](const std::string& text) {
    if (!text.empty() && said_.insert(text).second) news.push_back(text);
  };
  std::set<int> stages;
  for (const BucketCheck& check : checks) {
    if (!stages.insert(check.stage).second) continue;
    const auto next = static_cast<int>(check.stage + 1);
    if (next == cascade_.stage_count()) continue;
    // Random rows are no sample of what clients send.
    if (!cascade_.probe.empty()) {
      say(OddExits(cascade_, check, thresholds[static_cast<size_t>(check.stage)]));
    }
    const std::optional<double> longer = TimesAsLong(checks, check.stage, next);
    const std::string label = Label(cascade_, check.stage);
    if (longer > kSlowerThanTheNext && said_.insert(label).second) {
      say(absl::StrFormat("%s takes %.1f times as long as %s: are they in the wrong order?", label,
                          *longer, Label(cascade_, next)));
    }
  }
  return news;
}

}  // namespace escan
