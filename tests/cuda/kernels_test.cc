#include <cuda_fp16.h>
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <limits>
#include <numeric>
#include <random>
#include <string>
#include <vector>

#include "cuda/gpu_test.h"
#include "worker/cuda/gpu_kernels.h"
#include "worker/cuda/gpu_memory.h"
#include "worker/loop/exit_scores.h"

namespace escan {
namespace {

constexpr size_t kStride = 512 << 10;
constexpr uint32_t kSlots = 80;

std::vector<std::byte> RandomBytes(size_t count, unsigned seed) {
  std::minstd_rand random(seed);
  std::vector<std::byte> bytes(count);
  for (std::byte& byte : bytes) byte = static_cast<std::byte>(random() >> 8);
  return bytes;
}

DeviceMemory ToDevice(const void* data, size_t bytes) {
  DeviceMemory memory = AllocateDevice(bytes).value();
  EXPECT_EQ(cudaMemcpy(memory.get(), data, bytes, cudaMemcpyHostToDevice), cudaSuccess);
  return memory;
}

std::vector<std::byte> ToHost(const std::byte* memory, size_t bytes) {
  std::vector<std::byte> data(bytes);
  EXPECT_EQ(cudaDeviceSynchronize(), cudaSuccess);
  EXPECT_EQ(cudaMemcpy(data.data(), memory, bytes, cudaMemcpyDeviceToHost), cudaSuccess);
  return data;
}

class GatherTest : public testing::Test {
 protected:
  void SetUp() override {
    ESCAN_SKIP_WITHOUT_GPU();
    slab_ = AllocatePinned(kStride * kSlots).value();
    const std::vector<std::byte> bytes = RandomBytes(kStride * kSlots, 1);
    std::memcpy(slab_.get(), bytes.data(), bytes.size());
  }

  static std::vector<SlotId> SomeSlots(size_t rows) {
    std::vector<SlotId> slots(rows);
    for (size_t i = 0; i < rows; ++i) slots[i] = static_cast<SlotId>((i * 37 + 5) % kSlots);
    return slots;
  }

  // Gathers and compares with a copy by the CPU; nothing outside the rows may change.
  void Check(const std::vector<SlotId>& slots, int bucket, const std::vector<uint32_t>& row_bytes,
             size_t misalignment = 0) {
    constexpr size_t kGuard = 64;
    std::vector<DeviceMemory> targets;
    std::vector<GatherInput> inputs;
    size_t offset = 0;
    for (const uint32_t bytes : row_bytes) {
      const size_t size = bytes * static_cast<size_t>(bucket) + misalignment + kGuard;
      targets.push_back(AllocateDevice(size).value());
      ASSERT_EQ(cudaMemset(targets.back().get(), 0xab, size), cudaSuccess);
      inputs.push_back(
          {.offset = offset, .row_bytes = bytes, .target = targets.back().get() + misalignment});
      offset += (bytes + 63) / 64 * 64;
    }
    ASSERT_LE(offset, kStride);
    ASSERT_EQ(LaunchGather({slab_.get(), kStride}, slots, bucket, inputs, /*stream=*/nullptr),
              cudaSuccess);
    for (size_t i = 0; i < inputs.size(); ++i) {
      std::vector<std::byte> expected(misalignment, std::byte{0xab});
      for (const SlotId slot : slots) {
        const std::byte* row = slab_.get() + slot * kStride + inputs[i].offset;
        expected.insert(expected.end(), row, row + row_bytes[i]);
      }
      const size_t rows = static_cast<size_t>(bucket);
      expected.resize(misalignment + rows * row_bytes[i], std::byte{0});
      expected.resize(expected.size() + kGuard, std::byte{0xab});
      EXPECT_EQ(ToHost(targets[i].get(), expected.size()) == expected, true)
          << "input " << i << " of " << row_bytes[i] << " bytes, " << slots.size() << " rows of "
          << bucket;
    }
  }

  PinnedMemory slab_;
};

TEST_F(GatherTest, CopiesRowsOfAnySize) {
  for (const uint32_t bytes :
       {1u,   2u,   3u,   4u,   7u,   8u,    15u,   16u,   17u,   63u,    64u,
        100u, 127u, 128u, 129u, 784u, 2047u, 2048u, 2064u, 3072u, 10001u, 150528u}) {
    for (const size_t rows : {1, 3, 64}) Check(SomeSlots(rows), static_cast<int>(rows), {bytes});
  }
}

TEST_F(GatherTest, FillsTheRestOfTheBucketWithZeros) {
  Check(SomeSlots(1), 64, {150528});
  Check(SomeSlots(17), 64, {784});
  Check(SomeSlots(3), 4, {5});
}

TEST_F(GatherTest, TakesAsManyRowsAsABatchMayHave) {
  Check(SomeSlots(kMaxBatchRows), kMaxBatchRows, {4, 3072});
}

TEST_F(GatherTest, TakesMoreInputsThanOneLaunchDoes) {
  Check(SomeSlots(5), 8, {4, 1, 16, 2048, 3, 8, 100, 12, 4096, 7, 784, 2, 32, 64, 1, 6, 20});
}

TEST_F(GatherTest, WritesToAnyAlignment) {
  for (const size_t misalignment : {1, 2, 4, 8, 12}) {
    Check(SomeSlots(3), 4, {48, 3, 2064}, misalignment);
  }
}

TEST_F(GatherTest, ReadsASlotAsOftenAsItIsNamed) { Check({7, 7, 0, 79, 7}, 5, {3072}); }

template <typename Source>
std::vector<std::byte> BytesOf(const std::vector<Source>& values) {
  std::vector<std::byte> bytes(values.size() * sizeof(Source));
  std::memcpy(bytes.data(), values.data(), bytes.size());
  return bytes;
}

class PackTest : public testing::Test {
 protected:
  void SetUp() override { ESCAN_SKIP_WITHOUT_GPU(); }

  struct Packed {
    std::vector<float> scores;
    std::vector<std::byte> output;
  };

  // Packs `rows` rows of one output and scores them, into pinned memory as a step does.
  static Packed Pack(const std::vector<std::byte>& source, uint32_t elements, Conversion conversion,
                     size_t target_bytes, ExitScore score, int rows) {
    const DeviceMemory device = ToDevice(source.data(), source.size());
    const PinnedMemory output = AllocatePinned(target_bytes + 1).value();
    const PinnedMemory scores = AllocatePinned(sizeof(float) * static_cast<size_t>(rows)).value();
    output.get()[target_bytes] = std::byte{0xcd};
    const std::vector<PackOutput> outputs = {{.source = device.get(),
                                              .target = output.get(),
                                              .elements = elements,
                                              .conversion = conversion}};
    const ScoreRule rule = {
        .score = score, .output = 0, .target = reinterpret_cast<float*>(scores.get())};
    EXPECT_EQ(LaunchPackAndScore(outputs, rule, rows, /*stream=*/nullptr), cudaSuccess);
    EXPECT_EQ(cudaDeviceSynchronize(), cudaSuccess);
    EXPECT_EQ(output.get()[target_bytes], std::byte{0xcd}) << "wrote past the rows";
    Packed packed{std::vector<float>(static_cast<size_t>(rows)),
                  std::vector<std::byte>(output.get(), output.get() + target_bytes)};
    std::memcpy(packed.scores.data(), scores.get(), packed.scores.size() * sizeof(float));
    return packed;
  }

  // Scores of rows of FP32 values.
  static std::vector<float> Scores(const std::vector<float>& values, uint32_t elements,
                                   ExitScore score) {
    return Pack(BytesOf(values), elements, Conversion::kCopy4, values.size() * sizeof(float), score,
                static_cast<int>(values.size() / elements))
        .scores;
  }
};

// Probability vectors of so many classes.
std::vector<float> Probabilities(size_t rows, size_t classes) {
  std::minstd_rand random(static_cast<unsigned>(classes));
  std::vector<float> values;
  for (size_t row = 0; row < rows; ++row) {
    std::vector<float> p(classes);
    for (float& x : p) x = std::exp(static_cast<float>(random() % 1000) / 120);
    const float sum = std::accumulate(p.begin(), p.end(), 0.0f);
    for (const float x : p) values.push_back(x / sum);
  }
  return values;
}

TEST_F(PackTest, ScoresRowsAsTheCpuDoes) {
  for (const size_t classes : {1u, 2u, 3u, 10u, 31u, 32u, 33u, 127u, 128u, 129u, 1000u, 5003u}) {
    const std::vector<float> values = Probabilities(64, classes);
    for (const ExitScore score :
         {ExitScore::kMaxProbability, ExitScore::kMargin, ExitScore::kEntropy}) {
      const std::vector<float> found = Scores(values, static_cast<uint32_t>(classes), score);
      for (size_t row = 0; row < found.size(); ++row) {
        const std::span<const float> p(&values[row * classes], classes);
        EXPECT_NEAR(found[row], ExitScoreOf(score, p), 1e-5)
            << Name(score) << " of " << classes << " classes, row " << row;
      }
    }
  }
}

TEST_F(PackTest, ScoresWhatIsNoProbabilityVectorNan) {
  const float nan = std::numeric_limits<float>::quiet_NaN();
  const float infinity = std::numeric_limits<float>::infinity();
  const std::vector<float> values = {0.5f, nan,       0.5f, 0.5f, infinity, 0,    0.5f, -0.1f,
                                     0.6f, -infinity, 1,    0,    0.2f,     0.3f, 0.5f};
  for (const ExitScore score :
       {ExitScore::kMaxProbability, ExitScore::kMargin, ExitScore::kEntropy}) {
    const std::vector<float> scores = Scores(values, 3, score);
    for (size_t row = 0; row < 4; ++row) EXPECT_TRUE(std::isnan(scores[row])) << Name(score) << row;
    EXPECT_FALSE(std::isnan(scores[4])) << Name(score);
  }
}

TEST_F(PackTest, ScoresCertainAndEqualClasses) {
  const std::vector<float> values = {0, 1, 0, 0, 0.25f, 0.25f, 0.25f, 0.25f};
  EXPECT_EQ(Scores(values, 4, ExitScore::kMaxProbability), (std::vector<float>{1, 0.25f}));
  EXPECT_EQ(Scores(values, 4, ExitScore::kMargin), (std::vector<float>{1, 0}));
  const std::vector<float> certainty = Scores(values, 4, ExitScore::kEntropy);
  EXPECT_EQ(certainty[0], 1);
  EXPECT_NEAR(certainty[1], 0, 1e-6);
}

TEST_F(PackTest, TakesTheModelsOwnScoreAsItIs) {
  EXPECT_EQ(Scores({-3, 0.5f, 7e30f}, 1, ExitScore::kOutput),
            (std::vector<float>{-3, 0.5f, 7e30f}));
}

TEST_F(PackTest, ScoresNothingNan) {
  for (const float score : Scores({0.5f, 0.5f}, 1, ExitScore::kNone)) {
    EXPECT_TRUE(std::isnan(score));
  }
}

TEST_F(PackTest, ConvertsHalfAndScoresIt) {
  std::vector<__half> halves;
  std::vector<float> floats;
  for (const float value : Probabilities(7, 10)) {
    halves.push_back(__float2half(value));
    floats.push_back(__half2float(halves.back()));
  }
  const Packed packed = Pack(BytesOf(halves), 10, Conversion::kFp16ToFp32,
                             floats.size() * sizeof(float), ExitScore::kMaxProbability, 7);
  EXPECT_EQ(packed.output, BytesOf(floats));
  for (size_t row = 0; row < 7; ++row) {
    EXPECT_EQ(packed.scores[row],
              ExitScoreOf(ExitScore::kMaxProbability, std::span(&floats[row * 10], 10)));
  }
}

TEST_F(PackTest, ConvertsFp32ToHalf) {
  const std::vector<float> floats = {1, -2.5f, 0.1f, 65504, 1e-8f, 3};
  std::vector<__half> halves;
  for (const float value : floats) halves.push_back(__float2half(value));
  EXPECT_EQ(Pack(BytesOf(floats), 3, Conversion::kFp32ToFp16, 12, ExitScore::kNone, 2).output,
            BytesOf(halves));
}

TEST_F(PackTest, ConvertsBfloat16) {
  // The upper half of an FP32.
  const std::vector<uint16_t> source = {0x3f80, 0xc020, 0x0000};  // 1, -2.5, 0
  EXPECT_EQ(Pack(BytesOf(source), 3, Conversion::kBf16ToFp32, 12, ExitScore::kNone, 1).output,
            BytesOf(std::vector<float>{1, -2.5f, 0}));
  EXPECT_EQ(Pack(BytesOf(source), 3, Conversion::kBf16ToFp16, 6, ExitScore::kNone, 1).output,
            BytesOf(std::vector<uint16_t>{0x3c00, 0xc100, 0}));
}

TEST_F(PackTest, CopiesEveryWidthAndTheRowsOfTheBatchOnly) {
  const std::vector<std::pair<Conversion, size_t>> widths = {{Conversion::kCopy1, 1},
                                                             {Conversion::kCopy2, 2},
                                                             {Conversion::kCopy4, 4},
                                                             {Conversion::kCopy8, 8}};
  for (const auto& [conversion, width] : widths) {
    for (const uint32_t elements : {1u, 7u, 5000u, 100000u}) {
      const size_t row_bytes = elements * width;
      std::vector<std::byte> source = RandomBytes(4 * row_bytes, elements);
      const Packed packed = Pack(source, elements, conversion, 3 * row_bytes, ExitScore::kNone, 3);
      source.resize(3 * row_bytes);
      EXPECT_EQ(packed.output == source, true) << width << " bytes, " << elements << " elements";
    }
  }
}

TEST_F(PackTest, TakesMoreOutputsThanOneLaunchDoesAndScoresAnyOfThem) {
  constexpr int kOutputs = 11;
  for (const int scored : {0, 7, 8, 10}) {
    std::vector<DeviceMemory> sources;
    const PinnedMemory block = AllocatePinned(16 * (kOutputs + 1)).value();
    std::vector<PackOutput> outputs;
    for (int i = 0; i < kOutputs; ++i) {
      const float value = static_cast<float>(i) + 0.5f;
      sources.push_back(ToDevice(&value, sizeof(value)));
      outputs.push_back(
          {.source = sources.back().get(), .target = block.get() + 16 * (i + 1), .elements = 1});
    }
    const ScoreRule rule = {.score = ExitScore::kOutput,
                            .output = scored,
                            .target = reinterpret_cast<float*>(block.get())};
    ASSERT_EQ(LaunchPackAndScore(outputs, rule, /*rows=*/1, /*stream=*/nullptr), cudaSuccess);
    ASSERT_EQ(cudaDeviceSynchronize(), cudaSuccess);
    const auto value_at = [&](int i) {
      return *reinterpret_cast<const float*>(block.get() + 16 * i);
    };
    EXPECT_EQ(value_at(0), static_cast<float>(scored) + 0.5f);
    for (int i = 0; i < kOutputs; ++i) EXPECT_EQ(value_at(i + 1), static_cast<float>(i) + 0.5f);
  }
}

}  // namespace
}  // namespace escan
