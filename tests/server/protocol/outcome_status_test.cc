#include "server/protocol/outcome_status.h"

#include "gtest/gtest.h"
#include "server/protocol/protocol_cascade.h"

namespace escan {
namespace {

absl::Status Status(const Outcome& outcome) { return ToStatus(outcome, ProtocolCascade()); }

TEST(OutcomeStatus, AFailureNamesStageRowAndReason) {
  const absl::Status failed = Status(
      {.code = OutcomeCode::kStageFailed, .stage = 1, .row = 3, .message = "index out of range"});
  EXPECT_EQ(failed.code(), absl::StatusCode::kInternal);
  EXPECT_EQ(failed.message(), "stage 'large' failed on row 3: index out of range");
  const absl::Status killed =
      Status({.code = OutcomeCode::kWorkerKilled, .stage = 0, .row = 2, .message = "signal 11"});
  EXPECT_EQ(killed.code(), absl::StatusCode::kInternal);
  EXPECT_EQ(killed.message(), "row 2 ended two workers in stage 'small': signal 11");
}

TEST(OutcomeStatus, EveryEndHasItsCode) {
  EXPECT_TRUE(Status({.code = OutcomeCode::kOk}).ok());
  EXPECT_TRUE(absl::IsDeadlineExceeded(Status({.code = OutcomeCode::kDeadlineExceeded})));
  EXPECT_TRUE(absl::IsCancelled(Status({.code = OutcomeCode::kCancelled})));
  EXPECT_TRUE(absl::IsUnavailable(Status({.code = OutcomeCode::kUnavailable})));
}

}  // namespace
}  // namespace escan
