#include "profiling/progress_display.h"

#include <gtest/gtest.h>

#include <sstream>

#include "profiling/profiled_cascade.h"

namespace escan {
namespace {

Profiler::Progress At(int stage, int thread_percent, int done) {
  return {.next = {.stage = stage, .thread_percent = thread_percent},
          .done = done,
          .found = 10,
          .all = 40};
}

TEST(ProgressText, SaysNothingOfTheTimeBeforeAnythingWasMeasured) {
  EXPECT_EQ(ProgressText(ProfiledCascade(), At(0, 50, 10), std::chrono::seconds(3)),
            "stage early at 50 %: 10 of 40 measured");
}

TEST(ProgressText, EstimatesWhatIsLeftFromWhatWasMeasuredSinceTheStart) {
  EXPECT_EQ(ProgressText(ProfiledCascade(), At(1, 100, 20), std::chrono::seconds(35)),
            "stage late at 100 %: 20 of 40 measured, about 1m10s left");
}

TEST(ProgressDisplay, WritesALineForEachStageAndShare) {
  std::ostringstream out;
  const CascadeSpec cascade = ProfiledCascade();
  {
    ProgressDisplay display(cascade, &out, /*terminal=*/false, TimePoint());
    display.Show(At(0, 50, 10), TimePoint());
    display.Show(At(0, 50, 11), TimePoint());
    display.Show(At(0, 100, 12), TimePoint());
  }
  EXPECT_EQ(out.str(),
            "stage early at 50 %: 10 of 40 measured\n"
            "stage early at 100 %: 12 of 40 measured, about 0 left\n");
}

TEST(ProgressDisplay, KeepsToOneLineOfATerminal) {
  std::ostringstream out;
  const CascadeSpec cascade = ProfiledCascade();
  {
    ProgressDisplay display(cascade, &out, /*terminal=*/true, TimePoint());
    display.Show(At(0, 50, 10), TimePoint());
  }
  EXPECT_EQ(out.str(), "\r\033[Kstage early at 50 %: 10 of 40 measured\r\033[K");
}

}  // namespace
}  // namespace escan
