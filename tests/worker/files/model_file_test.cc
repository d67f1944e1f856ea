#include "worker/files/model_file.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <string>

#include "arrays/zip_files.h"
#include "contracts/content_hash.h"
#include "ipc/unique_fd.h"
#include "support/temporary_folder.h"

namespace escan {
namespace {

using testing::HasSubstr;

class ModelFileTest : public testing::Test {
 protected:
  ModelFileTest() { stage_.model = folder_.path("model.pt").string(); }

  void Write(const std::string& content) const { folder_.Write("model.pt", content); }

  // As the daemon does before it starts the first worker.
  void OpenForTheWorker() {
    file_ = UniqueFd(::open(stage_.model.c_str(), O_RDONLY | O_CLOEXEC));
    stage_.model_fd = file_.get();
    stage_.model_digest = HashName(ContentHashOfFile(file_.get()).value());
  }

  TemporaryFolder folder_;
  UniqueFd file_;
  WorkerStage stage_;
};

// What FindModelFormat() takes for TorchScript.
std::string Script(const std::string& weights) {
  return Zip({{"m/data.pkl", "pickle"}, {"m/constants.pkl", "none"}, {"m/data/0", weights}});
}

TEST_F(ModelFileTest, IsReadWhole) {
  const std::string content = Script(std::string(3'000'001, 'w'));
  Write(content);
  const auto by_path = ModelFile::Read(stage_);
  ASSERT_TRUE(by_path.ok()) << by_path.status();
  EXPECT_EQ(by_path->content(), content);
  EXPECT_EQ(by_path->hash(), ContentHash(content));
  OpenForTheWorker();
  ASSERT_EQ(::lseek(file_.get(), 17, SEEK_SET), 17);
  for (int worker = 0; worker < 2; ++worker) {
    const auto by_descriptor = ModelFile::Read(stage_);
    ASSERT_TRUE(by_descriptor.ok()) << by_descriptor.status();
    EXPECT_EQ(by_descriptor->content(), content);
  }
}

TEST_F(ModelFileTest, StaysTheOldOneWhenAnotherTakesItsPlace) {
  Write(Script("old"));
  OpenForTheWorker();
  std::filesystem::rename(folder_.Write("new.pt", Script("new")), stage_.model);
  EXPECT_EQ(ModelFile::Read(stage_)->content(), Script("old"));
  std::filesystem::remove(stage_.model);
  EXPECT_EQ(ModelFile::Read(stage_)->content(), Script("old"));
}

TEST_F(ModelFileTest, IsRefusedWhenItWasOverwritten) {
  Write(Script("old"));
  OpenForTheWorker();
  Write(Script("new"));
  const absl::Status status = ModelFile::Read(stage_).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(std::string(status.message()),
            "the file has changed since the daemon began to serve it (digest " +
                HashName(ContentHash(Script("new"))) + ", expected " +
                HashName(ContentHash(Script("old"))) + "): restart escand to serve the new one");
  Write("");  // a copy that only just begins
  EXPECT_THAT(std::string(ModelFile::Read(stage_).status().message()),
              HasSubstr("the file has changed"));
  Write(Script("old"));
  EXPECT_TRUE(ModelFile::Read(stage_).ok());
}

TEST_F(ModelFileTest, SaysWhyItCannotBeRead) {
  EXPECT_EQ(ModelFile::Read(stage_).status().message(),
            "cannot open the model: No such file or directory");
  stage_.model = folder_.path("").string();
  EXPECT_EQ(ModelFile::Read(stage_).status().message(), "cannot read the model: Is a directory");
  stage_.model_fd = 9999;
  EXPECT_EQ(ModelFile::Read(stage_).status().message(),
            "cannot read the model: Bad file descriptor");
}

TEST_F(ModelFileTest, IsRefusedWhenItIsNoModel) {
  Write("");
  EXPECT_EQ(ModelFile::Read(stage_).status().message(),
            "the file is empty: expected TorchScript (torch.jit.script or torch.jit.trace, then "
            "save) or a package of AOTInductor (torch._inductor.aoti_compile_and_package)");
}

}  // namespace
}  // namespace escan
