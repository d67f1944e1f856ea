#include "profiling/step_figures.h"

#include <gtest/gtest.h>

namespace escan {
namespace {

StepFigures Window(double rate, double step = 1) { return {.rate = rate, .step = Seconds(step)}; }

TEST(StepFigures, TwoDisturbedWindowsOfFiveDoNotCount) {
  const StepFigures figures =
      MedianOf({Window(100, 3), Window(20, 9), Window(101, 2), Window(99, 1), Window(55, 8)});
  EXPECT_EQ(figures.rate, 99);
  EXPECT_EQ(figures.step, Seconds(3));
}

TEST(StepFigures, TheSpreadIsThatOfTheMiddleThreeOfFive) {
  const StepFigures figures =
      MedianOf({Window(100), Window(1), Window(96), Window(1000), Window(104)});
  EXPECT_EQ(figures.rate, 100);
  EXPECT_DOUBLE_EQ(figures.spread, 0.08);
}

TEST(StepFigures, FewWindowsAreAllThereIs) {
  EXPECT_EQ(MedianOf({Window(7, 2)}), Window(7, 2));
  const StepFigures two = MedianOf({Window(30, 4), Window(10, 2)});
  EXPECT_EQ(two.rate, 20);
  EXPECT_EQ(two.step, Seconds(3));
  EXPECT_DOUBLE_EQ(two.spread, 1);
}

}  // namespace
}  // namespace escan
