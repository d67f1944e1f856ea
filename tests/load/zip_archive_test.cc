#include "load/zip_archive.h"

#include <gtest/gtest.h>

#include "load/zip_files.h"

namespace escan {
namespace {

const std::string kText(5000, 'x');
const std::string kArchive = Zip({{"a.npy", "hello"}, {"b/c.npy", kText}});
constexpr size_t kFirstContent = 30 + 5 + 20;  // header, name, extension

std::string Message(const std::string& archive) {
  return std::string(ReadZip(archive).status().message());
}

// `archive` with other bytes at `offset`.
std::string With(std::string archive, size_t offset, const std::string& bytes) {
  return archive.replace(offset, bytes.size(), bytes);
}

size_t Directory(const std::string& archive) { return archive.find("PK\x01\x02"); }

TEST(ZipArchive, HoldsWhatWasStored) {
  const auto members = ReadZip(kArchive);
  ASSERT_TRUE(members.ok()) << members.status();
  ASSERT_EQ(members->size(), 2u);
  EXPECT_EQ((*members)[0].name, "a.npy");
  EXPECT_EQ((*members)[0].content, "hello");
  EXPECT_EQ((*members)[1].name, "b/c.npy");
  EXPECT_EQ((*members)[1].content, kText);
}

TEST(ZipArchive, HoldsWhatWasDeflated) {
  const std::string archive = Zip({{"a", kText}, {"empty", ""}}, /*deflate=*/true);
  EXPECT_LT(archive.size(), 500u);
  const auto members = ReadZip(archive);
  ASSERT_TRUE(members.ok()) << members.status();
  EXPECT_EQ((*members)[0].content, kText);
  EXPECT_EQ((*members)[1].content, "");
}

TEST(ZipArchive, MayEndWithAComment) {
  const auto members = ReadZip(Zip({{"a", "hello"}}, false, "written for a test"));
  ASSERT_TRUE(members.ok()) << members.status();
  EXPECT_EQ((*members)[0].content, "hello");
}

TEST(ZipArchive, MayBeEmpty) {
  const std::string archive = Zip({});
  EXPECT_TRUE(IsZip(archive));
  EXPECT_TRUE(ReadZip(archive)->empty());
  EXPECT_FALSE(IsZip("hello"));
}

TEST(ZipArchive, CutShortIsRefusedWhereverItIsCut) {
  for (size_t size = 0; size < kArchive.size(); ++size) {
    EXPECT_EQ(Message(kArchive.substr(0, size)),
              "is a ZIP archive without its directory: it was cut short")
        << size;
  }
}

TEST(ZipArchive, AChangedByteIsFoundByTheChecksum) {
  EXPECT_EQ(Message(With(kArchive, kFirstContent, "j")),
            "its member a.npy has another checksum than was written");
}

TEST(ZipArchive, DamagedCompressionIsRefused) {
  const std::string archive = Zip({{"a", kText}}, /*deflate=*/true);
  EXPECT_EQ(Message(With(archive, 30 + 1 + 20, "\xff\xff\xff")),
            "its member a is not what deflate writes");
  // The directory says another size, or one that no deflated content of its length has.
  const size_t size = Directory(archive) + 24;
  EXPECT_EQ(Message(With(archive, size, LittleEndian<uint32_t>(4999))),
            "its member a is not what deflate writes");
  EXPECT_EQ(Message(With(archive, size, LittleEndian<uint32_t>(0x7FFFFFFF))),
            "its member a is not what deflate writes");
}

TEST(ZipArchive, ADamagedDirectoryIsRefused) {
  const size_t directory = Directory(kArchive);
  EXPECT_EQ(Message(With(kArchive, directory, "XX")),
            "is a ZIP archive with a damaged directory: entry 1 of 2");
  EXPECT_EQ(Message(With(kArchive, directory + 28, "\xff\xff")),
            "is a ZIP archive with a damaged directory: entry 1 of 2");
  EXPECT_EQ(Message(With(kArchive, directory + 30, "\xff\xff")),
            "is a ZIP archive with a damaged directory: entry 2 of 2");
  EXPECT_EQ(Message(With(kArchive, directory + 42, LittleEndian<uint32_t>(1000000))),
            "its member a.npy lies beyond the end of the archive");
  EXPECT_EQ(Message(With(kArchive, directory + 20, LittleEndian<uint32_t>(1000000))),
            "its member a.npy lies beyond the end of the archive");
  EXPECT_EQ(Message(With(kArchive, directory + 24, LittleEndian<uint32_t>(6))),
            "its member a.npy is stored in 5 bytes, expected 6");
}

TEST(ZipArchive, WhatItCannotReadIsNamed) {
  const size_t directory = Directory(kArchive);
  EXPECT_EQ(Message(With(kArchive, directory + 8, "\x01")), "its member a.npy is encrypted");
  EXPECT_EQ(Message(With(kArchive, directory + 10, "\x0c")),
            "its member a.npy is compressed with method 12, expected 0 or 8 (deflate)");
  EXPECT_EQ(Message(With(kArchive, directory + 24, "\xff\xff\xff\xff")),
            "its member a.npy has 4 GiB or more");
}

}  // namespace
}  // namespace escan
