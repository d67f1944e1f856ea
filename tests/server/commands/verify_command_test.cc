#include "server/commands/verify_command.h"

#include <gtest/gtest.h>

#include <chrono>
#include <string>
#include <vector>

namespace escan {
namespace {

CascadeSpec TwoStages() {
  CascadeSpec cascade;
  cascade.name = "digits";
  for (const char* name : {"small", "large"}) {
    StageSpec& stage = cascade.stages.emplace_back();
    stage.name = name;
    stage.buckets = {1, 16};
  }
  return cascade;
}

// The checks of both buckets of a stage.
std::vector<BucketCheck> Checks(int stage, Verdict verdict, const std::string& way,
                                const std::string& message = "") {
  const BucketCheck first{.stage = stage,
                          .rows = 1,
                          .verdict = verdict,
                          .step = std::chrono::microseconds(1234),
                          .way = way,
                          .message = message};
  BucketCheck second = first;
  second.rows = 16;
  second.step = std::chrono::milliseconds(15);
  return {first, second};
}

TEST(VerificationTable, HasARowForEachStageAndShare) {
  ShareVerification half{.thread_percent = 50, .multiprocessors = 66};
  half.checks = Checks(0, Verdict::kRight, "fused");
  for (const BucketCheck& check : Checks(1, Verdict::kRightByRemedy, "plain", "fused was wrong")) {
    half.checks.push_back(check);
  }
  ShareVerification whole{.thread_percent = 100, .multiprocessors = 132};
  whole.checks = Checks(0, Verdict::kRight, "fused");
  for (const BucketCheck& check : Checks(1, Verdict::kUnknown, "fused", "its answers are random")) {
    whole.checks.push_back(check);
  }
  EXPECT_EQ(VerificationTable(TwoStages(), {half, whole}),
            "| stage | share | multiprocessors | answers | way | ms with 1 | 16 rows | remark |\n"
            "|---|---|---|---|---|---|---|---|\n"
            "| small | 50 % | 66 | right | fused | 1.234 | 15.000 |  |\n"
            "| small | 100 % | 132 | right | fused | 1.234 | 15.000 |  |\n"
            "\n"
            "| stage | share | multiprocessors | answers | way | ms with 1 | 16 rows | remark |\n"
            "|---|---|---|---|---|---|---|---|\n"
            "| large | 50 % | 66 | right by remedy | plain | 1.234 | 15.000 | fused was wrong |\n"
            "| large | 100 % | 132 | unknown | fused | 1.234 | 15.000 | its answers are random |\n"
            "\n");
}

TEST(VerificationTable, LeavesEmptyWhatIsNotKnown) {
  ShareVerification share{.thread_percent = 25, .failure = "stage 'small' answers wrongly: ..."};
  share.checks = Checks(0, Verdict::kWrong, "frozen", "with 1 rows, row 0: NaN");
  for (BucketCheck& check : share.checks) check.step = Duration::zero();
  EXPECT_EQ(VerificationTable(TwoStages(), {share}),
            "| stage | share | multiprocessors | answers | way | ms with 1 | 16 rows | remark |\n"
            "|---|---|---|---|---|---|---|---|\n"
            "| small | 25 % |  | wrong | frozen |  |  | with 1 rows, row 0: NaN |\n"
            "\n"
            "| stage | share | multiprocessors | answers | way | ms with 1 | 16 rows | remark |\n"
            "|---|---|---|---|---|---|---|---|\n"
            "\n")
      << "the worker did not come to its second stage";
}

}  // namespace
}  // namespace escan
