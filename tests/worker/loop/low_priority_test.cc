#include "worker/loop/low_priority.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sched.h>
#include <sys/resource.h>
#include <unistd.h>

#include <string>
#include <thread>

namespace escan {
namespace {

int NiceOfThisThread() { return ::getpriority(PRIO_PROCESS, static_cast<id_t>(::gettid())); }

TEST(LowPriority, IsThatOfTheWorkAndOfTheThreadsThatItBeginsOnly) {
  const int before = NiceOfThisThread();
  int during = before;
  int begun = before;
  RunAtLowPriority([&] {
    during = NiceOfThisThread();
    std::thread([&] { begun = NiceOfThisThread(); }).join();
  });
  EXPECT_TRUE(during > before || before == 19) << during;
  EXPECT_EQ(begun, during);
  EXPECT_EQ(NiceOfThisThread(), before);
}

TEST(RunOnCpus, IsForTheCallingThread) {
  const int here = ::sched_getcpu();
  std::thread([here] {
    EXPECT_TRUE(RunOnCpus({here}).ok());
    EXPECT_EQ(::sched_getcpu(), here);
    EXPECT_TRUE(RunOnCpus({}).ok());
    EXPECT_EQ(RunOnCpus({100000}).message(), "cannot run on CPUs 100000: Invalid argument");
  }).join();
}

}  // namespace
}  // namespace escan
