#include "server/protocol/rest_answer.h"

#include <cmath>
#include <cstring>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "server/protocol/contract.h"

namespace escan {
namespace {

// One row of a cascade with one output, which left at the second stage with the score 0.75.
template <typename T>
RestAnswer Form(Datatype datatype, const std::vector<T>& values, const std::string& request) {
  CascadeSpec cascade;
  cascade.outputs = {
      {.name = "y", .datatype = datatype, .shape = {static_cast<int64_t>(values.size())}}};
  RestRequest form;
  WireRequest wire;
  EXPECT_TRUE(form.Read(request, request.size(), &wire).ok());
  const std::vector<SampleAnswer> rows = {{.stage = 1, .score = 0.75f}};
  const std::vector<int> outputs = {0, 1, 2};
  const auto data = [&](int, int) { return reinterpret_cast<const std::byte*>(values.data()); };
  return FormRestAnswer({"m", "1"}, AnswerTensors(cascade),
                        {.id = "a\"b", .rows = rows, .outputs = outputs, .data = data}, form);
}

constexpr char kJson[] = R"({"inputs":[]})";

template <typename T>
std::string DataOf(Datatype datatype, const std::vector<T>& values) {
  return nlohmann::json::parse(Form(datatype, values, kJson).body)["outputs"][0]["data"].dump();
}

TEST(RestAnswer, IsTheProtocolsJson) {
  const RestAnswer answer = Form<float>(Datatype::kFp32, {0.1f, -2, 1e30f}, kJson);
  EXPECT_FALSE(answer.binary);
  EXPECT_EQ(answer.json_bytes, answer.body.size());
  EXPECT_EQ(answer.body, R"({"model_name":"m","model_version":"1","id":"a\"b","outputs":[)"
                         R"({"name":"y","datatype":"FP32","shape":[1,3],"data":[0.1,-2,1e+30]},)"
                         R"({"name":"exit_stage","datatype":"INT32","shape":[1],"data":[2]},)"
                         R"({"name":"confidence","datatype":"FP32","shape":[1],"data":[0.75]}]})");
}

TEST(RestAnswer, BinaryOutputsFollowTheJsonInTheirOrder) {
  const RestAnswer answer = Form<uint8_t>(Datatype::kUint8, {1, 2, 3},
                                          R"({"inputs":[],"parameters":{"binary_data_output":true},
                        "outputs":[{"name":"y"},{"name":"exit_stage"},
                                   {"name":"confidence","parameters":{"binary_data":false}}]})");
  EXPECT_TRUE(answer.binary);
  EXPECT_EQ(answer.body.substr(answer.json_bytes), std::string("\1\2\3\2\0\0\0", 7));
  const auto outputs = nlohmann::json::parse(answer.body.substr(0, answer.json_bytes))["outputs"];
  EXPECT_EQ(outputs[0]["parameters"]["binary_data_size"], 3);
  EXPECT_FALSE(outputs[0].contains("data"));
  EXPECT_EQ(outputs[1]["parameters"]["binary_data_size"], 4);
  EXPECT_EQ(outputs[2]["data"][0], 0.75);
}

TEST(RestAnswer, WritesEveryDatatype) {
  EXPECT_EQ(DataOf<uint8_t>(Datatype::kBool, {0, 1}), "[false,true]");
  EXPECT_EQ(DataOf<uint8_t>(Datatype::kUint8, {0, 255}), "[0,255]");
  EXPECT_EQ(DataOf<int8_t>(Datatype::kInt8, {-128, 127}), "[-128,127]");
  EXPECT_EQ(DataOf<uint64_t>(Datatype::kUint64, {UINT64_MAX}), "[18446744073709551615]");
  EXPECT_EQ(DataOf<int64_t>(Datatype::kInt64, {INT64_MIN}), "[-9223372036854775808]");
  EXPECT_EQ(DataOf<double>(Datatype::kFp64, {0.1}), "[0.1]");
  // 1, the least subnormal, -2, the largest
  EXPECT_EQ(DataOf<uint16_t>(Datatype::kFp16, {0x3C00, 0x0001, 0xC000, 0x7BFF}),
            "[1,5.9604645e-08,-2,65504]");
  EXPECT_EQ(DataOf<uint16_t>(Datatype::kBf16, {0x3F80, 0xC040}), "[1,-3]");
}

TEST(RestAnswer, WhatJsonHasNoNumberForIsNull) {
  EXPECT_EQ(DataOf<float>(Datatype::kFp32, {NAN, INFINITY, -INFINITY}), "[null,null,null]");
  EXPECT_EQ(DataOf<uint16_t>(Datatype::kFp16, {0x7C00, 0x7E00}), "[null,null]");
}

}  // namespace
}  // namespace escan
