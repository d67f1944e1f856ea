#include "scheduling/dispatch_choice.h"

#include <gtest/gtest.h>

#include "scheduling/urgency.h"

namespace escan {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr TimePoint kNow{seconds(5000)};
constexpr StageMask kAll = 0xff;

class DispatchChoice : public ::testing::Test {
 protected:
  enum Kind { kFull, kRipe, kYoung };

  void Offer(int stage, Kind kind, Duration until_deadline, std::optional<Duration> step = {},
             int priority = 2) {
    const TimePoint deadline = kNow + until_deadline;
    offers_.waiting |= StageBit(stage);
    if (kind == kFull) offers_.full |= StageBit(stage);
    if (kind == kRipe) offers_.ripe |= StageBit(stage);
    offers_.at[static_cast<size_t>(stage)] = {
        .level = Urgency::Of(priority, deadline, 0).level, .deadline = deadline, .step = step};
  }

  StageOffers offers_;
};

TEST_F(DispatchChoice, PrefersTheStageClosestToItsDeadline) {
  Offer(0, kFull, milliseconds(5));
  Offer(1, kFull, milliseconds(9));
  EXPECT_EQ(ChooseStage(offers_, kAll, kNow), 0);
}

TEST_F(DispatchChoice, PriorityComesBeforeTheDeadline) {
  Offer(0, kFull, milliseconds(5));
  Offer(1, kFull, milliseconds(9), {}, 1);
  EXPECT_EQ(ChooseStage(offers_, kAll, kNow), 1);
}

TEST_F(DispatchChoice, TheLaterStageWinsATie) {
  Offer(0, kFull, milliseconds(5));
  Offer(2, kFull, milliseconds(5));
  Offer(1, kFull, milliseconds(5));
  EXPECT_EQ(ChooseStage(offers_, kAll, kNow), 2);
}

TEST_F(DispatchChoice, AFullBatchGoesBeforeAMoreUrgentRipeOne) {
  Offer(0, kFull, milliseconds(500), milliseconds(1));
  Offer(1, kRipe, milliseconds(50), milliseconds(1));
  EXPECT_EQ(ChooseStage(offers_, kAll, kNow), 0);
}

TEST_F(DispatchChoice, APartialBatchGoesFirstWhenItWouldMissItsDeadlineOtherwise) {
  Offer(0, kFull, milliseconds(500), milliseconds(20));
  Offer(1, kYoung, milliseconds(50), milliseconds(31));
  EXPECT_EQ(ChooseStage(offers_, kAll, kNow), 1);
}

TEST_F(DispatchChoice, APartialBatchWaitsWhileItCanAffordTo) {
  Offer(0, kFull, milliseconds(500), milliseconds(20));
  Offer(1, kYoung, milliseconds(50), milliseconds(30));
  EXPECT_EQ(ChooseStage(offers_, kAll, kNow), 0);
}

TEST_F(DispatchChoice, APartialBatchThatIsLostAnyhowDoesNotGoFirst) {
  Offer(0, kFull, milliseconds(500), milliseconds(20));
  Offer(1, kYoung, milliseconds(50), milliseconds(51));
  EXPECT_EQ(ChooseStage(offers_, kAll, kNow), 0);
}

TEST_F(DispatchChoice, WithoutStepTimesAPartialBatchDoesNotGoFirst) {
  Offer(0, kFull, milliseconds(500));
  Offer(1, kYoung, milliseconds(1), milliseconds(1));
  EXPECT_EQ(ChooseStage(offers_, kAll, kNow), 0);
}

TEST_F(DispatchChoice, TakesTheMostUrgentRipeBatchWhenNoneIsFull) {
  Offer(0, kRipe, milliseconds(5));
  Offer(1, kRipe, milliseconds(4));
  Offer(2, kYoung, milliseconds(1));
  EXPECT_EQ(ChooseStage(offers_, kAll, kNow), 1);
}

TEST_F(DispatchChoice, LooksOnlyAtTheStagesAllowed) {
  Offer(0, kFull, milliseconds(1), milliseconds(20));
  Offer(1, kFull, milliseconds(9), milliseconds(20));
  Offer(2, kYoung, milliseconds(25), milliseconds(20));
  EXPECT_EQ(ChooseStage(offers_, StageBit(1), kNow), 1);
  EXPECT_EQ(ChooseStage(offers_, StageBit(2), kNow), std::nullopt);
}

TEST_F(DispatchChoice, NothingWaits) { EXPECT_EQ(ChooseStage(offers_, kAll, kNow), std::nullopt); }

}  // namespace
}  // namespace escan
