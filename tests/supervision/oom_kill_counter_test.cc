#include "supervision/oom_kill_counter.h"

#include <gtest/gtest.h>

#include <csignal>
#include <filesystem>
#include <fstream>
#include <string>

#include "support/temporary_folder.h"

namespace escan {
namespace {

constexpr ProcessExit kSigkill{.by_signal = true, .value = SIGKILL};

TEST(OomKillCounter, FindsTheCountAmongTheOthers) {
  EXPECT_EQ(OomKillCounter::Parse("nr_free_pages 5\noom_kill 12\ndrop_pagecache 0\n"), 12u);
  EXPECT_EQ(OomKillCounter::Parse("oom_kill 3"), 3u);
  EXPECT_EQ(OomKillCounter::Parse("oom_kill 18446744073709551615\n"), UINT64_MAX);
}

TEST(OomKillCounter, FindsNoCountInAnythingElse) {
  for (const char* text : {"", "\n\n", "oom_kill", "oom_kill \n", "oom_kill x\n", "oom_kill 1x\n",
                           "my_oom_kill 7\n", "oom_kills 7\n", "oom_kill 18446744073709551616\n"}) {
    EXPECT_EQ(OomKillCounter::Parse(text), std::nullopt) << text;
  }
}

TEST(OomKillCounter, IsInTheKernelsOwnFile) {
  std::ifstream file("/proc/vmstat");
  const std::string text{std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
  EXPECT_TRUE(OomKillCounter::Parse(text).has_value());
}

class VmstatTest : public ::testing::Test {
 protected:
  void Write(int oom_kills) const { std::ofstream(path_) << "oom_kill " << oom_kills << "\n"; }

  const TemporaryFolder folder_;
  const std::filesystem::path path_ = folder_.path("vmstat");
};

TEST_F(VmstatTest, TellsAKillFromOutsideFromAWorkersOwnEnd) {
  Write(4);
  const OomKillCounter counter(path_);
  EXPECT_TRUE(counter.KilledFromOutside(kSigkill));
  EXPECT_TRUE(counter.KilledFromOutside({.by_signal = true, .value = SIGTERM}));
  EXPECT_FALSE(counter.KilledFromOutside({.by_signal = true, .value = SIGSEGV}));
  EXPECT_FALSE(counter.KilledFromOutside({.by_signal = true, .value = SIGABRT}));
  EXPECT_FALSE(counter.KilledFromOutside({.by_signal = false, .value = SIGKILL}));
  EXPECT_FALSE(counter.KilledFromOutside({.by_signal = false, .value = 0}));
}

TEST_F(VmstatTest, SuspectsAWorkerThatEndedWithAnOomKill) {
  Write(4);
  const OomKillCounter counter(path_);
  Write(5);
  EXPECT_FALSE(counter.KilledFromOutside(kSigkill));
  EXPECT_TRUE(OomKillCounter(path_).KilledFromOutside(kSigkill));
}

TEST_F(VmstatTest, AssumesNoOomKillWhereTheKernelDoesNotCount) {
  EXPECT_TRUE(OomKillCounter(path_).KilledFromOutside(kSigkill));
}

}  // namespace
}  // namespace escan
