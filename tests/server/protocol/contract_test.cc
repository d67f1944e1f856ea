#include "server/protocol/contract.h"

#include <cstring>
#include <functional>
#include <string>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "server/protocol/protocol_cascade.h"

namespace escan {
namespace {

using inference::ModelInferRequest;
using testing::ElementsAre;

absl::StatusOr<CheckedRequest> Check(const WireRequest& request) {
  const CascadeSpec cascade = ProtocolCascade();
  return CheckRequest(cascade, AnswerTensors(cascade), request);
}

TEST(Contract, AValidRequestIsAccepted) {
  const ReceivedRequest request(ValidRequest(3));
  absl::StatusOr<CheckedRequest> checked = Check(*request);
  ASSERT_TRUE(checked.ok()) << checked.status();
  EXPECT_EQ(checked->rows, 3);
  EXPECT_EQ(checked->parameters.priority, kDefaultPriority);
  EXPECT_EQ(checked->parameters.timeout, std::nullopt);
  ASSERT_EQ(checked->inputs.size(), 3u);
  EXPECT_EQ(checked->inputs[0].raw, &request->raw_inputs()[0]);
  EXPECT_EQ(checked->inputs[0].typed, nullptr);
}

TEST(Contract, TypedContentsAreAccepted) {
  const ReceivedRequest request(ValidTypedRequest(2));
  absl::StatusOr<CheckedRequest> checked = Check(*request);
  ASSERT_TRUE(checked.ok()) << checked.status();
  EXPECT_EQ(checked->inputs[2].raw, nullptr);
  EXPECT_EQ(checked->inputs[2].typed, &request->header().inputs(2).contents());
}

TEST(Contract, InputsMayComeInAnyOrderWithTheirRawContents) {
  ModelInferRequest request = ValidRequest(2);
  request.mutable_inputs()->SwapElements(0, 2);
  request.mutable_raw_input_contents()->SwapElements(0, 2);
  const ReceivedRequest received(request);
  absl::StatusOr<CheckedRequest> checked = Check(*received);
  ASSERT_TRUE(checked.ok()) << checked.status();
  EXPECT_EQ(checked->inputs[0].raw, &received->raw_inputs()[2]);
  EXPECT_EQ(checked->inputs[2].raw, &received->raw_inputs()[0]);
}

TEST(Contract, NoRequestedOutputsMeansAllOfThem) {
  const ReceivedRequest request(ValidRequest(1));
  EXPECT_THAT(Check(*request)->outputs, ElementsAre(0, 1, 2, 3));
}

TEST(Contract, RequestedOutputsKeepTheirOrder) {
  ModelInferRequest request = ValidRequest(1);
  for (const char* name : {"confidence", "classes", "exit_stage"}) {
    request.add_outputs()->set_name(name);
  }
  const ReceivedRequest received(request);
  EXPECT_THAT(Check(*received)->outputs, ElementsAre(3, 0, 2));
}

TEST(Contract, ParametersAreRead) {
  ModelInferRequest request = ValidRequest(1);
  (*request.mutable_parameters())["priority"].set_int64_param(3);
  (*request.mutable_parameters())["timeout"].set_uint64_param(1500);
  (*request.mutable_parameters())["triton_enable_empty_final_response"].set_bool_param(true);
  const ReceivedRequest received(request);
  absl::StatusOr<CheckedRequest> checked = Check(*received);
  ASSERT_TRUE(checked.ok()) << checked.status();
  EXPECT_EQ(checked->parameters.priority, 3);
  EXPECT_EQ(checked->parameters.timeout, std::chrono::microseconds(1500));
  EXPECT_TRUE(AsksForFinalMark(received->header().parameters()));
}

TEST(Contract, ParametersWithTheirDefaultsChangeNothing) {
  ModelInferRequest request = ValidRequest(1);
  auto& parameters = *request.mutable_parameters();
  parameters["priority"].set_uint64_param(0);
  parameters["timeout"].set_int64_param(0);
  parameters["sequence_id"].set_int64_param(0);
  parameters["sequence_start"].set_bool_param(false);
  request.add_outputs()->set_name("classes");
  (*request.mutable_outputs(0)->mutable_parameters())["classification"].set_int64_param(0);
  const ReceivedRequest received(request);
  absl::StatusOr<CheckedRequest> checked = Check(*received);
  ASSERT_TRUE(checked.ok()) << checked.status();
  EXPECT_EQ(checked->parameters.priority, kDefaultPriority);
  EXPECT_EQ(checked->parameters.timeout, std::nullopt);
  EXPECT_FALSE(AsksForFinalMark(received->header().parameters()));
}

struct BadRequest {
  const char* name;
  std::function<void(ModelInferRequest*)> spoil;
  const char* message;
  absl::StatusCode code = absl::StatusCode::kInvalidArgument;
  bool typed = false;
};

void PrintTo(const BadRequest& bad, std::ostream* out) { *out << bad.name; }

class ContractRefuses : public testing::TestWithParam<BadRequest> {};

TEST_P(ContractRefuses, WithWhatWasFoundAndWhatWasExpected) {
  ModelInferRequest request = GetParam().typed ? ValidTypedRequest(2) : ValidRequest(2);
  GetParam().spoil(&request);
  const ReceivedRequest received(request);
  const absl::Status status = Check(*received).status();
  EXPECT_EQ(status.code(), GetParam().code);
  EXPECT_EQ(status.message(), GetParam().message);
}

auto Parameter(const char* name, int64_t value) {
  return [=](ModelInferRequest* request) {
    (*request->mutable_parameters())[name].set_int64_param(value);
  };
}

const BadRequest kBadRequests[] = {
    {"Version", [](auto* r) { r->set_model_version("2"); },
     "model 'pictures' has no version '2', its only version is '1'", absl::StatusCode::kNotFound},
    {"UnknownInput", [](auto* r) { r->mutable_inputs(0)->set_name("picture"); },
     "unknown input 'picture': model 'pictures' takes 'image', 'user', 'weight'"},
    {"MissingInput",
     [](auto* r) {
       r->mutable_inputs()->RemoveLast();
       r->mutable_raw_input_contents()->RemoveLast();
     },
     "input 'weight': missing; model 'pictures' takes 'image', 'user', 'weight'"},
    {"InputTwice",
     [](auto* r) {
       *r->add_inputs() = r->inputs(0);
       r->add_raw_input_contents(r->raw_input_contents(0));
     },
     "input 'image': given twice"},
    {"Datatype", [](auto* r) { r->mutable_inputs(0)->set_datatype("FP32"); },
     "input 'image': datatype FP32, expected UINT8"},
    {"NoDatatype", [](auto* r) { r->mutable_inputs(0)->clear_datatype(); },
     "input 'image': datatype '', expected UINT8"},
    {"Bytes", [](auto* r) { r->mutable_inputs(0)->set_datatype("BYTES"); },
     "input 'image': datatype BYTES, expected UINT8; BYTES is not supported"},
    {"ShapeTooShort", [](auto* r) { r->mutable_inputs(0)->mutable_shape()->RemoveLast(); },
     "input 'image': shape [2,2] is not [N,2,3]"},
    {"ShapeDiffers", [](auto* r) { r->mutable_inputs(0)->set_shape(2, 4); },
     "input 'image': shape [2,2,4] is not [N,2,3]"},
    {"NoShape", [](auto* r) { r->mutable_inputs(0)->clear_shape(); },
     "input 'image': shape [] is not [N,2,3]"},
    {"ScalarShape", [](auto* r) { r->mutable_inputs(1)->add_shape(1); },
     "input 'user': shape [2,1] is not [N]"},
    {"NoRows", [](auto* r) { r->mutable_inputs(0)->set_shape(0, 0); },
     "input 'image': 0 rows, expected 1 to 8"},
    {"NegativeRows", [](auto* r) { r->mutable_inputs(0)->set_shape(0, -1); },
     "input 'image': -1 rows, expected 1 to 8"},
    {"TooManyRows", [](auto* r) { r->mutable_inputs(0)->set_shape(0, 9); },
     "input 'image': 9 rows, expected 1 to 8"},
    {"RowsDiffer", [](auto* r) { r->mutable_inputs(1)->set_shape(0, 3); },
     "input 'user': 3 rows, but input 'image' has 2"},
    {"RawBytes", [](auto* r) { r->mutable_raw_input_contents(0)->pop_back(); },
     "input 'image': 11 bytes of raw contents, expected 12: 2 x 6"},
    {"RawCount", [](auto* r) { r->mutable_raw_input_contents()->RemoveLast(); },
     "raw_input_contents: 2 entries, expected one for each of the 3 inputs"},
    {"Mixed", [](auto* r) { r->mutable_inputs(1)->mutable_contents()->add_int_contents(1); },
     "input 'user': has typed contents although the request has raw_input_contents; use one of "
     "them"},
    {"TypedCount", [](auto* r) { r->mutable_inputs(0)->mutable_contents()->add_uint_contents(1); },
     "input 'image': uint_contents has 13 elements, expected 12: 2 x 6",
     absl::StatusCode::kInvalidArgument, true},
    {"TypedMissing", [](auto* r) { r->mutable_inputs(0)->clear_contents(); },
     "input 'image': uint_contents has 0 elements, expected 12: 2 x 6",
     absl::StatusCode::kInvalidArgument, true},
    {"TypedField", [](auto* r) { r->mutable_inputs(2)->mutable_contents()->add_fp64_contents(1); },
     "input 'weight': elements in fp64_contents, expected fp32_contents for FP32",
     absl::StatusCode::kInvalidArgument, true},
    {"TypedBytes",
     [](auto* r) { r->mutable_inputs(2)->mutable_contents()->add_bytes_contents("x"); },
     "input 'weight': elements in bytes_contents, expected fp32_contents for FP32",
     absl::StatusCode::kInvalidArgument, true},
    {"TypedValue",
     [](auto* r) { r->mutable_inputs(0)->mutable_contents()->set_uint_contents(7, 256); },
     "input 'image': uint_contents[7] is 256, not within UINT8 [0, 255]",
     absl::StatusCode::kInvalidArgument, true},
    {"UnknownOutput", [](auto* r) { r->add_outputs()->set_name("logits"); },
     "unknown output 'logits': model 'pictures' has 'classes', 'flags', 'exit_stage', "
     "'confidence'"},
    {"OutputTwice",
     [](auto* r) {
       r->add_outputs()->set_name("flags");
       r->add_outputs()->set_name("flags");
     },
     "output 'flags': asked for twice"},
    {"Classification",
     [](auto* r) {
       r->add_outputs()->set_name("classes");
       (*r->mutable_outputs(0)->mutable_parameters())["classification"].set_int64_param(3);
     },
     "output 'classes': parameter 'classification': not supported, ask for the output itself"},
    {"SharedMemoryOutput",
     [](auto* r) {
       r->add_outputs()->set_name("classes");
       (*r->mutable_outputs(0)->mutable_parameters())["shared_memory_region"].set_string_param("a");
     },
     "output 'classes': parameter 'shared_memory_region': shared memory is not supported, tensors "
     "travel inside the messages"},
    {"SharedMemoryInput",
     [](auto* r) {
       (*r->mutable_inputs(0)->mutable_parameters())["shared_memory_offset"].set_int64_param(0);
     },
     "input 'image': parameter 'shared_memory_offset': shared memory is not supported, tensors "
     "travel inside the messages"},
    {"InputParameter",
     [](auto* r) { (*r->mutable_inputs(0)->mutable_parameters())["crop"].set_bool_param(true); },
     "input 'image': unknown parameter 'crop': tensors take none"},
    {"Priority", Parameter("priority", 4),
     "parameter 'priority': 4 is not 0 (default), 1 (highest), 2 or 3 (lowest)"},
    {"NegativePriority", Parameter("priority", -1),
     "parameter 'priority': -1 is not 0 (default), 1 (highest), 2 or 3 (lowest)"},
    {"PriorityText",
     [](auto* r) { (*r->mutable_parameters())["priority"].set_string_param("high"); },
     "parameter 'priority': \"high\" is not 0 (default), 1 (highest), 2 or 3 (lowest)"},
    {"Timeout", Parameter("timeout", -5),
     "parameter 'timeout': -5 is not a number of microseconds >= 0"},
    {"FinalResponse", Parameter("triton_enable_empty_final_response", 1),
     "parameter 'triton_enable_empty_final_response': 1 is not a bool"},
    {"Sequence", Parameter("sequence_id", 7),
     "parameter 'sequence_id': sequences are not supported, every request stands alone"},
    {"GroundTruthText",
     [](auto* r) { (*r->mutable_parameters())["ground_truth"].set_string_param("3,cat"); },
     "parameter 'ground_truth': \"3,cat\" is not a class, or classes of rows as \"3,7,1\""},
    {"GroundTruthOfOtherRows",
     [](auto* r) { (*r->mutable_parameters())["ground_truth"].set_string_param("1,2,3,4,5"); },
     "parameter 'ground_truth': 5 classes for 2 rows"},
    {"UnknownParameter", Parameter("temperature", 1),
     "unknown parameter 'temperature': known are priority, timeout, ground_truth and "
     "triton_enable_empty_final_response"},
};

INSTANTIATE_TEST_SUITE_P(Contract, ContractRefuses, testing::ValuesIn(kBadRequests),
                         [](const auto& info) { return std::string(info.param.name); });

template <typename T>
absl::Status CheckOne(const TensorSpec& tensor, T value) {
  std::byte data[sizeof(T)];
  std::memcpy(data, &value, sizeof(T));
  return CheckValues(tensor, 4, data);
}

TEST(Contract, IntegersAreCheckedAgainstTheDeclaredRange) {
  const TensorSpec tensor = {
      .name = "user", .datatype = Datatype::kInt32, .range = IntegerRange{.min = -1, .max = 99}};
  EXPECT_TRUE(CheckOne(tensor, int32_t{-1}).ok());
  EXPECT_TRUE(CheckOne(tensor, int32_t{99}).ok());
  EXPECT_EQ(CheckOne(tensor, int32_t{100}).message(),
            "input 'user': row 4: element 0 is 100, not in [-1, 99]");
  EXPECT_EQ(CheckOne(tensor, int32_t{-2}).code(), absl::StatusCode::kInvalidArgument);
}

TEST(Contract, UnsignedValuesAreNotTakenForNegativeOnes) {
  const TensorSpec tensor = {
      .name = "id", .datatype = Datatype::kUint64, .range = IntegerRange{.min = -1, .max = 5}};
  EXPECT_EQ(CheckOne(tensor, UINT64_MAX).message(),
            "input 'id': row 4: element 0 is 18446744073709551615, not in [-1, 5]");
}

TEST(Contract, ABoolIsZeroOrOne) {
  const TensorSpec tensor = {.name = "mask", .datatype = Datatype::kBool, .shape = {2}};
  const std::byte good[] = {std::byte{1}, std::byte{0}};
  const std::byte bad[] = {std::byte{1}, std::byte{2}};
  EXPECT_TRUE(CheckValues(tensor, 0, good).ok());
  EXPECT_EQ(CheckValues(tensor, 0, bad).message(),
            "input 'mask': row 0: element 1 is 2, a BOOL is 0 or 1");
}

TEST(Contract, TheLargestRequestOfEveryDatatypeIsWithinTheMessageLimit) {
  for (const Datatype datatype :
       {Datatype::kBool, Datatype::kUint8, Datatype::kUint16, Datatype::kUint32, Datatype::kUint64,
        Datatype::kInt8, Datatype::kInt16, Datatype::kInt32, Datatype::kInt64, Datatype::kFp32,
        Datatype::kFp64}) {
    CascadeSpec cascade;
    cascade.max_rows = 16;
    cascade.inputs = {{.name = "x", .datatype = datatype, .shape = {1000}}};
    ModelInferRequest request;
    auto* const contents = request.add_inputs()->mutable_contents();
    for (int i = 0; i < 16'000; ++i) {
      // The values that take most bytes.
      if (datatype == Datatype::kBool) contents->add_bool_contents(true);
      if (datatype == Datatype::kUint8) contents->add_uint_contents(UINT8_MAX);
      if (datatype == Datatype::kUint16) contents->add_uint_contents(UINT16_MAX);
      if (datatype == Datatype::kUint32) contents->add_uint_contents(UINT32_MAX);
      if (datatype == Datatype::kUint64) contents->add_uint64_contents(UINT64_MAX);
      if (datatype == Datatype::kInt8) contents->add_int_contents(INT8_MIN);
      if (datatype == Datatype::kInt16) contents->add_int_contents(INT16_MIN);
      if (datatype == Datatype::kInt32) contents->add_int_contents(INT32_MIN);
      if (datatype == Datatype::kInt64) contents->add_int64_contents(INT64_MIN);
      if (datatype == Datatype::kFp32) contents->add_fp32_contents(1);
      if (datatype == Datatype::kFp64) contents->add_fp64_contents(1);
    }
    EXPECT_LE(request.ByteSizeLong(), MaxRequestBytes(cascade)) << Name(datatype);
  }
}

}  // namespace
}  // namespace escan
