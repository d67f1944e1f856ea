#include "mps/mps_directory.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include "mps/mps_fixture.h"

namespace escan {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
namespace fs = std::filesystem;

std::string Text(const absl::Status& status) { return std::string(status.message()); }

TEST(MpsDirectory, MakesPrivateFoldersAndRemovesThem) {
  const MpsFolder folder;
  const fs::path root = folder.path() / "mps";
  {
    const auto directory = MpsDirectory::Acquire(root);
    ASSERT_TRUE(directory.ok()) << directory.status();
    for (const fs::path& path : {root, directory->paths().pipe, directory->paths().log}) {
      EXPECT_EQ(fs::status(path).permissions(), fs::perms::owner_all) << path;
    }
  }
  EXPECT_FALSE(fs::exists(root));
}

TEST(MpsDirectory, LeavesWhatItDidNotMake) {
  const MpsFolder folder;
  std::ofstream(folder.path() / "other") << "x";
  ASSERT_TRUE(MpsDirectory::Acquire(folder.path()).ok());
  EXPECT_THAT(folder.Remains(), ElementsAre("other"));
}

TEST(MpsDirectory, KeepsASecondServerOut) {
  const MpsFolder folder;
  {
    const auto first = MpsDirectory::Acquire(folder.path());
    ASSERT_TRUE(first.ok()) << first.status();
    const auto second = MpsDirectory::Acquire(folder.path());
    EXPECT_EQ(second.status().code(), absl::StatusCode::kAlreadyExists);
    EXPECT_EQ(Text(second.status()), "mps: " + folder.path().string() +
                                         " is in use by another server, process " +
                                         std::to_string(::getpid()));
    EXPECT_TRUE(fs::exists(first->paths().pipe));
  }
  EXPECT_TRUE(MpsDirectory::Acquire(folder.path()).ok());
}

TEST(MpsDirectory, TakesOverWhatAKilledServerLeft) {
  const MpsFolder folder;
  fs::create_directories(folder.directories().pipe);
  std::ofstream(folder.directories().pipe / "control") << "old";
  std::ofstream(folder.path() / "lock") << "4711\n";
  const auto directory = MpsDirectory::Acquire(folder.path());
  ASSERT_TRUE(directory.ok()) << directory.status();
  ASSERT_TRUE(directory->ClearPipes().ok());
  EXPECT_TRUE(fs::is_empty(directory->paths().pipe));
}

TEST(MpsDirectory, NamesAFolderThatCannotBeUsed) {
  const MpsFolder folder;
  EXPECT_THAT(Text(MpsDirectory::Acquire(folder.path() / "a" / "b").status()),
              HasSubstr((folder.path() / "a" / "b").string()));
  fs::create_directory_symlink("/tmp", folder.path() / "pipe");
  EXPECT_THAT(Text(MpsDirectory::Acquire(folder.path()).status()),
              HasSubstr("cannot use " + folder.directories().pipe.string() + ": Not a directory"));
  EXPECT_TRUE(fs::exists("/tmp"));
}

}  // namespace
}  // namespace escan
