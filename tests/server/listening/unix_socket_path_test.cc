#include "server/listening/unix_socket_path.h"

#include <sys/socket.h>
#include <sys/un.h>

#include <cstring>
#include <fstream>
#include <string>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "ipc/unique_fd.h"
#include "server/test_daemon.h"

namespace escan {
namespace {

UniqueFd Listen(const std::filesystem::path& path) {
  UniqueFd fd(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::strncpy(address.sun_path, path.c_str(), sizeof(address.sun_path) - 1);
  EXPECT_EQ(bind(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)), 0);
  EXPECT_EQ(listen(fd.get(), 1), 0);
  return fd;
}

TEST(UnixSocketPath, MissingFoldersAreCreated) {
  TemporaryFolder folder;
  EXPECT_TRUE(PrepareSocketPath(folder.path() / "a" / "b" / "s").ok());
  EXPECT_TRUE(std::filesystem::is_directory(folder.path() / "a" / "b"));
}

TEST(UnixSocketPath, ASocketThatNobodyAnswersOnIsRemoved) {
  TemporaryFolder folder;
  const std::filesystem::path path = folder.path() / "s";
  Listen(path).reset();
  ASSERT_TRUE(std::filesystem::exists(path));
  EXPECT_TRUE(PrepareSocketPath(path).ok());
  EXPECT_FALSE(std::filesystem::exists(path));
}

TEST(UnixSocketPath, ASocketInUseIsLeftAlone) {
  TemporaryFolder folder;
  const std::filesystem::path path = folder.path() / "s";
  const UniqueFd listener = Listen(path);
  EXPECT_EQ(PrepareSocketPath(path).message(),
            path.string() + ": another process answers on this socket");
  EXPECT_TRUE(std::filesystem::exists(path));
}

TEST(UnixSocketPath, AFileThatIsNoSocketIsLeftAlone) {
  TemporaryFolder folder;
  const std::filesystem::path path = folder.path() / "s";
  std::ofstream(path) << "precious";
  EXPECT_EQ(PrepareSocketPath(path).code(), absl::StatusCode::kAlreadyExists);
  EXPECT_TRUE(std::filesystem::exists(path));
}

TEST(UnixSocketPath, AFolderThatCannotBeLookedAtIsAnErrorThatNamesIt) {
  TemporaryFolder folder;
  const std::filesystem::path loop = folder.path() / "loop";
  std::filesystem::create_symlink(loop, loop);
  EXPECT_THAT(std::string(PrepareSocketPath(loop / "run" / "s").message()),
              testing::HasSubstr("cannot create " + (loop / "run").string()));
}

TEST(UnixSocketPath, APathTooLongForASocketIsRefused) {
  EXPECT_EQ(PrepareSocketPath("/" + std::string(200, 'a')).code(),
            absl::StatusCode::kInvalidArgument);
}

}  // namespace
}  // namespace escan
