#include "escan/tensor.h"

#include <gtest/gtest.h>

#include <string>

namespace escan {
namespace {

struct Facts {
  Datatype datatype;
  std::string name;
  size_t bytes;
  bool is_integer;
};

// https://github.com/kserve/open-inference-protocol: the datatypes of fixed size.
const Facts kFacts[] = {
    {Datatype::kBool, "BOOL", 1, false},    {Datatype::kUint8, "UINT8", 1, true},
    {Datatype::kUint16, "UINT16", 2, true}, {Datatype::kUint32, "UINT32", 4, true},
    {Datatype::kUint64, "UINT64", 8, true}, {Datatype::kInt8, "INT8", 1, true},
    {Datatype::kInt16, "INT16", 2, true},   {Datatype::kInt32, "INT32", 4, true},
    {Datatype::kInt64, "INT64", 8, true},   {Datatype::kFp16, "FP16", 2, false},
    {Datatype::kFp32, "FP32", 4, false},    {Datatype::kFp64, "FP64", 8, false},
    {Datatype::kBf16, "BF16", 2, false},
};

TEST(Datatype, HasTheProtocolsNamesAndSizes) {
  for (const Facts& facts : kFacts) {
    EXPECT_EQ(Name(facts.datatype), facts.name);
    EXPECT_EQ(ParseDatatype(facts.name), facts.datatype);
    EXPECT_EQ(ByteSize(facts.datatype), facts.bytes) << facts.name;
    EXPECT_EQ(IsInteger(facts.datatype), facts.is_integer) << facts.name;
  }
}

TEST(Datatype, IntegersHoldWhatTheirBitsAllow) {
  EXPECT_EQ(ValuesOf(Datatype::kUint8), (IntegerRange{0, 255}));
  EXPECT_EQ(ValuesOf(Datatype::kUint32), (IntegerRange{0, 4294967295}));
  EXPECT_EQ(ValuesOf(Datatype::kUint64), (IntegerRange{0, INT64_MAX}));
  EXPECT_EQ(ValuesOf(Datatype::kInt8), (IntegerRange{-128, 127}));
  EXPECT_EQ(ValuesOf(Datatype::kInt64), (IntegerRange{INT64_MIN, INT64_MAX}));
}

TEST(Datatype, OthersAreNotParsed) {
  for (const std::string name : {"BYTES", "uint8", "FLOAT32", ""}) {
    EXPECT_EQ(ParseDatatype(name), std::nullopt) << name;
  }
}

TEST(TensorSpec, CountsTheElementsAndBytesOfARow) {
  const TensorSpec image{"image", Datatype::kFp32, {3, 224, 224}, std::nullopt};
  EXPECT_EQ(image.elements(), 150528);
  EXPECT_EQ(image.row_bytes(), 602112u);
}

TEST(TensorSpec, AnEmptyShapeIsAScalar) {
  const TensorSpec label{"label", Datatype::kInt64, {}, std::nullopt};
  EXPECT_EQ(label.elements(), 1);
  EXPECT_EQ(label.row_bytes(), 8u);
}

TEST(Shape, IsShownWithAndWithoutTheRows) {
  EXPECT_EQ(BatchedShapeString({28, 28}), "[N,28,28]");
  EXPECT_EQ(BatchedShapeString({}), "[N]");
  EXPECT_EQ(ShapeString({2, 28, 28}), "[2,28,28]");
  EXPECT_EQ(ShapeString({}), "[]");
}

}  // namespace
}  // namespace escan
