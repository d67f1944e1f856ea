#include "server/daemon/library_check.h"

#include <fstream>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "server/test_daemon.h"

namespace escan {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

const std::filesystem::path kLibrary = ESCAN_LOST_LIBRARY;

TEST(LibraryCheck, AMissingLibraryIsNamed) {
  EXPECT_THAT(*MissingLibraries(ESCAN_LOST_PROGRAM, ""), ElementsAre(kLibrary.filename().string()));
}

TEST(LibraryCheck, TheLibraryPathCounts) {
  EXPECT_THAT(*MissingLibraries(ESCAN_LOST_PROGRAM, kLibrary.parent_path().string()), IsEmpty());
}

TEST(LibraryCheck, AScriptNeedsNothing) {
  TemporaryFolder folder;
  const std::filesystem::path script = folder.path() / "script";
  const std::filesystem::path witness = folder.path() / "witness";
  std::ofstream(script) << "#!/bin/sh\n: >" << witness.string() << "\n";
  std::filesystem::permissions(script, std::filesystem::perms::owner_all);
  EXPECT_THAT(*MissingLibraries(script, ""), IsEmpty());
  EXPECT_FALSE(std::filesystem::exists(witness)) << "it was executed";
}

TEST(LibraryCheck, AProgramThatCannotBeExecutedIsAnError) {
  TemporaryFolder folder;
  EXPECT_EQ(MissingLibraries(folder.path() / "nothing", "").status().code(),
            absl::StatusCode::kNotFound);
}

}  // namespace
}  // namespace escan
