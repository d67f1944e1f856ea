#include "arrays/zip_archive.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>
#include <string>
#include <utility>
#include <vector>

#include "arrays/zip_files.h"

namespace escan {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::Pair;

const std::string kText(200'000, 'x');
const std::string kArchive = Zip({{"a.npy", "hello"}, {"b/c.npy", kText}});
constexpr size_t kFirstContent = 30 + 5 + kZipPadding;  // header, name

using Contents = std::vector<std::pair<std::string, std::string>>;

// The records' names and contents, in their order.
absl::StatusOr<Contents> ReadAll(const std::string& bytes) {
  const absl::StatusOr<ZipArchive> archive = ZipArchive::Open(bytes);
  if (!archive.ok()) return archive.status();
  Contents contents;
  for (const ZipArchive::Record& record : archive->records()) {
    const absl::StatusOr<std::string> content = archive->Read(record);
    if (!content.ok()) return content.status();
    contents.emplace_back(record.name, *content);
  }
  return contents;
}

// Why an archive is refused; reading and checking it say the same.
std::string Message(const std::string& bytes) {
  const absl::Status status = ReadAll(bytes).status();
  const absl::StatusOr<ZipArchive> archive = ZipArchive::Open(bytes);
  EXPECT_EQ(archive.ok() ? archive->Check() : archive.status(), status);
  return std::string(status.message());
}

// `archive` with other bytes at `offset`.
std::string With(std::string archive, size_t offset, const std::string& bytes) {
  return archive.replace(offset, bytes.size(), bytes);
}

size_t Directory(const std::string& archive) { return archive.find("PK\x01\x02"); }

class Archive : public testing::TestWithParam<bool> {
 protected:
  static bool large() { return GetParam(); }
};

INSTANTIATE_TEST_SUITE_P(Zip, Archive, testing::Bool(), [](const auto& sizes) {
  return sizes.param ? "WithSizesOf64Bits" : "WithSizesOf32Bits";
});

TEST_P(Archive, HoldsWhatWasStoredAndDeflated) {
  const std::string bytes =
      Zip({{"a.npy", "hello"}, {"b/c.npy", kText, true}, {"empty", "", true}}, large());
  EXPECT_LT(bytes.size(), 2000u);
  const absl::StatusOr<Contents> contents = ReadAll(bytes);
  ASSERT_TRUE(contents.ok()) << contents.status();
  EXPECT_THAT(*contents,
              ElementsAre(Pair("a.npy", "hello"), Pair("b/c.npy", kText), Pair("empty", "")));
  EXPECT_EQ(Message(bytes), "");
}

TEST_P(Archive, MayEndWithAComment) {
  const absl::StatusOr<Contents> contents =
      ReadAll(Zip({{"a", "hello"}}, large(), "written for a test"));
  ASSERT_TRUE(contents.ok()) << contents.status();
  EXPECT_THAT(*contents, ElementsAre(Pair("a", "hello")));
}

TEST_P(Archive, MayBeEmpty) {
  EXPECT_TRUE(ZipArchive::LooksLikeOne(Zip({})));
  EXPECT_FALSE(ZipArchive::LooksLikeOne("hello"));
  EXPECT_THAT(*ReadAll(Zip({}, large())), IsEmpty());
}

TEST_P(Archive, CutShortIsRefusedWhereverItIsCut) {
  const std::string bytes = Zip({{"a.npy", "hello"}, {"b", "there", true}}, large());
  for (size_t size = 0; size < bytes.size(); ++size) {
    EXPECT_EQ(Message(bytes.substr(0, size)),
              "this is a zip archive that was cut short: the directory at its end is missing")
        << size;
  }
}

TEST(ZipArchive, FindsAChangedByteByTheChecksum) {
  EXPECT_EQ(Message(With(kArchive, kFirstContent, "j")),
            "record 'a.npy' is damaged: its checksum is 3610a686, its content's 4cd0f5e6");
}

TEST(ZipArchive, RefusesDamagedCompression) {
  const std::string archive = Zip({{"a", kText, true}});
  EXPECT_EQ(Message(With(archive, 30 + 1 + kZipPadding, "\xff\xff\xff")),
            "record 'a' is damaged: it cannot be decompressed");
}

// No more is decompressed than the directory says, whatever a few bytes would grow to.
TEST(ZipArchive, RefusesContentOfAnotherSize) {
  const std::string archive = Zip({{"a", kText, true}});
  const size_t size = Directory(archive) + 24;
  EXPECT_EQ(Message(With(archive, size, LittleEndian<uint32_t>(4999))),
            "record 'a' is damaged: its content is larger than its 4999 bytes");
  EXPECT_EQ(Message(With(archive, size, LittleEndian<uint32_t>(0x7FFFFFFF))),
            "record 'a' is damaged: its size is 2147483647, its content's 200000");
  EXPECT_EQ(Message(With(kArchive, Directory(kArchive) + 24, LittleEndian<uint32_t>(6))),
            "record 'a.npy' is damaged: its size is 6, its content's 5");
}

TEST(ZipArchive, RefusesADamagedDirectory) {
  const size_t directory = Directory(kArchive);
  const std::string damaged = "the directory of this zip archive is damaged";
  EXPECT_EQ(Message(With(kArchive, directory, "XX")), damaged);
  EXPECT_EQ(Message(With(kArchive, directory + 28, "\xff\xff")), damaged);  // the name's size
  EXPECT_EQ(Message(With(kArchive, directory + 30, "\xff\xff")), damaged);  // that of what follows
  EXPECT_EQ(Message(With(kArchive, directory + 42, LittleEndian<uint32_t>(1000000))),
            "record 'a.npy' is damaged: its header is not at byte 1000000");
  EXPECT_EQ(Message(With(kArchive, directory + 20, LittleEndian<uint32_t>(1000000))),
            "record 'a.npy' is damaged: there is no room for its 1000000 bytes");
  EXPECT_EQ(Message(With(kArchive, directory + 24, "\xff\xff\xff\xff")), damaged)
      << "the size is to stand in an extension, which is not there";
}

TEST(ZipArchive, NamesWhatItCannotRead) {
  const size_t directory = Directory(kArchive);
  EXPECT_EQ(Message(With(kArchive, directory + 8, "\x01")), "record 'a.npy' is encrypted");
  EXPECT_EQ(Message(With(kArchive, directory + 10, "\x0c")),
            "record 'a.npy' is damaged: its compression method 12 is unknown");
}

}  // namespace
}  // namespace escan
