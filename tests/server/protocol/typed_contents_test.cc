#include "server/protocol/typed_contents.h"

#include <cstring>
#include <limits>
#include <vector>

#include "gtest/gtest.h"

namespace escan {
namespace {

using inference::InferTensorContents;

TensorSpec Tensor(Datatype datatype, std::vector<int64_t> shape = {2}) {
  return {.name = "x", .datatype = datatype, .shape = std::move(shape)};
}

template <typename T>
std::vector<T> Row(Datatype datatype, const InferTensorContents& contents, int64_t row) {
  T elements[2] = {};
  CopyTypedRow(Tensor(datatype), contents, row, reinterpret_cast<std::byte*>(elements));
  return {elements, elements + 2};
}

TEST(TypedContents, EachDatatypeIsCopiedInItsMemoryForm) {
  InferTensorContents contents;
  for (const int value : {1, 2, 3, -4}) {
    contents.add_int_contents(value);
    contents.add_int64_contents(value);
    contents.add_uint_contents(static_cast<uint32_t>(std::abs(value)));
    contents.add_uint64_contents(static_cast<uint64_t>(std::abs(value)));
    contents.add_fp32_contents(static_cast<float>(value));
    contents.add_fp64_contents(value);
    contents.add_bool_contents(value > 0);
  }
  EXPECT_EQ(Row<int8_t>(Datatype::kInt8, contents, 1), (std::vector<int8_t>{3, -4}));
  EXPECT_EQ(Row<int16_t>(Datatype::kInt16, contents, 1), (std::vector<int16_t>{3, -4}));
  EXPECT_EQ(Row<int32_t>(Datatype::kInt32, contents, 1), (std::vector<int32_t>{3, -4}));
  EXPECT_EQ(Row<int64_t>(Datatype::kInt64, contents, 1), (std::vector<int64_t>{3, -4}));
  EXPECT_EQ(Row<uint8_t>(Datatype::kUint8, contents, 0), (std::vector<uint8_t>{1, 2}));
  EXPECT_EQ(Row<uint16_t>(Datatype::kUint16, contents, 1), (std::vector<uint16_t>{3, 4}));
  EXPECT_EQ(Row<uint32_t>(Datatype::kUint32, contents, 1), (std::vector<uint32_t>{3, 4}));
  EXPECT_EQ(Row<uint64_t>(Datatype::kUint64, contents, 1), (std::vector<uint64_t>{3, 4}));
  EXPECT_EQ(Row<float>(Datatype::kFp32, contents, 1), (std::vector<float>{3, -4}));
  EXPECT_EQ(Row<double>(Datatype::kFp64, contents, 1), (std::vector<double>{3, -4}));
  EXPECT_EQ(Row<uint8_t>(Datatype::kBool, contents, 1), (std::vector<uint8_t>{1, 0}));
}

TEST(TypedContents, HalfPrecisionTravelsRaw) {
  InferTensorContents contents;
  contents.add_fp32_contents(1);
  EXPECT_EQ(CheckTypedContents(Tensor(Datatype::kFp16, {}), contents, 1).message(),
            "input 'x': FP16 travels only in raw_input_contents");
  EXPECT_EQ(CheckTypedContents(Tensor(Datatype::kBf16, {}), contents, 1).message(),
            "input 'x': BF16 travels only in raw_input_contents");
}

TEST(TypedContents, ValuesMustFitTheirDatatype) {
  const struct {
    Datatype datatype;
    int32_t fits;
    int32_t does_not;
    const char* message;
  } kCases[] = {
      {Datatype::kInt8, -128, -129,
       "input 'x': int_contents[0] is -129, not within INT8 [-128, 127]"},
      {Datatype::kInt8, 127, 128, "input 'x': int_contents[0] is 128, not within INT8 [-128, 127]"},
      {Datatype::kInt16, 32767, 32768,
       "input 'x': int_contents[0] is 32768, not within INT16 [-32768, 32767]"},
  };
  for (const auto& test : kCases) {
    InferTensorContents contents;
    contents.add_int_contents(test.fits);
    EXPECT_TRUE(CheckTypedContents(Tensor(test.datatype, {}), contents, 1).ok());
    contents.set_int_contents(0, test.does_not);
    EXPECT_EQ(CheckTypedContents(Tensor(test.datatype, {}), contents, 1).message(), test.message);
  }
  InferTensorContents unsigned_contents;
  unsigned_contents.add_uint_contents(65536);
  EXPECT_TRUE(CheckTypedContents(Tensor(Datatype::kUint32, {}), unsigned_contents, 1).ok());
  EXPECT_EQ(CheckTypedContents(Tensor(Datatype::kUint16, {}), unsigned_contents, 1).message(),
            "input 'x': uint_contents[0] is 65536, not within UINT16 [0, 65535]");
}

TEST(TypedContents, OnlyAMessageWithElementsHasAny) {
  InferTensorContents contents;
  EXPECT_FALSE(HasElements(contents));
  contents.add_bytes_contents("");
  EXPECT_TRUE(HasElements(contents));
}

}  // namespace
}  // namespace escan
