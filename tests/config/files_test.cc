#include "config/files.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <string>

#include "config/config_folder.h"

namespace escan {
namespace {

using testing::HasSubstr;

// Somebody without a right to everything, for a test that may run as root.
class Unprivileged {
 public:
  Unprivileged() : before_(geteuid()) {
    constexpr uid_t kNobody = 65534;
    EXPECT_EQ(seteuid(before_ == 0 ? kNobody : before_), 0);
  }
  ~Unprivileged() { EXPECT_EQ(seteuid(before_), 0); }
  Unprivileged(const Unprivileged&) = delete;
  Unprivileged& operator=(const Unprivileged&) = delete;

 private:
  const uid_t before_;
};

std::string CascadeWithModel(const std::string& model) {
  return R"(cascades:
  - name: digits
    inputs: [{name: image, datatype: UINT8, shape: [28, 28]}]
    outputs: [{name: probabilities, datatype: FP32, shape: [10]}]
    stages:
      - {name: only, model: )" +
         model + "}\n";
}

TEST(Files, WhatCannotBeLookedAtIsNotCalledMissing) {
  ConfigFolder folder;
  const std::filesystem::path loop = folder.path() / "loop";
  std::filesystem::create_symlink(loop, loop);
  const absl::Status status = LoadConfig(loop).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(std::string(status.message()),
            loop.string() + " cannot be read: Too many levels of symbolic links");
}

TEST(Files, AFileWithoutTheRightToReadItSaysSo) {
  ConfigFolder folder;
  const std::filesystem::path file = folder.Write("secret.yaml", TwoStages());
  ASSERT_EQ(chmod(folder.path().c_str(), 0755), 0);
  ASSERT_EQ(chmod(file.c_str(), 0), 0);
  const Unprivileged user;
  const absl::Status status = LoadConfig(file).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(std::string(status.message()), file.string() + " cannot be read: Permission denied");
}

TEST(Files, AModelThatCannotBeReadIsAMistakeOfTheConfiguration) {
  ConfigFolder folder;
  const std::filesystem::path model = folder.Write("model.pt", "model");
  const std::filesystem::path config = folder.Write("escand.yaml", CascadeWithModel("model.pt"));
  ASSERT_TRUE(LoadConfig(config).ok()) << LoadConfig(config).status();
  ASSERT_EQ(chmod(folder.path().c_str(), 0755), 0);
  ASSERT_EQ(chmod(model.c_str(), 0), 0);
  const Unprivileged user;
  EXPECT_THAT(
      std::string(LoadConfig(config).status().message()),
      HasSubstr("stages[0].model: " + model.string() + " cannot be read: Permission denied"));
}

TEST(Files, AFileIsReplacedAsAWhole) {
  ConfigFolder folder;
  const std::filesystem::path file = folder.path() / "profile.json";
  ASSERT_TRUE(ReplaceFile(file, "a long first text").ok());
  ASSERT_TRUE(ReplaceFile(file, "second").ok());
  EXPECT_EQ(ReadFile(file).value(), "second");
  const auto files = std::filesystem::directory_iterator(folder.path());
  EXPECT_EQ(std::distance(begin(files), end(files)), 1);
}

TEST(Files, WhatCannotBeReplacedIsNamedAndLeavesNothingBehind) {
  ConfigFolder folder;
  const std::filesystem::path taken = folder.path() / "taken";
  std::filesystem::create_directory(taken);
  EXPECT_THAT(std::string(ReplaceFile(taken, "text").message()),
              HasSubstr("cannot write " + taken.string()));
  EXPECT_THAT(std::string(ReplaceFile(folder.path() / "absent" / "file", "text").message()),
              HasSubstr("absent/file"));
  const auto files = std::filesystem::directory_iterator(folder.path());
  EXPECT_EQ(std::distance(begin(files), end(files)), 1);
}

}  // namespace
}  // namespace escan
