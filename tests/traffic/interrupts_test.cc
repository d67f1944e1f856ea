#include "traffic/interrupts.h"

#include <gtest/gtest.h>

#include <csignal>

namespace escan {
namespace {

TEST(InterruptsDeathTest, AreNotedOnceOfEachKindAndThenEndTheProgram) {
  const auto interrupt = [](int signal) {
    CatchInterrupts();
    if (Interrupted()) return;
    raise(signal);
    if (!Interrupted()) return;
    raise(signal);
  };
  EXPECT_EXIT(interrupt(SIGINT), testing::KilledBySignal(SIGINT), "");
  EXPECT_EXIT(interrupt(SIGTERM), testing::KilledBySignal(SIGTERM), "");
}

}  // namespace
}  // namespace escan
