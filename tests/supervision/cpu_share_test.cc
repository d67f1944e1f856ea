#include "supervision/cpu_share.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sched.h>

#include <algorithm>
#include <numeric>
#include <set>

namespace escan {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::Not;

std::vector<int> Cpus(int count) {
  std::vector<int> cpus(static_cast<size_t>(count));
  std::iota(cpus.begin(), cpus.end(), 0);
  return cpus;
}

// The shares of workers that start one after the other.
std::vector<CpuShare> Start(const std::vector<int>& usable, const std::vector<int>& percents) {
  std::vector<CpuShare> shares;
  for (const int percent : percents) shares.push_back(ShareOfCpus(usable, percent, shares));
  return shares;
}

TEST(CpuShare, IsAThreadOnEachWholeCpuOfThePart) {
  const CpuShare share = ShareOfCpus(Cpus(8), 30, {});
  EXPECT_EQ(share.threads, 2);  // 2.4
  EXPECT_THAT(share.cpus, ElementsAre(0, 1));
  EXPECT_EQ(ShareOfCpus(Cpus(8), 100, {}).cpus, Cpus(8));
}

TEST(CpuShare, HasAtLeastOneCpu) {
  const CpuShare share = ShareOfCpus(Cpus(2), 10, {});
  EXPECT_EQ(share.threads, 1);
  EXPECT_THAT(share.cpus, ElementsAre(0));
}

TEST(CpuShare, UsesOnlyUsableCpus) {
  const std::vector<CpuShare> shares = Start({3, 5, 9, 11}, {50, 50});
  EXPECT_THAT(shares[0].cpus, ElementsAre(3, 5));
  EXPECT_THAT(shares[1].cpus, ElementsAre(9, 11));
}

TEST(CpuShare, OverlapsNoOtherUpToOneHundredPercent) {
  for (const int cpus : {4, 7, 10, 64}) {
    for (const std::vector<int>& percents :
         {std::vector{25, 25, 25, 25}, std::vector{50, 25, 25}, std::vector{30, 45, 25}}) {
      std::set<int> seen;
      for (const CpuShare& share : Start(Cpus(cpus), percents)) {
        EXPECT_EQ(share.cpus.size(), static_cast<size_t>(share.threads));
        EXPECT_TRUE(std::is_sorted(share.cpus.begin(), share.cpus.end()));
        for (const int cpu : share.cpus) EXPECT_TRUE(seen.insert(cpu).second) << cpu;
      }
    }
  }
}

TEST(CpuShare, GoesRoundWhenThereAreMoreThanOneHundredPercent) {
  const std::vector<CpuShare> shares = Start(Cpus(4), {50, 50, 50, 25, 25});
  EXPECT_THAT(shares[2].cpus, ElementsAre(0, 1));
  EXPECT_THAT(shares[3].cpus, ElementsAre(2));
  EXPECT_THAT(shares[4].cpus, ElementsAre(3));
}

TEST(CpuShare, TakesThePlaceOfAWorkerThatIsGone) {
  std::vector<CpuShare> shares = Start(Cpus(6), {33, 33, 33});
  shares.erase(shares.begin() + 1);
  EXPECT_THAT(ShareOfCpus(Cpus(6), 33, shares).cpus, ElementsAre(1));
  EXPECT_THAT(ShareOfCpus(Cpus(6), 60, shares).cpus, ElementsAre(1, 3, 4));
}

TEST(UsableCpus, AreThoseOfTheAffinityMask) {
  const std::vector<int> all = UsableCpus();
  ASSERT_THAT(all, Not(IsEmpty()));
  EXPECT_TRUE(std::is_sorted(all.begin(), all.end()));

  cpu_set_t before;
  ASSERT_EQ(::sched_getaffinity(0, sizeof(before), &before), 0);
  cpu_set_t last;
  CPU_ZERO(&last);
  CPU_SET(all.back(), &last);
  ASSERT_EQ(::sched_setaffinity(0, sizeof(last), &last), 0);
  EXPECT_THAT(UsableCpus(), ElementsAre(all.back()));
  ::sched_setaffinity(0, sizeof(before), &before);
}

}  // namespace
}  // namespace escan
