#include "server/rollout/rollout_judgement.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace escan {
namespace {

using std::chrono::milliseconds;
using testing::Eq;
using testing::Optional;

std::optional<std::string> While(const RolloutConditions& conditions,
                                 const RolloutFigures& figures) {
  return ReasonToAbort(conditions, figures, /*at_end=*/false);
}
std::optional<std::string> AtEnd(const RolloutConditions& conditions,
                                 const RolloutFigures& figures) {
  return ReasonToAbort(conditions, figures, /*at_end=*/true);
}

TEST(ReasonToAbort, WithoutConditionsThereIsNoneOnceRequestsWereAnswered) {
  const RolloutFigures bad{.answered = 10, .slow = 10, .errors = 10, .compared = 10};
  EXPECT_THAT(While({}, bad), Eq(std::nullopt));
  EXPECT_THAT(AtEnd({}, bad), Eq(std::nullopt));
  EXPECT_THAT(AtEnd({}, {}), Optional(Eq("the new version had no requests")));
}

TEST(ReasonToAbort, AgreementCountsOnceItIsSure) {
  const RolloutConditions conditions{.agreement_below = 0.97};
  // Two of thirty may be chance; a third of three hundred is not.
  EXPECT_THAT(While(conditions, {.answered = 9, .compared = 30, .agreeing = 28}), Eq(std::nullopt));
  EXPECT_THAT(While(conditions, {.answered = 9, .compared = 300, .agreeing = 200}),
              Optional(Eq("agreement is 66.67% of 300 rows, below 97%")));
  EXPECT_THAT(While(conditions, {.answered = 9, .compared = 300, .agreeing = 295}),
              Eq(std::nullopt));
}

TEST(ReasonToAbort, AtTheEndByWhatWasCounted) {
  const RolloutConditions conditions{.agreement_below = 0.97};
  EXPECT_THAT(AtEnd(conditions, {.answered = 3, .compared = 3, .agreeing = 2}),
              Optional(Eq("agreement is 66.67% of 3 rows, below 97%")));
  EXPECT_THAT(AtEnd(conditions, {.answered = 3, .compared = 3, .agreeing = 3}), Eq(std::nullopt));
  EXPECT_THAT(AtEnd(conditions, {.answered = 3}), Optional(Eq("no answers were compared")));
}

TEST(ReasonToAbort, AP99IsAboveWhereMoreThanOnePercentTakeLonger) {
  const RolloutConditions conditions{.p99_above = milliseconds(20)};
  EXPECT_THAT(While(conditions, {.answered = 1000, .slow = 10}), Eq(std::nullopt));
  EXPECT_THAT(While(conditions, {.answered = 1000, .slow = 50}),
              Optional(Eq("p99 is above 20ms: 5% of 1000 requests took longer")));
}

TEST(ReasonToAbort, ErrorsAreAPartOfAllRequests) {
  const RolloutConditions conditions{.errors_above = 0.1};
  EXPECT_THAT(While(conditions, {.answered = 950, .errors = 50}), Eq(std::nullopt));
  EXPECT_THAT(While(conditions, {.answered = 50, .errors = 50}),
              Optional(Eq("50% of 100 requests failed, above 10%")));
}

}  // namespace
}  // namespace escan
