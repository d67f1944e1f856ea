#include "contracts/content_hash.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <string>

namespace escan {
namespace {

TEST(ContentHash, DiffersWhereOneByteDiffers) {
  const std::string content(1001, 'a');
  std::string changed = content;
  changed.back() = 'b';
  EXPECT_EQ(ContentHash(content), ContentHash(content));
  EXPECT_NE(ContentHash(content), ContentHash(changed));
  EXPECT_NE(ContentHash("12345678"), ContentHash("123456780"));
}

TEST(ContentHash, OfAFileIsThatOfItsBytes) {
  const std::filesystem::path file =
      std::filesystem::temp_directory_path() / ("escan-content-" + std::to_string(::getpid()));
  for (const size_t size : {size_t{0}, size_t{5}, size_t{3'000'001}}) {
    const std::string content(size, 'a');
    std::ofstream(file, std::ios::binary) << content;
    EXPECT_EQ(ContentHashOfFile(file).value(), ContentHash(content));
    const int fd = ::open(file.c_str(), O_RDONLY);
    ASSERT_EQ(::lseek(fd, 3, SEEK_SET), 3);
    EXPECT_EQ(ContentHashOfFile(fd).value(), ContentHash(content));
    EXPECT_EQ(::lseek(fd, 0, SEEK_CUR), 3);
    ::close(fd);
  }
  std::filesystem::remove(file);
  const absl::Status absent = ContentHashOfFile(file).status();
  EXPECT_TRUE(absl::IsNotFound(absent));
  EXPECT_EQ(absent.message(), "cannot read " + file.string());
  EXPECT_EQ(ContentHashOfFile(-1).status().message(), "cannot read the file: Bad file descriptor");
}

TEST(ContentHash, HasAName) { EXPECT_EQ(HashName(255), "fnv1a64:00000000000000ff"); }

}  // namespace
}  // namespace escan
