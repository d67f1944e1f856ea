#include "profiling/share_verification.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <memory>
#include <string>

#include "profiling/profiled_cascade.h"
#include "supervision/misbehaving_worker.h"

namespace escan {
namespace {

using testing::Each;
using testing::Field;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

const std::atomic<bool> kNotCancelled = false;

// Of two CPUs, so that half of them is one thread.
EngineOptions Options(const std::string& mode) {
  return {.host = std::make_shared<PlainWorkerHost>(MisbehavingWorker(mode)),
          .devices = {Device{}},
          .cpus = {0, 1},
          .pin_cpus = false};
}

absl::StatusOr<ShareVerification> Verify(const std::string& mode, int thread_percent) {
  return VerifyShare(ProfiledCascade(), thread_percent, Options(mode), kNotCancelled);
}

TEST(ShareVerification, HasTheChecksOfAllBucketsOfAWorkerThatIsRight) {
  const absl::StatusOr<ShareVerification> found = Verify("wrong-with-one-thread", 100);
  ASSERT_TRUE(found.ok()) << found.status();
  EXPECT_TRUE(found->right());
  EXPECT_EQ(found->thread_percent, 100);
  EXPECT_EQ(found->multiprocessors, 0);
  ASSERT_THAT(found->checks, SizeIs(4));
  EXPECT_THAT(found->checks, Each(Field(&BucketCheck::verdict, Verdict::kRight)));
  const BucketCheck& last = found->checks.back();
  EXPECT_EQ(last.stage, 1);
  EXPECT_EQ(last.rows, 8);
  EXPECT_EQ(last.step, std::chrono::microseconds(8));
  EXPECT_EQ(last.way, "plain");
}

TEST(ShareVerification, SaysWhatIsWrongAtAShare) {
  const absl::StatusOr<ShareVerification> found = Verify("wrong-with-one-thread", 50);
  ASSERT_TRUE(found.ok()) << found.status();
  EXPECT_FALSE(found->right());
  EXPECT_EQ(found->failure,
            "exit status 1: stage 'early' answers wrongly: row 0: 1 where 0 is right");
  ASSERT_THAT(found->checks, SizeIs(2)) << "those of the stage that is wrong";
  EXPECT_THAT(found->checks, Each(Field(&BucketCheck::verdict, Verdict::kWrong)));
  EXPECT_EQ(found->checks.front().message, "row 0: 1 where 0 is right");
}

TEST(ShareVerification, SaysWhyAWorkerFailedThatCheckedNothing) {
  const absl::StatusOr<ShareVerification> found = Verify("fails-to-load", 100);
  ASSERT_TRUE(found.ok()) << found.status();
  EXPECT_EQ(found->failure, "exit status 9: no such model");
  EXPECT_THAT(found->checks, IsEmpty());
}

TEST(ShareVerification, EndsWhenItIsCancelled) {
  const std::atomic<bool> cancelled = true;
  EXPECT_TRUE(absl::IsCancelled(
      VerifyShare(ProfiledCascade(), 100, Options("never-ready"), cancelled).status()));
}

TEST(ShareVerification, NamesAModelThatIsNotThere) {
  CascadeSpec cascade = ProfiledCascade();
  cascade.stages.front().executor = ExecutorKind::kTorchScript;
  cascade.stages.front().model = "/nonexistent/early.pt";
  const absl::Status status = VerifyShare(cascade, 100, Options("good"), kNotCancelled).status();
  EXPECT_THAT(std::string(status.message()), HasSubstr("/nonexistent/early.pt"));
}

}  // namespace
}  // namespace escan
