#include "server/protocol/protocol_cascade.h"

#include <google/protobuf/io/zero_copy_stream_impl_lite.h>

#include <cstring>
#include <utility>

namespace escan {
namespace {

constexpr int kPixels = 6;

template <typename T>
void AppendBytes(T value, std::string* to) {
  to->append(reinterpret_cast<const char*>(&value), sizeof(value));
}

void AddInput(const std::string& name, const std::string& datatype,
              const std::vector<int64_t>& shape, inference::ModelInferRequest* request) {
  auto* const input = request->add_inputs();
  input->set_name(name);
  input->set_datatype(datatype);
  input->mutable_shape()->Add(shape.begin(), shape.end());
}

inference::ModelInferRequest Form(int rows) {
  inference::ModelInferRequest request;
  request.set_model_name("pictures");
  request.set_id("r1");
  AddInput("image", "UINT8", {rows, 2, 3}, &request);
  AddInput("user", "INT32", {rows}, &request);
  AddInput("weight", "FP32", {rows, 1}, &request);
  return request;
}

}  // namespace

CascadeSpec ProtocolCascade() {
  CascadeSpec cascade;
  cascade.name = "pictures";
  cascade.max_rows = 8;
  cascade.deadline = std::chrono::seconds(1);
  cascade.slots = 64;
  cascade.inputs = {{.name = "image", .datatype = Datatype::kUint8, .shape = {2, 3}},
                    {.name = "user",
                     .datatype = Datatype::kInt32,
                     .shape = {},
                     .range = IntegerRange{.min = -1, .max = 99}},
                    {.name = "weight", .datatype = Datatype::kFp32, .shape = {1}}};
  cascade.outputs = {{.name = "classes", .datatype = Datatype::kFp32, .shape = {2}},
                     {.name = "flags", .datatype = Datatype::kUint8, .shape = {}}};
  StageSpec small;
  small.name = "small";
  small.outputs = cascade.outputs;
  small.answer = {0, 1};
  small.buckets = {1, 4};
  small.exit = {.score = ExitScore::kMaxProbability, .output = 0, .threshold = 0.5f};
  StageSpec large = small;
  large.name = "large";
  large.exit = {};
  cascade.stages = {small, large};
  return cascade;
}

inference::ModelInferRequest ValidRequest(int rows) {
  inference::ModelInferRequest request = Form(rows);
  std::string images;
  std::string users;
  std::string weights;
  for (int row = 0; row < rows; ++row) {
    for (int i = 0; i < kPixels; ++i) images.push_back(static_cast<char>(row + i));
    AppendBytes(int32_t{row}, &users);
    AppendBytes(static_cast<float>(row) / 2, &weights);
  }
  request.add_raw_input_contents(images);
  request.add_raw_input_contents(users);
  request.add_raw_input_contents(weights);
  return request;
}

inference::ModelInferRequest ValidTypedRequest(int rows) {
  inference::ModelInferRequest request = Form(rows);
  for (int row = 0; row < rows; ++row) {
    for (int i = 0; i < kPixels; ++i) {
      request.mutable_inputs(0)->mutable_contents()->add_uint_contents(
          static_cast<uint32_t>(row + i));
    }
    request.mutable_inputs(1)->mutable_contents()->add_int_contents(row);
    request.mutable_inputs(2)->mutable_contents()->add_fp32_contents(static_cast<float>(row) / 2);
  }
  return request;
}

ReceivedRequest::ReceivedRequest(const inference::ModelInferRequest& request, int piece)
    : ReceivedRequest(request.SerializeAsString(), piece) {}

ReceivedRequest::ReceivedRequest(std::string bytes, int piece) : bytes_(std::move(bytes)) {
  google::protobuf::io::ArrayInputStream stream(bytes_.data(), static_cast<int>(bytes_.size()),
                                                piece);
  status_ = request_.Parse(&stream);
}

}  // namespace escan
