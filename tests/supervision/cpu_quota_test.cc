#include "supervision/cpu_quota.h"

#include <filesystem>
#include <string>

#include "gtest/gtest.h"
#include "support/temporary_folder.h"

namespace escan {
namespace {

// A tree of cgroups in a folder.
class CpuQuotaTest : public testing::Test {
 protected:
  void Write(const std::string& file, const std::string& text) { folder_.Write(file, text); }

  const TemporaryFolder folder_;
  const std::filesystem::path root_ = folder_.path();
};

TEST_F(CpuQuotaTest, IsThatOfAContainersOwnGroup) {
  Write("cpu.max", "150000 100000\n");
  EXPECT_EQ(CpuQuota("0::/\n", root_), 1.5);
}

TEST_F(CpuQuotaTest, IsTheLeastOfTheGroupsAbove) {
  Write("cpu.max", "max 100000\n");
  Write("pods.slice/cpu.max", "200000 100000\n");
  Write("pods.slice/one/cpu.max", "400000 100000\n");
  EXPECT_EQ(CpuQuota("0::/pods.slice/one\n", root_), 2.0);
}

TEST_F(CpuQuotaTest, IsReadInVersion1Too) {
  Write("cpu,cpuacct/cpu.cfs_quota_us", "-1\n");
  Write("cpu,cpuacct/cpu.cfs_period_us", "100000\n");
  Write("cpu,cpuacct/box/cpu.cfs_quota_us", "300000\n");
  Write("cpu,cpuacct/box/cpu.cfs_period_us", "100000\n");
  EXPECT_EQ(CpuQuota("3:memory:/box\n2:cpu,cpuacct:/box\n0::/\n", root_), 3.0);
  EXPECT_EQ(CpuQuota("2:cpu,cpuacct:/other\n", root_), std::nullopt);
}

TEST_F(CpuQuotaTest, OfAPathOfTheHostIsThatOfTheRootThatCanBeSeen) {
  Write("cpu/cpu.cfs_quota_us", "50000\n");
  Write("cpu/cpu.cfs_period_us", "100000\n");
  EXPECT_EQ(CpuQuota("2:cpu,cpuacct:/docker/0123456789ab\n", root_), 0.5);
}

TEST_F(CpuQuotaTest, IsNoneWhereNothingLimits) {
  EXPECT_EQ(CpuQuota("0::/\n", root_), std::nullopt);
  Write("cpu.max", "max 100000\n");
  EXPECT_EQ(CpuQuota("0::/\n", root_), std::nullopt);
  EXPECT_EQ(CpuQuota("", root_), std::nullopt);
  EXPECT_EQ(CpuQuota("no colons", root_), std::nullopt);
}

TEST(CpuBudget, IsAsManyWholeCpusAsTheQuotaHasAndPinsNobody) {
  EXPECT_EQ(BudgetOf({2, 3, 5, 7}, 2.9), (CpuBudget{.cpus = {2, 3}, .pinned = false}));
  EXPECT_EQ(BudgetOf({2, 3, 5, 7}, 0.5), (CpuBudget{.cpus = {2}, .pinned = false}));
}

TEST(CpuBudget, IsAllCpusWhereTheQuotaDoesNotLimit) {
  const CpuBudget all = {.cpus = {2, 3}, .pinned = true};
  EXPECT_EQ(BudgetOf({2, 3}, std::nullopt), all);
  EXPECT_EQ(BudgetOf({2, 3}, 2), all);
}

TEST(CpuBudget, OfThisProcessIsNotEmpty) { EXPECT_FALSE(UsableCpuBudget().cpus.empty()); }

}  // namespace
}  // namespace escan
