#include "worker/cuda/completion_waiter.h"

#include <gtest/gtest.h>
#include <sys/eventfd.h>

#include <atomic>
#include <optional>
#include <thread>
#include <vector>

#include "cuda/gpu_test.h"
#include "ipc/unique_fd.h"
#include "worker/cuda/gpu_memory.h"

namespace escan {
namespace {

// A host function holds a stream's event back until the test lets go.
class CompletionWaiterTest : public testing::Test {
 protected:
  void SetUp() override {
    ESCAN_SKIP_WITHOUT_GPU();
    stream_ = MakeStream(/*urgent=*/false).value();
    event_ = MakeEvent().value();
    waiter_.emplace(CompletionWaiter::Create().value());
  }
  void TearDown() override { let_go_ = true; }

  void RecordHeldBack() {
    ASSERT_EQ(cudaLaunchHostFunc(
                  stream_.get(),
                  [](void* let_go) {
                    while (!*static_cast<std::atomic<bool>*>(let_go)) std::this_thread::yield();
                  },
                  &let_go_),
              cudaSuccess);
    ASSERT_EQ(cudaEventRecord(event_.get(), stream_.get()), cudaSuccess);
  }

  void LetGoAfter(Duration delay) {
    const TimePoint until = Clock::now() + delay;
    while (Clock::now() < until) std::this_thread::yield();
    let_go_ = true;
  }

  std::atomic<bool> let_go_ = false;
  UniqueFd fd_{::eventfd(0, EFD_CLOEXEC)};
  GpuStream stream_;
  GpuEvent event_;
  std::optional<CompletionWaiter> waiter_;
};

TEST_F(CompletionWaiterTest, ReturnsAtOnceForWhatIsDone) {
  ASSERT_EQ(cudaEventRecord(event_.get(), stream_.get()), cudaSuccess);
  ASSERT_EQ(cudaStreamSynchronize(stream_.get()), cudaSuccess);
  EXPECT_EQ(waiter_->Await(event_.get(), Clock::now() + std::chrono::hours(1), -1).value(),
            WaitEnd::kWasDone);
}

TEST_F(CompletionWaiterTest, ReturnsWhenTheDescriptorIsReadable) {
  RecordHeldBack();
  ASSERT_EQ(::eventfd_write(fd_.get(), 1), 0);
  const TimePoint later = Clock::now() + std::chrono::hours(1);
  EXPECT_EQ(waiter_->Await(event_.get(), later, fd_.get()).value(), WaitEnd::kReadable);
  EXPECT_EQ(waiter_->Await(event_.get(), Clock::now(), fd_.get()).value(), WaitEnd::kReadable);
}

TEST_F(CompletionWaiterTest, TellsWhenItSleptTooLong) {
  RecordHeldBack();
  std::thread release([this] { LetGoAfter(std::chrono::milliseconds(5)); });
  EXPECT_EQ(waiter_->Await(event_.get(), Clock::now() + std::chrono::milliseconds(500), -1).value(),
            WaitEnd::kDoneLate);
  release.join();
}

TEST_F(CompletionWaiterTest, BlocksUntilTheEventHasHappened) {
  for (int round = 0; round < 3; ++round) {
    let_go_ = false;
    RecordHeldBack();
    // Past the spin, so that it is a notification that ends the wait.
    std::thread release([this] { LetGoAfter(std::chrono::milliseconds(5)); });
    EXPECT_EQ(waiter_->Await(event_.get(), Clock::now(), fd_.get()).value(), WaitEnd::kDone);
    release.join();
    EXPECT_EQ(cudaEventQuery(event_.get()), cudaSuccess);
  }
}

TEST_F(CompletionWaiterTest, ReturnsForTheDescriptorWhileItBlocks) {
  RecordHeldBack();
  std::thread write([this] {
    const TimePoint until = Clock::now() + std::chrono::milliseconds(5);
    while (Clock::now() < until) std::this_thread::yield();
    ::eventfd_write(fd_.get(), 1);
  });
  EXPECT_EQ(waiter_->Await(event_.get(), Clock::now(), fd_.get()).value(), WaitEnd::kReadable);
  write.join();
  let_go_ = true;
  ASSERT_EQ(cudaEventSynchronize(event_.get()), cudaSuccess);
  EXPECT_EQ(waiter_->Await(event_.get(), Clock::now(), -1).value(), WaitEnd::kWasDone);
}

// As many streams as libtorch makes, of which several share each hardware queue: none of what was
// enqueued on them since may hold the wait up.
TEST_F(CompletionWaiterTest, DoesNotWaitForWhatWasEnqueuedSince) {
  std::vector<GpuStream> others;
  for (int i = 0; i < 32; ++i) others.push_back(MakeStream(/*urgent=*/false).value());
  RecordHeldBack();
  std::atomic<bool> later_go = false;
  const auto hold = [](void* go) {
    while (!*static_cast<std::atomic<bool>*>(go)) std::this_thread::yield();
  };
  const GpuEvent later = MakeEvent().value();
  ASSERT_EQ(cudaStreamWaitEvent(others.back().get(), event_.get()), cudaSuccess);
  ASSERT_EQ(cudaLaunchHostFunc(others.back().get(), hold, &later_go), cudaSuccess);
  ASSERT_EQ(cudaEventRecord(later.get(), others.back().get()), cudaSuccess);
  for (const GpuStream& other : others) {
    ASSERT_EQ(cudaStreamWaitEvent(other.get(), later.get()), cudaSuccess);
  }
  ASSERT_EQ(cudaStreamWaitEvent(stream_.get(), later.get()), cudaSuccess);
  std::thread release([this] { LetGoAfter(std::chrono::milliseconds(5)); });
  EXPECT_EQ(waiter_->Await(event_.get(), Clock::now(), fd_.get()).value(), WaitEnd::kDone);
  EXPECT_EQ(cudaEventQuery(later.get()), cudaErrorNotReady);
  release.join();
  later_go = true;
  EXPECT_EQ(cudaDeviceSynchronize(), cudaSuccess);
}

}  // namespace
}  // namespace escan
