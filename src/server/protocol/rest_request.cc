#include "server/protocol/rest_request.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "escan/tensor.h"
#include "server/protocol/contract.h"
#include "server/protocol/json_request_reader.h"

namespace escan {
namespace {

using inference::ModelInferRequest;

absl::Status Wrong(const ModelInferRequest::InferInputTensor& input, absl::string_view why) {
  return absl::InvalidArgumentError(absl::StrCat("input '", input.name(), "': ", why));
}

// Of a datatype that does not exist there are no elements; the contract names it.
absl::StatusOr<std::string> ElementsOf(const ModelInferRequest::InferInputTensor& input,
                                       const JsonElements& data) {
  const std::optional<Datatype> datatype = ParseDatatype(input.datatype());
  if (!datatype.has_value()) return std::string();
  return data.InMemory(input.name(), *datatype,
                       {input.shape().data(), input.shape().data() + input.shape_size()});
}

}  // namespace

absl::Status RestRequest::Read(std::string_view body, size_t json_bytes, WireRequest* wire) {
  JsonRequestReader reader(wire->mutable_header());
  if (absl::Status status = reader.Read(body.substr(0, json_bytes)); !status.ok()) return status;
  binary_outputs_ = reader.binary_outputs();
  binary_of_outputs_ = reader.binary_of_outputs();
  std::string_view binary = body.substr(json_bytes);
  for (size_t i = 0; i < reader.inputs().size(); ++i) {
    const JsonRequestReader::Input& input = reader.inputs()[i];
    const auto& header = wire->header().inputs(static_cast<int>(i));
    if (input.has_data == input.binary_bytes.has_value()) {
      return Wrong(header, input.has_data
                               ? "has data and the parameter binary_data_size; use one of them"
                               : "has neither data nor the parameter binary_data_size");
    }
    if (input.has_data) {
      absl::StatusOr<std::string> elements = ElementsOf(header, input.data);
      if (!elements.ok()) return elements.status();
      wire->AddRawInput(elements_.emplace_back(*std::move(elements)));
      continue;
    }
    if (*input.binary_bytes > binary.size()) {
      return Wrong(header, absl::StrCat("binary_data_size is ", *input.binary_bytes, ", but ",
                                        binary.size(), " bytes of the body are left"));
    }
    wire->AddRawInput(binary.substr(0, *input.binary_bytes));
    binary.remove_prefix(*input.binary_bytes);
  }
  if (binary.empty()) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat(binary.size(), " bytes of the body belong to no input: the header ",
                   "Inference-Header-Content-Length says where the JSON ends, and the parameters ",
                   "binary_data_size how long each binary input is"));
}

bool RestRequest::IsBinary(size_t output) const {
  if (output >= binary_of_outputs_.size()) return binary_outputs_;
  return binary_of_outputs_[output].value_or(binary_outputs_);
}

size_t MaxRestRequestBytes(const CascadeSpec& cascade) {
  // A number has up to 3, 5, 15 or 25 characters; then a comma and spaces, or brackets.
  constexpr size_t kShortest = 8;
  size_t row = 0;
  for (const TensorSpec& input : cascade.inputs) {
    row +=
        static_cast<size_t>(input.elements()) * std::max(kShortest, 4 * ByteSize(input.datatype));
  }
  return std::max(MaxRequestBytes(cascade),
                  kHeaderRoom + row * static_cast<size_t>(cascade.max_rows));
}

}  // namespace escan
