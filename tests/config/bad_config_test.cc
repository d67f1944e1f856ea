#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"
#include "config/config.h"
#include "config/config_folder.h"

namespace escan {
namespace {

const std::filesystem::path kBadConfigs = ESCAN_BAD_CONFIGS;
// What is wrong only where there are GPUs.
const std::filesystem::path kBadWithGpus = kBadConfigs / "with_gpus";

// In a folder for each subject; .yml are files that they name.
std::vector<std::filesystem::path> BadConfigs() {
  std::vector<std::filesystem::path> files;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(kBadConfigs)) {
    if (entry.path().extension() == ".yaml") files.push_back(entry.path());
  }
  std::sort(files.begin(), files.end());
  return files;
}

// What the file's first lines say that its mistakes are, one `# expect: ...` each. Those that begin
// with a line number are about the file itself; {dir} is its folder.
std::string ExpectedMessage(const std::filesystem::path& file) {
  const std::string prefix = "# expect: ";
  std::vector<std::string> expected;
  std::ifstream stream(file);
  for (std::string line; std::getline(stream, line) && line.starts_with(prefix);) {
    std::string text = line.substr(prefix.size());
    if (text.find_first_of("0123456789") == 0) text = file.string() + ":" + text;
    expected.push_back(absl::StrReplaceAll(text, {{"{dir}", file.parent_path().string()}}));
  }
  return absl::StrJoin(expected, "\n");
}

class BadConfig : public testing::TestWithParam<std::filesystem::path> {};

TEST_P(BadConfig, IsRefusedWithItsMessage) {
  const bool with_gpus = GetParam().parent_path() == kBadWithGpus;
  const absl::StatusOr<Config> config =
      LoadConfig(GetParam(), with_gpus ? TwoGpus() : std::vector<Device>());
  EXPECT_EQ(config.status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(std::string(config.status().message()), ExpectedMessage(GetParam()));
}

INSTANTIATE_TEST_SUITE_P(EveryFile, BadConfig, testing::ValuesIn(BadConfigs()),
                         [](const auto& info) { return info.param.stem().string(); });

TEST(LoadConfig, AnswersNotFoundWithoutAFile) {
  const absl::Status status = LoadConfig("no/such/escand.yaml").status();
  EXPECT_EQ(status.code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(std::string(status.message()), "there is no file no/such/escand.yaml");
}

TEST(LoadConfig, RefusesAFolder) {
  const absl::Status status = LoadConfig(kBadConfigs).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(status.message()), testing::HasSubstr("is a folder"));
}

}  // namespace
}  // namespace escan
