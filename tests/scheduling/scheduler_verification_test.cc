// Answers that are computed once more while others are served: what is compared, and who was wrong.
#include <gtest/gtest.h>

#include "scheduling/scheduler_verification_fixture.h"

namespace escan {
namespace {

TEST_F(SchedulerVerification, AnswersAtOnceAndHoldsTheSlotsUntilAnotherWorkerHasCompared) {
  Ready(0, {0});
  Ready(1, {0});
  const Sent answered = Answered({0, 1, 2});
  ASSERT_EQ(answered.worker, 0);
  EXPECT_EQ(LastCode(), OutcomeCode::kOk);
  EXPECT_EQ(settled(), 0u) << "its outputs are still to be compared with";
  const Sent check = TakeCheck();
  EXPECT_EQ(check.worker, 1);
  EXPECT_TRUE(Says(check, false));
  EXPECT_EQ(settled(), 1u);
  ASSERT_EQ(actions_.compared.size(), 1u);
  EXPECT_EQ(Last().answered, 0);
  EXPECT_EQ(Last().compared, 1);
  EXPECT_EQ(Last().wrong, -1);
  EXPECT_EQ(Last().differ, 0);
}

TEST_F(SchedulerVerification, ComputesInTheNextSmallerBucketWhatFillsIt) {
  policy(0).max_batch = 16;
  Policies();
  Ready(0, {0});
  Ready(1, {0});
  Answered({0, 1, 2, 3, 4, 5});  // in the bucket of 16
  const Sent check = TakeCheck();
  EXPECT_EQ(check.slots, (std::vector<SlotId>{0, 1, 2, 3}));
  Says(check, false);
  EXPECT_EQ(Last().rows, 4);
}

TEST_F(SchedulerVerification, RepeatsRowsToFillALargerBucketWhereThereIsNoSmallerOne) {
  Ready(0, {0});
  Answered({7});
  const Sent check = TakeCheck();
  EXPECT_EQ(check.slots, (std::vector<SlotId>{7, 7, 7, 7}));
  Says(check, false);
  EXPECT_EQ(Last().rows, 1);
}

TEST_F(SchedulerVerification, AskedOfOneWorkerAloneItContradictsItself) {
  Ready(0, {0});
  Answered({0, 1});
  const Sent check = TakeCheck();
  EXPECT_EQ(check.worker, 0);
  Says(check, true);
  EXPECT_EQ(Last().wrong, 0);
  EXPECT_EQ(Last().differ, 1);
  EXPECT_EQ(Last().unverified, 2u);
  EXPECT_EQ(actions_.messages.back(), "row 1: 'p'[0] is 1 where 2 is right");
  EXPECT_EQ(scheduler_->statistics(0).answers_wrong, 1u);
  EXPECT_EQ(scheduler_->statistics(0).answers_doubtful, 0u);
  EXPECT_EQ(settled(), 1u);
}

TEST_F(SchedulerVerification, AThirdWorkerDecidesAgainstTheOneThatAnswered) {
  for (const int id : {0, 1, 2}) Ready(id, {0});
  Answered({0, 1, 2, 3});
  Says(TakeCheck(), true);
  EXPECT_TRUE(actions_.compared.empty());
  EXPECT_EQ(settled(), 0u);
  const Sent second = TakeCheck();
  EXPECT_EQ(second.worker, 2);
  Says(second, true);
  EXPECT_EQ(Last().wrong, 0);
  EXPECT_EQ(Last().compared, 1);
  EXPECT_EQ(settled(), 1u);
}

TEST_F(SchedulerVerification, AThirdWorkerDecidesAgainstTheOneThatCompared) {
  for (const int id : {0, 1, 2}) Ready(id, {0});
  Answered({0, 1, 2, 3});
  Says(TakeCheck(), true);
  Says(TakeCheck(), false);
  EXPECT_EQ(Last().wrong, 1);
}

TEST_F(SchedulerVerification, ComputesOnlyTheRowsThatDifferAgain) {
  policy(0).max_batch = 16;
  Policies();
  for (const int id : {0, 1, 2}) Ready(id, {0});
  const RequestKey first = Admit({0, 1});
  Admit({2, 3});
  Advance();
  Done(Take(), {0.9f, 0.9f, 0.9f, 0.9f});
  // In the bucket of 1, after one of 4.
  const Sent check = TakeCheck();
  EXPECT_EQ(check.slots, std::vector<SlotId>{0});
  EXPECT_EQ(settled(), 1u) << "of the others nothing is held";
  Says(check, true);
  const Sent second = TakeCheck();
  EXPECT_EQ(second.slots, std::vector<SlotId>(16, 0)) << "in one more bucket";
  Says(second, true);
  EXPECT_EQ(Last().differ, 1);
  EXPECT_EQ(settled(), 2u);
  EXPECT_EQ(actions_.settled.back(), first);
}

TEST_F(SchedulerVerification, LetsGoOfRowsThatDoNotDiffer) {
  policy(0).max_batch = 16;
  Policies();
  for (const int id : {0, 1, 2}) Ready(id, {0});
  const RequestKey right = Admit({0, 1});
  Admit({2, 3, 4});
  Advance();
  Done(Take(), {0.9f, 0.9f, 0.9f, 0.9f, 0.9f});
  Says(TakeCheck(), {0, 0, 1, 0});
  ASSERT_EQ(settled(), 1u);
  EXPECT_EQ(actions_.settled[0], right);
  const Sent second = TakeCheck();
  EXPECT_EQ(second.slots, std::vector<SlotId>{2});
}

TEST_F(SchedulerVerification, OfTwoWorkersTheOneThatContradictsItselfWasWrong) {
  Ready(0, {0});
  Ready(1, {0});
  Answered({0, 1, 2, 3});
  Says(TakeCheck(), true);
  const Sent again = TakeCheck();
  EXPECT_EQ(again.worker, 0);
  Says(again, true);
  EXPECT_EQ(Last().wrong, 0);

  Answered({4, 5, 6, 7});
  Says(TakeCheck(), true);
  Says(TakeCheck(), false);
  const Sent once_more = TakeCheck();
  EXPECT_EQ(once_more.worker, 1);
  Says(once_more, false);
  EXPECT_EQ(Last().wrong, 1);
}

TEST_F(SchedulerVerification, OfTwoWorkersThatBothInsistNobodyIsBlamed) {
  Ready(0, {0});
  Ready(1, {0});
  Answered({0, 1, 2, 3});
  Says(TakeCheck(), true);
  Says(TakeCheck(), false);
  Says(TakeCheck(), true);
  EXPECT_EQ(Last().wrong, -1);
  EXPECT_EQ(Last().differ, 1);
  EXPECT_EQ(scheduler_->statistics(0).answers_doubtful, 1u);
  EXPECT_EQ(settled(), 1u);
}

TEST_F(SchedulerVerification, TellsHowManySamplesWereAnsweredSinceTheWorkerWasRight) {
  Ready(0, {0});
  Answered({0, 1});
  Says(TakeCheck(), false);
  // While the next check is under way nothing new is checked.
  Answered({2, 3, 4});
  const Sent check = TakeCheck();
  Says(check, true);
  EXPECT_EQ(Last().unverified, 3u);
  Ready(0, {0});  // another process
  Answered({5});
  Says(TakeCheck(), true);
  EXPECT_EQ(Last().unverified, 1u);
}

}  // namespace
}  // namespace escan
