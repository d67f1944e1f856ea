#include <gtest/gtest.h>
#include <sys/eventfd.h>

#include <deque>
#include <utility>
#include <vector>

#include "cuda/cuda_fixture.h"
#include "ipc/unique_fd.h"

// Several batches in flight.
namespace escan {
namespace {

// Two stages of one FP32 value: `x` to 2 x + 1, and `x` to 100 - x.
CascadeSpec TwoStages(const Path& first, const Path& second) {
  CascadeSpec cascade = ScalarCascade(first);
  cascade.stages.push_back(
      TorchStage("last", second, {{.tensor = 0}}, {{.name = "y", .shape = {}}}));
  return cascade;
}

class CudaCredits : public CudaExecutorTest {
 protected:
  void SetUp() override {
    CudaExecutorTest::SetUp();
    if (IsSkipped()) return;
    SaveModel(folder_ / "first.pt", "def forward(self, x): return x * 2 + 1\n");
    SaveModel(folder_ / "second.pt", "def forward(self, x): return 100 - x\n");
  }
};

class CudaCreditsOfEachNumber : public CudaCredits, public testing::WithParamInterface<int> {};

TEST_P(CudaCreditsOfEachNumber, KeepBatchesApart) {
  CascadeInSlab bench(TwoStages(folder_ / "first.pt", folder_ / "second.pt"));
  const size_t credits = static_cast<size_t>(GetParam());
  const std::unique_ptr<CudaExecutor> executor = MakePrepared(bench, GetParam());
  if (HasFailure()) return;
  struct Unfinished {
    int stage;
    std::vector<SlotId> slots;
    float value;
  };
  std::deque<Unfinished> unfinished;
  const auto finish = [&] {
    const Unfinished& batch = unfinished.front();
    std::vector<RowResult> results(batch.slots.size());
    std::string failure;
    ASSERT_TRUE(executor->Finish(results, &failure).ok());
    for (size_t row = 0; row < batch.slots.size(); ++row) {
      const float x = batch.value + static_cast<float>(row);
      ASSERT_EQ(bench.Output<float>(batch.slots[row], static_cast<size_t>(batch.stage), 0)[0],
                batch.stage == 0 ? x * 2 + 1 : 100 - x);
    }
    unfinished.pop_front();
  };
  for (size_t round = 0; round < 200; ++round) {
    if (unfinished.size() == credits) finish();
    if (HasFatalFailure()) return;
    const size_t rows = 1 + round * 5 % 8;
    // Eight slots for each batch that may be in flight.
    std::vector<SlotId> slots;
    for (size_t row = 0; row < rows; ++row) {
      slots.push_back(static_cast<SlotId>(round % (credits + 1) * 8 + (row * 3) % 8));
    }
    const float value = static_cast<float>(round * 10);
    for (size_t row = 0; row < rows; ++row) {
      bench.SetInput<float>(slots[row], 0, {value + static_cast<float>(row)});
    }
    const Unfinished& batch =
        unfinished.emplace_back(Unfinished{round % 3 == 0 ? 1 : 0, std::move(slots), value});
    ASSERT_TRUE(executor->Start({.stage = batch.stage, .slots = batch.slots}).ok());
  }
  while (!unfinished.empty() && !HasFatalFailure()) finish();
}

INSTANTIATE_TEST_SUITE_P(Each, CudaCreditsOfEachNumber, testing::Values(1, 2, 4));

TEST_F(CudaCredits, WaitingEndsWhenTheBatchIsDoneOrTheDescriptorIsReadable) {
  CascadeInSlab bench(TwoStages(folder_ / "first.pt", folder_ / "second.pt"));
  const std::unique_ptr<CudaExecutor> executor = MakePrepared(bench, /*credits=*/2);
  if (HasFailure()) return;
  const UniqueFd fd(::eventfd(0, EFD_CLOEXEC));
  executor->AwaitDoneOrReadable(fd.get());  // there is no batch
  const std::vector<SlotId> slots = {3};
  bench.SetInput<float>(3, 0, {20});
  for (int round = 0; round < 3; ++round) {
    ASSERT_TRUE(executor->Start({.stage = 0, .slots = slots}).ok());
    executor->AwaitDoneOrReadable(fd.get());  // the batch is all that can end this
    std::vector<RowResult> results(1);
    std::string failure;
    ASSERT_TRUE(executor->Finish(results, &failure).ok());
    EXPECT_EQ(bench.Output<float>(3, 0, 0)[0], 41);
  }
  ASSERT_EQ(::eventfd_write(fd.get(), 1), 0);
  ASSERT_TRUE(executor->Start({.stage = 1, .slots = slots}).ok());
  executor->AwaitDoneOrReadable(fd.get());
  std::vector<RowResult> results(1);
  std::string failure;
  ASSERT_TRUE(executor->Finish(results, &failure).ok());
  EXPECT_EQ(bench.Output<float>(3, 1, 0)[0], 80);
}

TEST_F(CudaCredits, ASlotOutsideTheBatchIsNotWritten) {
  CascadeInSlab bench(TwoStages(folder_ / "first.pt", folder_ / "second.pt"));
  const std::unique_ptr<CudaExecutor> executor = MakePrepared(bench);
  if (HasFailure()) return;
  for (SlotId slot = 0; slot < CascadeInSlab::kSlots; ++slot) {
    bench.SetInput<float>(slot, 0, {1});
    bench.SetOutput<float>(slot, 0, 0, {-7});
  }
  ASSERT_TRUE(RunOnce(*executor, 0, {5, 6, 9}).status.ok());  // of a bucket of four
  for (SlotId slot = 0; slot < CascadeInSlab::kSlots; ++slot) {
    const bool in_batch = slot == 5 || slot == 6 || slot == 9;
    EXPECT_EQ(bench.Output<float>(slot, 0, 0)[0], in_batch ? 3 : -7) << slot;
  }
}

TEST_F(CudaCredits, RefuseAStageThatIsNotHosted) {
  const CascadeInSlab bench(ScalarCascade(folder_ / "first.pt"));
  const std::unique_ptr<CudaExecutor> executor = MakePrepared(bench);
  if (HasFailure()) return;
  EXPECT_TRUE(absl::IsInvalidArgument(RunOnce(*executor, 3, {1}).status));
}

}  // namespace
}  // namespace escan
