#include "arrays/array_file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <zlib.h>

#include "support/temporary_folder.h"

namespace escan {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

std::string Message(const absl::Status& status) { return std::string(status.message()); }

const std::string kIdxBytes(
    "\0\0\x08\x02\0\0\0\x02\0\0\0\x03"
    "abcdef",
    18);

TEST(ArrayFile, ReadsAnIdxFileOfBytes) {
  const absl::StatusOr<Array> array = ParseArray(kIdxBytes);
  ASSERT_TRUE(array.ok()) << array.status();
  EXPECT_EQ(array->datatype, Datatype::kUint8);
  EXPECT_THAT(array->shape, ElementsAre(2, 3));
  EXPECT_EQ(array->bytes, "abcdef");
}

TEST(ArrayFile, TurnsIdxIntegersIntoLittleEndianOnes) {
  const absl::StatusOr<Array> array =
      ParseArray(std::string("\0\0\x0C\x01\0\0\0\x01\0\0\x01\x02", 12));
  ASSERT_TRUE(array.ok()) << array.status();
  EXPECT_EQ(array->datatype, Datatype::kInt32);
  EXPECT_EQ(array->bytes, std::string("\x02\x01\0\0", 4));
}

TEST(ArrayFile, ReadsANumPyFile) {
  const absl::StatusOr<Array> array = ParseArray(Npy("<f4", "(2, 1)", "12345678"));
  ASSERT_TRUE(array.ok()) << array.status();
  EXPECT_EQ(array->datatype, Datatype::kFp32);
  EXPECT_THAT(array->shape, ElementsAre(2, 1));
  EXPECT_EQ(array->bytes, "12345678");
}

TEST(ArrayFile, TurnsBigEndianNumPyNumbersRound) {
  const absl::StatusOr<Array> array = ParseArray(Npy(">u2", "(2,)", "abcd"));
  ASSERT_TRUE(array.ok()) << array.status();
  EXPECT_EQ(array->bytes, "badc");
}

TEST(ArrayFile, ReadsACompressedFile) {
  const TemporaryFolder folder;
  const std::string path = folder.path("images.gz");
  gzFile file = gzopen(path.c_str(), "wb");
  gzwrite(file, kIdxBytes.data(), static_cast<unsigned>(kIdxBytes.size()));
  gzclose(file);
  const absl::StatusOr<Array> array = ReadArrayFile(path);
  ASSERT_TRUE(array.ok()) << array.status();
  EXPECT_EQ(array->bytes, "abcdef");
}

TEST(ArrayFile, NamesTheFileAndWhatItFound) {
  const TemporaryFolder folder;
  const std::string path = folder.Write("notes.txt", "hello");
  EXPECT_EQ(Message(ReadArrayFile(path).status()),
            path + ": is neither an IDX nor a .npy file: it begins with 68656c6c");
  const std::string absent = folder.path("absent");
  EXPECT_EQ(Message(ReadArrayFile(absent).status()), absent + ": No such file or directory");
}

TEST(ArrayFile, RefusesATruncatedCompressedFile) {
  const TemporaryFolder folder;
  const std::string path = folder.path("images.gz");
  gzFile file = gzopen(path.c_str(), "wb");
  gzwrite(file, kIdxBytes.data(), static_cast<unsigned>(kIdxBytes.size()));
  gzclose(file);
  std::filesystem::resize_file(path, std::filesystem::file_size(path) - 10);
  EXPECT_THAT(Message(ReadArrayFile(path).status()), HasSubstr(path + ": "));
}

struct Defect {
  std::string content;
  std::string message;
};

class ArrayFileDefect : public testing::TestWithParam<Defect> {};

TEST_P(ArrayFileDefect, IsExplained) {
  const absl::StatusOr<Array> array = ParseArray(GetParam().content);
  EXPECT_EQ(Message(array.status()), GetParam().message);
}

INSTANTIATE_TEST_SUITE_P(
    All, ArrayFileDefect,
    testing::Values(
        Defect{"", "is empty"},
        Defect{std::string("\0\0\x07\x01", 4), "is an IDX file of the unknown type 0x07"},
        Defect{std::string("\0\0\x08\x02\0\0\0\x02", 8),
               "is an IDX file of 2 dimensions that ends after 8 bytes"},
        Defect{kIdxBytes + "g", "holds 7 bytes of data, expected 6 for UINT8 [2,3]"},
        Defect{kIdxBytes.substr(0, 15), "holds 3 bytes of data, expected 6 for UINT8 [2,3]"},
        Defect{Npy("<f4", "(0, 4)", ""), "has the shape [0,4], which cannot be sent"},
        Defect{Npy("<u1", "(4294967296, 4294967296, 4294967296)", ""),
               "has the shape [4294967296,4294967296,4294967296], which cannot be sent"},
        Defect{Npy("<f4", "()", "1234"), "has the shape (), expected at least one dimension"},
        Defect{Npy("<f4", "(1,)", "1234", "True"), "is in Fortran order, expected C order"},
        Defect{Npy("|O", "(1,)", "1234"),
               "has the NumPy type '|O', expected a number or a truth value"},
        Defect{Npy("<f4", "(1,)", "1234").substr(0, 30),
               "is a .npy file that ends inside its header"},
        Defect{Npy("<f4", "(1,)", "1234").substr(0, 8),
               "is a .npy file that ends inside its header"}));

TEST(Labels, AreWidenedFromAnyInteger) {
  const TemporaryFolder folder;
  EXPECT_THAT(*ReadLabels(folder.Write("a", Npy("|i1", "(2,)", "\xFF\x03"))), ElementsAre(-1, 3));
  EXPECT_THAT(
      *ReadLabels(folder.Write("b", Npy("<u2", "(2, 1)", std::string("\x01\x01\x02\0", 4)))),
      ElementsAre(257, 2));
}

TEST(Labels, MustBeOneIntegerARow) {
  const TemporaryFolder folder;
  const std::string floats = folder.Write("a", Npy("<f4", "(1,)", "1234"));
  EXPECT_EQ(Message(ReadLabels(floats).status()),
            floats + ": holds FP32 [1], expected one integer label a row");
  const std::string one_hot = folder.Write("b", Npy("|u1", "(1, 4)", "1234"));
  EXPECT_EQ(Message(ReadLabels(one_hot).status()),
            one_hot + ": holds UINT8 [1,4], expected one integer label a row");
}

}  // namespace
}  // namespace escan
