#include "config/scalars.h"

#include <gtest/gtest.h>

#include <limits>
#include <string>

namespace escan {
namespace {

using namespace std::chrono_literals;

TEST(ParseDuration, ReadsNumbersWithUnits) {
  EXPECT_EQ(*ParseDuration("7ns"), 7ns);
  EXPECT_EQ(*ParseDuration("500us"), 500us);
  EXPECT_EQ(*ParseDuration("1ms"), 1ms);
  EXPECT_EQ(*ParseDuration("2s"), 2s);
  EXPECT_EQ(*ParseDuration("1.5s"), 1500ms);
  EXPECT_EQ(*ParseDuration("1m"), 1min);
  EXPECT_EQ(*ParseDuration("0s"), 0s);
  EXPECT_EQ(*ParseDuration("1440m"), 24h);
}

TEST(ParseDuration, RefusesEverythingElse) {
  for (const std::string text : {"", "5", "ms", "-1s", "1 s", "1s ", "1sec", "1.2.3s", ".s", "1e3s",
                                 "1441m", "nan", "infs", "99999999999999999999m"}) {
    EXPECT_FALSE(ParseDuration(text).ok()) << text;
  }
}

TEST(FormatDuration, UsesTheLargestWholeUnit) {
  EXPECT_EQ(FormatDuration(0s), "0s");
  EXPECT_EQ(FormatDuration(1500ms), "1500ms");
  EXPECT_EQ(FormatDuration(60s), "1m");
  EXPECT_EQ(FormatDuration(90s), "90s");
  EXPECT_EQ(FormatDuration(1001ns), "1001ns");
}

TEST(FormatDuration, IsReadBackExactly) {
  for (const Duration duration : {Duration(0ns), Duration(1ns), Duration(999us), Duration(20ms),
                                  Duration(86399999999999ns), Duration(24h)}) {
    EXPECT_EQ(*ParseDuration(FormatDuration(duration)), duration);
  }
}

constexpr size_t kMiB = size_t{1} << 20;
constexpr size_t kGiB = size_t{1} << 30;

TEST(ParseMemorySize, ReadsNumbersWithBinaryUnits) {
  EXPECT_EQ(*ParseMemorySize("1MiB"), kMiB);
  EXPECT_EQ(*ParseMemorySize("512MiB"), 512 * kMiB);
  EXPECT_EQ(*ParseMemorySize("2048KiB"), 2 * kMiB);
  EXPECT_EQ(*ParseMemorySize("1.5GiB"), 1536 * kMiB);
  EXPECT_EQ(*ParseMemorySize("1024GiB"), 1024 * kGiB);
}

TEST(ParseMemorySize, RefusesEverythingElse) {
  for (const std::string text : {"",
                                 "6",
                                 "GiB",
                                 "-1GiB",
                                 "1 GiB",
                                 "1GiB ",
                                 "1GB",
                                 "1G",
                                 "1gib",
                                 "1.2.3GiB",
                                 ".GiB",
                                 "1e3GiB",
                                 "1073741824B",
                                 "0GiB",
                                 "0.5MiB",
                                 "1023KiB",
                                 "1025KiB",
                                 "1.1GiB",
                                 "1025GiB",
                                 "nan",
                                 "infGiB",
                                 "99999999999999999999GiB"}) {
    EXPECT_FALSE(ParseMemorySize(text).ok()) << text;
  }
}

TEST(FormatMemorySize, UsesTheLargestWholeUnitAndIsReadBack) {
  EXPECT_EQ(FormatMemorySize(6 * kGiB), "6GiB");
  EXPECT_EQ(FormatMemorySize(1536 * kMiB), "1536MiB");
  for (const size_t bytes : {kMiB, 1023 * kMiB, kGiB, 1025 * kMiB, 1024 * kGiB}) {
    EXPECT_EQ(*ParseMemorySize(FormatMemorySize(bytes)), bytes);
  }
}

TEST(ParseName, TakesLettersDigitsUnderscoreAndDash) {
  EXPECT_EQ(*ParseName("Fashion-MNIST_2"), "Fashion-MNIST_2");
  EXPECT_EQ(*ParseName(std::string(64, 'a')), std::string(64, 'a'));
}

TEST(ParseName, RefusesEverythingElse) {
  for (const std::string text : {"", "a.b", "a b", "a/b", "\xc3\xa9", "a\n"}) {
    EXPECT_FALSE(ParseName(text).ok()) << text;
  }
  EXPECT_FALSE(ParseName(std::string(65, 'a')).ok());
}

TEST(FormatNumber, IsTheShortestThatReadsBack) {
  EXPECT_EQ(FormatNumber(0.7f), "0.7");
  EXPECT_EQ(FormatNumber(1.0f), "1");
  EXPECT_EQ(FormatNumber(-3.5f), "-3.5");
  for (const float number : {0.1f + 0.2f, 0.94999999f, 1e-30f, std::numeric_limits<float>::max()}) {
    EXPECT_EQ(std::stof(FormatNumber(number)), number);
  }
}

}  // namespace
}  // namespace escan
