#include "engine/model_files.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <spdlog/sinks/ostream_sink.h>
#include <spdlog/spdlog.h>
#include <unistd.h>

#include <filesystem>
#include <memory>
#include <sstream>
#include <string>

#include "contracts/content_hash.h"
#include "engine/engine_harness.h"
#include "support/temporary_folder.h"

namespace escan {
namespace {

using testing::AllOf;
using testing::HasSubstr;

class ModelFilesTest : public testing::Test {
 protected:
  ModelFilesTest() {
    stage_.index = 1;
    stage_.name = "stage1";
    stage_.model = folder_.path("model.pt").string();
    // The first stage has no model.
    cascade_.stages[1].executor = ExecutorKind::kTorchScript;
    cascade_.stages[1].model = stage_.model;
    spdlog::set_default_logger(std::make_shared<spdlog::logger>(
        "test", std::make_shared<spdlog::sinks::ostream_sink_mt>(log_)));
  }
  ~ModelFilesTest() override { spdlog::set_default_logger(before_); }

  void Write(const std::string& content) const { folder_.Write("model.pt", content); }

  // Another file at the model's path.
  void Replace(const std::string& content) const {
    std::filesystem::rename(folder_.Write("new.pt", content), stage_.model);
  }

  // What is logged when a worker starts.
  std::string Warning(ModelFiles& models) {
    log_.str("");
    models.WarnOfChange(stage_);
    return log_.str();
  }

  TemporaryFolder folder_;
  CascadeSpec cascade_ = TestCascade(2);
  WorkerStage stage_;
  std::ostringstream log_;
  const std::shared_ptr<spdlog::logger> before_ = spdlog::default_logger();
};

TEST_F(ModelFilesTest, GiveWorkersTheFirstFileAndItsDigest) {
  Write("old");
  const auto models = ModelFiles::Open(cascade_);
  ASSERT_TRUE(models.ok()) << models.status();
  Replace("the new one");
  models->Complete(&stage_);
  EXPECT_EQ(stage_.model_digest, HashName(ContentHash("old")));
  std::string content(100, '\0');
  content.resize(static_cast<size_t>(::pread(stage_.model_fd, content.data(), 100, 0)));
  EXPECT_EQ(content, "old");
  EXPECT_EQ(::fcntl(stage_.model_fd, F_GETFD), FD_CLOEXEC);
  EXPECT_EQ(::fcntl(stage_.model_fd, F_GETFL) & O_ACCMODE, O_RDONLY);

  WorkerStage without;
  models->Complete(&without);
  EXPECT_EQ(without, WorkerStage());
}

TEST_F(ModelFilesTest, WarnOnceOfAnotherFile) {
  Write("old");
  auto models = ModelFiles::Open(cascade_);
  ASSERT_TRUE(models.ok()) << models.status();
  EXPECT_EQ(Warning(*models), "");
  Replace("new");
  EXPECT_THAT(Warning(*models),
              AllOf(HasSubstr("[warning] model changed model=test stage=stage1 file=" +
                              stage_.model + " reason=\""),
                    HasSubstr("the one from the start is served until a restart\"")));
  EXPECT_EQ(Warning(*models), "");
  Replace("newer");
  EXPECT_THAT(Warning(*models), HasSubstr("served until a restart"));
  std::filesystem::remove(stage_.model);
  EXPECT_THAT(Warning(*models), HasSubstr("served until a restart"));
  EXPECT_EQ(Warning(*models), "");
}

TEST_F(ModelFilesTest, WarnThatAFileWasWrittenTo) {
  Write("old");
  auto models = ModelFiles::Open(cascade_);
  ASSERT_TRUE(models.ok()) << models.status();
  Write("longer");
  EXPECT_THAT(Warning(*models), HasSubstr("workers that start from now on refuse it"));
  EXPECT_EQ(Warning(*models), "");
}

TEST_F(ModelFilesTest, NameTheStageWhoseModelCannotBeOpened) {
  EXPECT_EQ(ModelFiles::Open(cascade_).status(),
            absl::NotFoundError("stage 'stage1' (" + stage_.model +
                                "): cannot open the model: No such file or directory"));
  std::filesystem::create_directory(stage_.model);
  EXPECT_EQ(std::string(ModelFiles::Open(cascade_).status().message()),
            "stage 'stage1' (" + stage_.model + "): cannot read the file: Is a directory");
  std::filesystem::remove(stage_.model);
  EXPECT_THROW(EngineHarness(cascade_, TestPlan(1, 2), "good"), std::runtime_error);
}

}  // namespace
}  // namespace escan
