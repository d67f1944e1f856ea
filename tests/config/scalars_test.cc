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
