#include "server/access/token_bucket.h"

#include <gtest/gtest.h>

#include "config/clients_file.h"

namespace escan {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;

const TimePoint kStart{std::chrono::hours(1)};

int PassesAt(TokenBucket& bucket, TimePoint now, double units = 1) {
  int passed = 0;
  for (; passed < 1000 && bucket.HasRoom(now); ++passed) bucket.Take(units);
  return passed;
}

TEST(TokenBucket, LetsASecondsWorthPassAtOnceAndThenTheRate) {
  TokenBucket bucket(10, kStart);
  EXPECT_EQ(PassesAt(bucket, kStart), 10);
  EXPECT_EQ(PassesAt(bucket, kStart + milliseconds(500)), 5);
  EXPECT_EQ(PassesAt(bucket, kStart + hours(1)), 10);
}

TEST(TokenBucket, ARateBelowOnePassesAsSeldom) {
  TokenBucket bucket(0.5, kStart);
  EXPECT_EQ(PassesAt(bucket, kStart), 1);
  EXPECT_EQ(PassesAt(bucket, kStart + milliseconds(1999)), 0);
  EXPECT_EQ(PassesAt(bucket, kStart + milliseconds(2000)), 1);
}

TEST(TokenBucket, WhatIsMoreThanASecondsWorthPassesAndIsWaitedFor) {
  TokenBucket bucket(10, kStart);
  EXPECT_EQ(PassesAt(bucket, kStart, 30), 1);
  EXPECT_EQ(PassesAt(bucket, kStart + milliseconds(2000)), 0);
  EXPECT_EQ(PassesAt(bucket, kStart + milliseconds(2200)), 2);
}

TEST(TokenBucket, WithoutALimitEverythingPasses) {
  TokenBucket bucket(ClientConfig::kNoLimit, kStart);
  EXPECT_EQ(PassesAt(bucket, kStart, 1e12), 1000);
}

}  // namespace
}  // namespace escan
