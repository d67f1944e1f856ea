#include "server/protocol/rest_request.h"

#include <cstring>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "server/protocol/contract.h"
#include "server/protocol/protocol_cascade.h"

namespace escan {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

// A request as the services read it.
struct Received {
  explicit Received(const std::string& json, const std::string& binary = "") : body(json + binary) {
    status = form.Read(body, json.size(), &wire);
  }

  template <typename T>
  std::vector<T> Input(size_t index) const {
    const RawBytes& raw = wire.raw_inputs()[index];
    std::vector<T> elements(raw.size() / sizeof(T));
    RawBytes::Reader(raw).Read(reinterpret_cast<std::byte*>(elements.data()), raw.size());
    return elements;
  }

  const std::string body;
  RestRequest form;
  WireRequest wire;
  absl::Status status;
};

std::string Inputs(const std::string& inputs) {
  return absl::StrCat("{\"inputs\":[", inputs, "]}");
}

std::string Input(const std::string& datatype, const std::string& shape, const std::string& data) {
  return Inputs(absl::StrCat(R"({"name":"x","datatype":")", datatype, R"(","shape":)", shape,
                             R"(,"data":)", data, "}"));
}

std::string ErrorOf(const std::string& json, const std::string& binary = "") {
  const Received received(json, binary);
  EXPECT_EQ(received.status.code(), absl::StatusCode::kInvalidArgument) << json;
  return std::string(received.status.message());
}

TEST(RestRequest, ReadsWhatGrpcReads) {
  // ValidRequest(2), in JSON.
  const Received received(R"({
    "id": "r1", "parameters": {"priority": 1, "timeout": 5000000, "sequence_id": 0},
    "inputs": [
      {"name": "image", "datatype": "UINT8", "shape": [2, 2, 3],
       "data": [[[0,1,2],[3,4,5]],[[1,2,3],[4,5,6]]]},
      {"name": "user", "datatype": "INT32", "shape": [2], "data": [0, 1]},
      {"name": "weight", "datatype": "FP32", "shape": [2, 1], "data": [0, 0.5]}],
    "outputs": [{"name": "flags", "parameters": {"binary_data": true}}, {"name": "exit_stage"}]})");
  ASSERT_TRUE(received.status.ok()) << received.status;
  const CascadeSpec cascade = ProtocolCascade();
  const ReceivedRequest same(ValidRequest(2), 1 << 20);
  ASSERT_EQ(received.wire.raw_inputs().size(), same->raw_inputs().size());
  EXPECT_EQ(received.wire.header().id(), same->header().id());
  EXPECT_THAT(received.Input<uint8_t>(0), ElementsAre(0, 1, 2, 3, 4, 5, 1, 2, 3, 4, 5, 6));
  EXPECT_THAT(received.Input<int32_t>(1), ElementsAre(0, 1));
  EXPECT_THAT(received.Input<float>(2), ElementsAre(0, 0.5f));
  const absl::StatusOr<CheckedRequest> checked =
      CheckRequest(cascade, AnswerTensors(cascade), received.wire);
  ASSERT_TRUE(checked.ok()) << checked.status();
  EXPECT_EQ(checked->rows, 2);
  EXPECT_EQ(checked->parameters.priority, 1);
  EXPECT_EQ(checked->parameters.timeout, std::chrono::seconds(5));
  EXPECT_THAT(checked->outputs, ElementsAre(1, 2));
  EXPECT_TRUE(received.form.IsBinary(0));
  EXPECT_FALSE(received.form.IsBinary(1));
}

TEST(RestRequest, BinaryInputsFollowTheJsonInTheirOrder) {
  const Received received(
      Inputs(R"({"name":"a","shape":[1],"datatype":"INT16","parameters":{"binary_data_size":2}},
                {"name":"b","shape":[2],"datatype":"UINT8","data":[7,8]},
                {"name":"c","shape":[3],"datatype":"UINT8","parameters":{"binary_data_size":3}})"),
      std::string("\x01\x02xyz", 5));
  ASSERT_TRUE(received.status.ok()) << received.status;
  EXPECT_THAT(received.Input<int16_t>(0), ElementsAre(0x0201));
  EXPECT_THAT(received.Input<uint8_t>(1), ElementsAre(7, 8));
  EXPECT_THAT(received.Input<uint8_t>(2), ElementsAre('x', 'y', 'z'));
  EXPECT_THAT(received.wire.header().inputs(0).parameters(), IsEmpty());
}

TEST(RestRequest, OutputsAreInJsonUnlessTheRequestOrTheOutputSaysOtherwise) {
  const Received json(R"({"inputs":[]})");
  EXPECT_FALSE(json.form.IsBinary(0));
  const Received binary(
      R"({"parameters":{"binary_data_output":true},"inputs":[],
          "outputs":[{"name":"a","parameters":{"binary_data":false}},{"name":"b"}]})");
  EXPECT_FALSE(binary.form.IsBinary(0));
  EXPECT_TRUE(binary.form.IsBinary(1));
}

TEST(RestRequest, KeepsEveryBitOfLargeIntegers) {
  EXPECT_THAT(Received(Input("UINT64", "[2]", "[18446744073709551615,1.0]")).Input<uint64_t>(0),
              ElementsAre(18446744073709551615u, 1u));
  EXPECT_THAT(
      Received(Input("INT64", "[2]", "[-9223372036854775808,9007199254740993]")).Input<int64_t>(0),
      ElementsAre(INT64_MIN, 9007199254740993));
}

TEST(RestRequest, RefusesValuesThatTheDatatypeDoesNotHold) {
  EXPECT_EQ(ErrorOf(Input("UINT8", "[2]", "[1,256]")),
            "input 'x': element 1 is 256, not a value of UINT8");
  EXPECT_EQ(ErrorOf(Input("UINT8", "[1]", "[-1]")),
            "input 'x': element 0 is -1, not a value of UINT8");
  EXPECT_EQ(ErrorOf(Input("INT32", "[1]", "[1.5]")),
            "input 'x': element 0 is 1.5, not a value of INT32");
  EXPECT_EQ(ErrorOf(Input("INT64", "[1]", "[9223372036854775808.0]")),
            "input 'x': element 0 is 9.22337e+18, not a value of INT64");
  EXPECT_EQ(ErrorOf(Input("FP32", "[1]", "[1e39]")),
            "input 'x': element 0 is 1e+39, not a value of FP32");
  EXPECT_EQ(ErrorOf(Input("BOOL", "[1]", "[1]")), "input 'x': element 0 is 1, not a value of BOOL");
  EXPECT_EQ(ErrorOf(Input("FP32", "[1]", "[true]")),
            "input 'x': element 0 is true, not a value of FP32");
  EXPECT_THAT(ErrorOf(Input("FP16", "[1]", "[1]")), HasSubstr("FP16 travels only as binary data"));
}

TEST(RestRequest, RefusesElementsThatAreNotAsTheShapeSays) {
  EXPECT_EQ(ErrorOf(Input("UINT8", "[2,2]", "[1,2,3]")),
            "input 'x': data has 3 elements, expected those of [2,2]");
  EXPECT_EQ(ErrorOf(Input("UINT8", "[2,2]", "[[1,2,3,4]]")),
            "input 'x': data is nested as [1,4], expected [2,2]");
  EXPECT_EQ(ErrorOf(Input("UINT8", "[2,2]", "[[1,2,3],[4]]")),
            "inputs[0].data: arrays of different lengths at one depth");
  EXPECT_EQ(ErrorOf(Input("UINT8", "[2]", "[1,[2]]")),
            "inputs[0].data: arrays nested too deeply, or beside elements");
  EXPECT_EQ(ErrorOf(Input("UINT8", "[2]", "[[1],2]")),
            "inputs[0].data: elements and arrays side by side");
  EXPECT_EQ(ErrorOf(Input("UINT8", "[9223372036854775807,9]", "[1]")),
            "input 'x': data has 1 elements, expected those of [9223372036854775807,9]");
  EXPECT_THAT(ErrorOf(Input("UINT8", "[1]", std::string(100'000, '['))),
              HasSubstr("arrays nested too deeply"));
}

TEST(RestRequest, SaysWhereTheTextIsWrong) {
  EXPECT_THAT(ErrorOf("{"), HasSubstr("the request is not JSON: byte 2"));
  EXPECT_EQ(ErrorOf("[]"), "the request: an array, expected an object");
  EXPECT_EQ(ErrorOf(R"({"inputs":{}})"), "inputs: an object, expected an array of objects");
  EXPECT_EQ(ErrorOf(Inputs("7")), "inputs: a number, expected an object");
  EXPECT_EQ(ErrorOf(Inputs(R"({"nam":"x"})")),
            "inputs[0].nam: unknown key, known are name, shape, datatype, parameters, data");
  EXPECT_EQ(ErrorOf(Inputs(R"({"name":1})")), "inputs[0].name: a number, expected a string");
  EXPECT_EQ(ErrorOf(Inputs(R"({"shape":[1.5]})")), "inputs[0].shape: not an integer");
  EXPECT_EQ(ErrorOf(Input("BYTES", "[1]", R"(["a"])")),
            "inputs[0].data: a string: BYTES is not supported");
  EXPECT_EQ(ErrorOf(R"({"parameters":{"a":[]}})"),
            "parameters.a: an array, expected a bool, a number or a string");
  EXPECT_EQ(ErrorOf(R"({"outputs":[{"name":"a"},{"name":null,"parameters":{"b":{}}}]})"),
            "outputs[1].parameters.b: an object, expected a bool, a number or a string");
}

TEST(RestRequest, RefusesBinaryInputsThatAreNotThere) {
  const std::string input =
      R"({"name":"x","shape":[4],"datatype":"UINT8","parameters":{"binary_data_size":4}})";
  EXPECT_EQ(ErrorOf(Inputs(input), "abc"),
            "input 'x': binary_data_size is 4, but 3 bytes of the body are left");
  EXPECT_THAT(ErrorOf(Inputs(input), "abcde"), HasSubstr("1 bytes of the body belong to no input"));
  EXPECT_EQ(ErrorOf(Inputs(R"({"name":"x","shape":[1],"datatype":"UINT8"})")),
            "input 'x': has neither data nor the parameter binary_data_size");
  EXPECT_THAT(ErrorOf(Inputs(R"({"name":"x","data":[1],"parameters":{"binary_data_size":1}})")),
              HasSubstr("use one of them"));
}

}  // namespace
}  // namespace escan
