#include "worker/loop/daemon_watch.h"

#include <gtest/gtest.h>

#include <chrono>
#include <future>
#include <optional>
#include <utility>

#include "worker/loop/daemon_end.h"
#include "worker/loop/state_reporter.h"

namespace escan {
namespace {

constexpr Duration kNever = std::chrono::hours(24);

class DaemonWatchTest : public testing::Test {
 private:
  std::pair<FrameSocket, UniqueFd> pair_ = FrameSocket::Pair().value();

 protected:
  DaemonEnd daemon_{std::move(pair_.first)};
  FrameSocket worker_socket_{std::move(pair_.second)};
};

TEST_F(DaemonWatchTest, RepeatsTheLastStateAsTheHeartbeat) {
  StateReporter reporter(worker_socket_, /*incarnation=*/7);
  reporter.SetGpuUse({.multiprocessors = 38, .memory_bytes = size_t{5} << 30});
  ASSERT_TRUE(reporter.Report(WorkerState::kWarming, 2, 9).ok());
  const DaemonWatch watch(worker_socket_.fd(),
                          {.heartbeat_period = std::chrono::milliseconds(1),
                           .grace = kNever,
                           .heartbeat = [&] { reporter.Heartbeat().IgnoreError(); },
                           .on_stuck = [] { FAIL(); }});
  for (int i = 0; i < 4; ++i) {
    const std::optional<StateFrame> frame = daemon_.Next<StateFrame>();
    ASSERT_TRUE(frame.has_value());
    EXPECT_EQ(frame->header.incarnation, 7u);
    EXPECT_EQ(frame->state, WorkerState::kWarming);
    EXPECT_EQ(frame->done, 2u);
    EXPECT_EQ(frame->total, 9u);
    EXPECT_EQ(frame->multiprocessors, 38u);
    EXPECT_EQ(frame->device_memory, uint64_t{5} << 30);
    EXPECT_EQ(frame->device_fault, 0u);
  }
}

TEST_F(DaemonWatchTest, EndsALoopThatIsStuckAfterTheDaemonIsGone) {
  std::promise<void> stuck;
  const DaemonWatch watch(worker_socket_.fd(), {.heartbeat_period = kNever,
                                                .grace = Duration::zero(),
                                                .heartbeat = [] {},
                                                .on_stuck = [&] { stuck.set_value(); }});
  daemon_.Close();
  stuck.get_future().wait();
}

TEST_F(DaemonWatchTest, LeavesALoopAloneThatEndsWithinTheGrace) {
  bool stuck = false;
  {
    const DaemonWatch watch(worker_socket_.fd(), {.heartbeat_period = kNever,
                                                  .grace = kNever,
                                                  .heartbeat = [] {},
                                                  .on_stuck = [&] { stuck = true; }});
    daemon_.Close();
  }
  EXPECT_FALSE(stuck);
}

TEST_F(DaemonWatchTest, StopsWhileTheDaemonLives) {
  bool stuck = false;
  {
    const DaemonWatch watch(worker_socket_.fd(), {.heartbeat_period = kNever,
                                                  .grace = Duration::zero(),
                                                  .heartbeat = [] {},
                                                  .on_stuck = [&] { stuck = true; }});
  }
  EXPECT_FALSE(stuck);
}

}  // namespace
}  // namespace escan
