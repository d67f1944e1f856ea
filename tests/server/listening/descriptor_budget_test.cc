#include "server/listening/descriptor_budget.h"

#include "gtest/gtest.h"

namespace escan {
namespace {

TEST(DescriptorBudget, KeepsAQuarterForEverythingElseAndHalfOfThatFromOperators) {
  EXPECT_EQ(ClientCeiling(200), 150);
  EXPECT_EQ(OperatorCeiling(200), 175);
}

TEST(DescriptorBudget, KeepsNoMoreThanIsOfUse) {
  EXPECT_EQ(ClientCeiling(65536), 64512);
  EXPECT_EQ(OperatorCeiling(65536), 65024);
}

}  // namespace
}  // namespace escan
