#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <iterator>
#include <string>

#include "absl/strings/str_cat.h"
#include "worker/torch/torch_fixture.h"

// Models that cannot be served, and what is said about them.
namespace escan {
namespace {

using testing::HasSubstr;

absl::Status PrepareError(const CascadeSpec& cascade) {
  const CascadeInSlab bench(cascade);
  TorchExecutor executor = MakeTorchExecutor(bench);
  return Prepare(executor);
}

class BadModel : public TorchExecutorTest {
 protected:
  // Expects that a stage with this model cannot be prepared, and why.
  void ExpectError(const CascadeSpec& cascade, const std::string& why) {
    const absl::Status status = PrepareError(cascade);
    const std::string message(status.message());
    EXPECT_FALSE(status.ok());
    EXPECT_THAT(message, testing::StartsWith(absl::StrCat(
                             "stage 'only' (", cascade.stages[0].model.string(), "): ")));
    EXPECT_THAT(message, HasSubstr(why));
  }
};

TEST_F(BadModel, IsMissing) {
  ExpectError(ScalarCascade(folder_ / "absent.pt"),
              "cannot open the model: No such file or directory");
}

TEST_F(BadModel, IsNoTorchScriptFile) {
  std::ofstream(folder_ / "model.pt") << "not a model";
  ExpectError(ScalarCascade(folder_ / "model.pt"),
              "this is text (\"not a model\"): expected TorchScript (torch.jit.script or "
              "torch.jit.trace, then save)");
}

TEST_F(BadModel, IsCutShort) {
  const Path file = Save("def forward(self, x): return x");
  std::filesystem::resize_file(file, std::filesystem::file_size(file) / 2);
  ExpectError(ScalarCascade(file),
              "this is a zip archive that was cut short: the directory at its end is missing");
}

// libtorch does not look at the checksums.
TEST_F(BadModel, HasAWrongBitInItsWeights) {
  const Path file = Save("def forward(self, x): return x * self.w", {{"w", {}, {1234.5f}}});
  std::fstream stream(file, std::ios::binary | std::ios::in | std::ios::out);
  const std::string content{std::istreambuf_iterator<char>(stream), {}};
  const float weight = 1234.5f;
  const size_t at = content.find(std::string(reinterpret_cast<const char*>(&weight), 4));
  ASSERT_NE(at, content.npos);
  stream.seekp(static_cast<std::streamoff>(at));
  stream.put(static_cast<char>(content[at] ^ 1));
  stream.close();
  ExpectError(ScalarCascade(file), "record 'model/data/0' is damaged: its checksum is ");
}

TEST_F(BadModel, IsAFolder) {
  ExpectError(ScalarCascade(folder_), "cannot read the model: Is a directory");
}

TEST_F(BadModel, HasNoForward) {
  ExpectError(ScalarCascade(Save("def backward(self, x): return x")),
              "the module has no method 'forward'");
}

TEST_F(BadModel, TakesAnotherNumberOfInputs) {
  ExpectError(ScalarCascade(Save("def forward(self, a, b): return a + b")),
              "forward() takes 2 tensors, the stage has 1 inputs");
}

TEST_F(BadModel, DoesNotAcceptTheInputsShape) {
  ExpectError(ScalarCascade(Save("def forward(self, x): return torch.matmul(x, self.w)",
                                 {{"w", {3, 2}, {1, 2, 3, 4, 5, 6}}})),
              "with zeros for 'x' FP32 [1]: ");
}

TEST_F(BadModel, ReturnsAnotherDatatype) {
  ExpectError(ScalarCascade(Save("def forward(self, x): return x.double()")),
              "forward() returned for output 'y' FP64 [1], expected FP32 [1]");
}

TEST_F(BadModel, ReturnsAnotherShape) {
  ExpectError(ScalarCascade(Save("def forward(self, x): return torch.stack([x, x], 1)")),
              "forward() returned for output 'y' FP32 [1,2], expected FP32 [1]");
}

TEST_F(BadModel, ReturnsOneRowForTheWholeBatch) {
  ExpectError(ScalarCascade(Save("def forward(self, x): return x.sum().unsqueeze(0)")),
              "forward() returned for output 'y' FP32 [1], expected FP32 [8]");
}

TEST_F(BadModel, ReturnsAnotherNumberOfTensors) {
  ExpectError(ScalarCascade(Save("def forward(self, x): return x, x")),
              "forward() returned 2 tensors, the stage has 1 outputs");
}

TEST_F(BadModel, ReturnsNoTensor) {
  ExpectError(ScalarCascade(Save("def forward(self, x): return 3")),
              "forward() returned for output 'y' a value of type Int, expected a tensor");
}

TEST_F(BadModel, IsScoredByAnOutputThatIsNotFp32) {
  CascadeSpec cascade = ScalarCascade(Save("def forward(self, x): return x.double()"));
  cascade.stages[0].outputs[0].datatype = Datatype::kFp64;
  cascade.stages[0].exit.score = ExitScore::kMaxProbability;
  ExpectError(cascade, "output 'y', which the exit score is computed from, is FP64, expected FP32");
}

}  // namespace
}  // namespace escan
