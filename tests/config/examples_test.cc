#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>

#include "config/config.h"

namespace escan {
namespace {

const std::filesystem::path kFashionMnist = std::filesystem::path(ESCAN_EXAMPLES) / "fashion_mnist";

std::string TextOf(const std::filesystem::path& file) {
  std::ostringstream text;
  text << std::ifstream(file).rdbuf();
  return text.str();
}

TEST(FashionMnistExample, IsAThreeStageCascade) {
  const absl::StatusOr<Config> config = LoadConfig(kFashionMnist / "escand.yaml");
  ASSERT_TRUE(config.ok()) << config.status();
  ASSERT_EQ(config->cascades.size(), 1u);
  EXPECT_EQ(config->cascades[0].spec.name, "fashion_mnist");
  EXPECT_EQ(config->cascades[0].spec.stage_count(), 3);
}

TEST(FashionMnistExample, CanBeServedByTheLargeStageOnly) {
  const absl::StatusOr<Config> whole = LoadConfig(kFashionMnist / "escand.yaml");
  const absl::StatusOr<Config> large = LoadConfig(kFashionMnist / "large_only.yaml");
  ASSERT_TRUE(whole.ok()) << whole.status();
  ASSERT_TRUE(large.ok()) << large.status();
  const CascadeSpec& cascade = whole->cascades.at(0).spec;
  const CascadeSpec& alone = large->cascades.at(0).spec;
  EXPECT_EQ(alone.name, cascade.name);
  EXPECT_EQ(alone.inputs, cascade.inputs);
  EXPECT_EQ(alone.outputs, cascade.outputs);
  ASSERT_EQ(alone.stage_count(), 1);
  EXPECT_EQ(alone.stages[0].model, cascade.stages.back().model);
  EXPECT_EQ(alone.stages[0].buckets, cascade.stages.back().buckets);
}

TEST(FashionMnistExample, HasValidPlans) {
  const absl::StatusOr<Config> config = LoadConfig(kFashionMnist / "escand.yaml");
  ASSERT_TRUE(config.ok()) << config.status();
  int plans = 0;
  for (const auto& entry : std::filesystem::directory_iterator(kFashionMnist / "plans")) {
    const absl::StatusOr<Plan> plan =
        ParsePlan(TextOf(entry.path()), entry.path().string(),
                  {.cascade = config->cascades.at(0).spec, .devices = config->devices});
    EXPECT_TRUE(plan.ok()) << plan.status();
    ++plans;
  }
  EXPECT_GE(plans, 4);
}

}  // namespace
}  // namespace escan
