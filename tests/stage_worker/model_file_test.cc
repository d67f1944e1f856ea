#include "stage_worker/model_file.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <stdlib.h>

#include <filesystem>
#include <fstream>
#include <string>

#include "escan/content_hash.h"
#include "ipc/unique_fd.h"
#include "load/zip_files.h"

namespace escan {
namespace {

using testing::HasSubstr;

class ModelFileTest : public testing::Test {
 protected:
  ModelFileTest() {
    std::string name = (std::filesystem::temp_directory_path() / "escan_models_XXXXXX").string();
    folder_ = ::mkdtemp(name.data());
    stage_.model = (folder_ / "model.pt").string();
  }
  ~ModelFileTest() override { std::filesystem::remove_all(folder_); }

  void Write(const std::string& content) const {
    std::ofstream(stage_.model, std::ios::binary) << content;
  }

  // As the daemon does before it starts the first worker.
  void OpenForTheWorker() {
    file_ = UniqueFd(::open(stage_.model.c_str(), O_RDONLY | O_CLOEXEC));
    stage_.model_fd = file_.get();
    stage_.model_digest = HashName(ContentHashOfFile(file_.get()).value());
  }

  std::filesystem::path folder_;
  UniqueFd file_;
  WorkerStage stage_;
};

// What CheckModelFormat() takes for TorchScript.
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
  const std::string path = stage_.model;
  stage_.model = path + ".new";
  Write(Script("new"));
  std::filesystem::rename(stage_.model, path);
  stage_.model = path;
  EXPECT_EQ(ModelFile::Read(stage_)->content(), Script("old"));
  std::filesystem::remove(path);
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
  stage_.model = folder_.string();
  EXPECT_EQ(ModelFile::Read(stage_).status().message(), "cannot read the model: Is a directory");
  stage_.model_fd = 9999;
  EXPECT_EQ(ModelFile::Read(stage_).status().message(),
            "cannot read the model: Bad file descriptor");
}

TEST_F(ModelFileTest, IsRefusedWhenItIsNoTorchScript) {
  Write("");
  EXPECT_EQ(ModelFile::Read(stage_).status().message(),
            "the file is empty: expected TorchScript (torch.jit.script or torch.jit.trace, then "
            "save)");
}

}  // namespace
}  // namespace escan
