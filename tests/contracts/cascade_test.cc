#include "escan/cascade.h"

#include <gtest/gtest.h>

#include <string>

namespace escan {
namespace {

TEST(ExitScore, IsParsedByItsName) {
  for (const ExitScore score : {ExitScore::kNone, ExitScore::kMaxProbability, ExitScore::kMargin,
                                ExitScore::kEntropy, ExitScore::kOutput}) {
    EXPECT_FALSE(Name(score).empty());
    EXPECT_EQ(ParseExitScore(Name(score)), score);
  }
  EXPECT_EQ(Name(ExitScore::kMaxProbability), "max_probability");
  EXPECT_EQ(ParseExitScore("Margin"), std::nullopt);
  EXPECT_EQ(ParseExitScore(""), std::nullopt);
}

// The names are those that configurations and workers are given.
TEST(GpuOptions, AreParsedByTheirNames) {
  EXPECT_EQ(Name(Precision::kFp32), "fp32");
  EXPECT_EQ(Name(Precision::kFp16), "fp16");
  EXPECT_EQ(Name(MemoryLayout::kAuto), "auto");
  EXPECT_EQ(Name(MemoryLayout::kContiguous), "contiguous");
  EXPECT_EQ(Name(MemoryLayout::kChannelsLast), "channels_last");
  EXPECT_EQ(Name(Execution::kAuto), "auto");
  EXPECT_EQ(Name(Execution::kGraph), "graph");
  EXPECT_EQ(Name(Execution::kEager), "eager");
  for (const Precision precision : {Precision::kFp32, Precision::kFp16}) {
    EXPECT_EQ(ParsePrecision(Name(precision)), precision);
  }
  for (const MemoryLayout layout :
       {MemoryLayout::kAuto, MemoryLayout::kContiguous, MemoryLayout::kChannelsLast}) {
    EXPECT_EQ(ParseMemoryLayout(Name(layout)), layout);
  }
  for (const Execution execution : {Execution::kAuto, Execution::kGraph, Execution::kEager}) {
    EXPECT_EQ(ParseExecution(Name(execution)), execution);
  }
}

TEST(GpuOptions, OthersAreNotParsed) {
  for (const std::string name : {"", "FP16", "bf16", "nhwc", "Auto"}) {
    EXPECT_EQ(ParsePrecision(name), std::nullopt) << name;
    EXPECT_EQ(ParseMemoryLayout(name), std::nullopt) << name;
    EXPECT_EQ(ParseExecution(name), std::nullopt) << name;
  }
}

TEST(CascadeSpec, FindsStagesByName) {
  CascadeSpec cascade;
  for (const std::string name : {"small", "large"}) cascade.stages.emplace_back().name = name;
  EXPECT_EQ(cascade.stage_count(), 2);
  EXPECT_EQ(cascade.FindStage("small"), 0);
  EXPECT_EQ(cascade.FindStage("large"), 1);
  EXPECT_EQ(cascade.FindStage("Large"), std::nullopt);
}

}  // namespace
}  // namespace escan
