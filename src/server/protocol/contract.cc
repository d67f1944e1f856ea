#include "server/protocol/contract.h"

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "contracts/label.h"
#include "server/protocol/typed_contents.h"

namespace escan {
namespace {

using inference::ModelInferRequest;

std::string Names(const std::vector<TensorSpec>& tensors) {
  return absl::StrJoin(tensors, ", ", [](std::string* out, const TensorSpec& tensor) {
    absl::StrAppend(out, "'", tensor.name, "'");
  });
}

// Index of the tensor, -1 when there is none.
int Find(const std::vector<TensorSpec>& tensors, absl::string_view name) {
  const auto found = std::find_if(tensors.begin(), tensors.end(),
                                  [&](const TensorSpec& tensor) { return tensor.name == name; });
  return found == tensors.end() ? -1 : static_cast<int>(found - tensors.begin());
}

// Datatype and shape of one input, and the number of its rows.
absl::StatusOr<int64_t> CheckForm(const TensorSpec& tensor,
                                  const ModelInferRequest::InferInputTensor& input, int max_rows) {
  if (input.datatype() != Name(tensor.datatype)) {
    return absl::InvalidArgumentError(absl::StrCat(
        "input '", tensor.name, "': datatype ", input.datatype().empty() ? "''" : input.datatype(),
        ", expected ", std::string(Name(tensor.datatype)),
        input.datatype() == "BYTES" ? "; BYTES is not supported" : ""));
  }
  const auto& shape = input.shape();
  if (shape.size() != static_cast<int>(tensor.shape.size()) + 1 ||
      !std::equal(tensor.shape.begin(), tensor.shape.end(), shape.begin() + 1)) {
    return absl::InvalidArgumentError(absl::StrCat("input '", tensor.name, "': shape ",
                                                   ShapeString({shape.begin(), shape.end()}),
                                                   " is not ", BatchedShapeString(tensor.shape)));
  }
  const int64_t rows = shape[0];
  if (rows < 1 || rows > max_rows) {
    return absl::InvalidArgumentError(
        absl::StrCat("input '", tensor.name, "': ", rows, " rows, expected 1 to ", max_rows));
  }
  return rows;
}

absl::StatusOr<InputSource> CheckContents(const TensorSpec& tensor, const WireRequest& request,
                                          int index, int64_t rows) {
  const ModelInferRequest::InferInputTensor& input = request.header().inputs(index);
  if (request.raw_inputs().empty()) {
    absl::Status status = CheckTypedContents(tensor, input.contents(), rows);
    if (!status.ok()) return status;
    return InputSource{.typed = &input.contents()};
  }
  const RawBytes& raw = request.raw_inputs()[static_cast<size_t>(index)];
  const size_t expected = static_cast<size_t>(rows) * tensor.row_bytes();
  if (raw.size() != expected) {
    return absl::InvalidArgumentError(absl::StrCat("input '", tensor.name, "': ", raw.size(),
                                                   " bytes of raw contents, expected ", expected,
                                                   ": ", rows, " x ", tensor.row_bytes()));
  }
  return InputSource{.raw = &raw};
}

// Raw contents are for all inputs or for none.
absl::Status CheckRawCount(const WireRequest& request) {
  if (request.raw_inputs().empty()) return absl::OkStatus();
  const ModelInferRequest& header = request.header();
  for (const auto& input : header.inputs()) {
    if (!HasElements(input.contents())) continue;
    return absl::InvalidArgumentError(
        absl::StrCat("input '", input.name(),
                     "': has typed contents although the request has raw_input_contents; "
                     "use one of them"));
  }
  if (request.raw_inputs().size() != static_cast<size_t>(header.inputs_size())) {
    return absl::InvalidArgumentError(
        absl::StrCat("raw_input_contents: ", request.raw_inputs().size(),
                     " entries, expected one for each of the ", header.inputs_size(), " inputs"));
  }
  return absl::OkStatus();
}

bool IsGiven(const InputSource& source) { return source.raw != nullptr || source.typed != nullptr; }

// The request's input at `position`, put into its place in `checked`.
absl::Status CheckInput(const CascadeSpec& cascade, const WireRequest& request, int position,
                        CheckedRequest* checked) {
  const ModelInferRequest::InferInputTensor& input = request.header().inputs(position);
  const int index = Find(cascade.inputs, input.name());
  if (index < 0) {
    return absl::InvalidArgumentError(absl::StrCat("unknown input '", input.name(), "': model '",
                                                   cascade.name, "' takes ",
                                                   Names(cascade.inputs)));
  }
  const TensorSpec& tensor = cascade.inputs[static_cast<size_t>(index)];
  InputSource& place = checked->inputs[static_cast<size_t>(index)];
  if (IsGiven(place)) {
    return absl::InvalidArgumentError(absl::StrCat("input '", tensor.name, "': given twice"));
  }
  if (!input.parameters().empty()) {
    const std::string what = absl::StrCat("input '", tensor.name, "'");
    absl::Status status = CheckTensorParameters(what, input.parameters());
    if (!status.ok()) return status;
  }
  absl::StatusOr<int64_t> rows = CheckForm(tensor, input, cascade.max_rows);
  if (!rows.ok()) return rows.status();
  if (position == 0) {
    checked->rows = static_cast<int>(*rows);
  } else if (*rows != checked->rows) {
    return absl::InvalidArgumentError(
        absl::StrCat("input '", tensor.name, "': ", *rows, " rows, but input '",
                     request.header().inputs(0).name(), "' has ", checked->rows));
  }
  absl::StatusOr<InputSource> source = CheckContents(tensor, request, position, *rows);
  if (!source.ok()) return source.status();
  place = *source;
  return absl::OkStatus();
}

absl::Status CheckInputs(const CascadeSpec& cascade, const WireRequest& request,
                         CheckedRequest* checked) {
  if (absl::Status status = CheckRawCount(request); !status.ok()) return status;
  checked->inputs.resize(cascade.inputs.size());
  for (int i = 0; i < request.header().inputs_size(); ++i) {
    absl::Status status = CheckInput(cascade, request, i, checked);
    if (!status.ok()) return status;
  }
  for (size_t i = 0; i < checked->inputs.size(); ++i) {
    if (IsGiven(checked->inputs[i])) continue;
    return absl::InvalidArgumentError(absl::StrCat("input '", cascade.inputs[i].name,
                                                   "': missing; model '", cascade.name, "' takes ",
                                                   Names(cascade.inputs)));
  }
  return absl::OkStatus();
}

absl::Status CheckOutputs(const std::vector<TensorSpec>& outputs, const ModelInferRequest& request,
                          CheckedRequest* checked) {
  if (request.outputs().empty()) {
    for (size_t i = 0; i < outputs.size(); ++i) checked->outputs.push_back(static_cast<int>(i));
    return absl::OkStatus();
  }
  for (const auto& output : request.outputs()) {
    const int index = Find(outputs, output.name());
    if (index < 0) {
      return absl::InvalidArgumentError(absl::StrCat("unknown output '", output.name(),
                                                     "': model '", request.model_name(), "' has ",
                                                     Names(outputs)));
    }
    if (std::find(checked->outputs.begin(), checked->outputs.end(), index) !=
        checked->outputs.end()) {
      return absl::InvalidArgumentError(
          absl::StrCat("output '", output.name(), "': asked for twice"));
    }
    if (!output.parameters().empty()) {
      const std::string what = absl::StrCat("output '", output.name(), "'");
      absl::Status status = CheckTensorParameters(what, output.parameters());
      if (!status.ok()) return status;
    }
    checked->outputs.push_back(index);
  }
  return absl::OkStatus();
}

absl::Status CheckLabels(const CascadeSpec& cascade, const CheckedRequest& checked) {
  const size_t labels = checked.parameters.labels.size();
  if (labels == 0) return absl::OkStatus();
  if (!LabelOutput(cascade).has_value()) {
    return absl::InvalidArgumentError(absl::StrCat("parameter 'ground_truth': no output of model '",
                                                   cascade.name, "' tells a class"));
  }
  if (labels == static_cast<size_t>(checked.rows)) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat("parameter 'ground_truth': ", labels, " classes for ", checked.rows, " rows"));
}

}  // namespace

std::vector<TensorSpec> AnswerTensors(const CascadeSpec& cascade) {
  std::vector<TensorSpec> tensors = cascade.outputs;
  tensors.push_back({.name = std::string(kExitStageOutput), .datatype = Datatype::kInt32});
  tensors.push_back({.name = std::string(kConfidenceOutput), .datatype = Datatype::kFp32});
  return tensors;
}

absl::Status CheckVersion(absl::string_view model, absl::string_view version,
                          absl::string_view served) {
  if (version.empty() || version == served) return absl::OkStatus();
  return absl::NotFoundError(absl::StrCat("model '", model, "' has no version '", version,
                                          "', its only version is '", served, "'"));
}

absl::StatusOr<CheckedRequest> CheckRequest(const CascadeSpec& cascade,
                                            const std::vector<TensorSpec>& outputs,
                                            const WireRequest& request, absl::string_view served) {
  const ModelInferRequest& header = request.header();
  absl::Status status = CheckVersion(cascade.name, header.model_version(), served);
  if (!status.ok()) return status;
  CheckedRequest checked;
  if (!header.parameters().empty()) {
    absl::StatusOr<RequestParameters> parameters = ReadRequestParameters(header.parameters());
    if (!parameters.ok()) return parameters.status();
    checked.parameters = *std::move(parameters);
  }
  if (status = CheckInputs(cascade, request, &checked); !status.ok()) return status;
  if (status = CheckOutputs(outputs, header, &checked); !status.ok()) return status;
  if (status = CheckLabels(cascade, checked); !status.ok()) return status;
  return checked;
}

size_t MaxRequestBytes(const CascadeSpec& cascade) {
  size_t row = 0;
  for (const TensorSpec& input : cascade.inputs) {
    row += static_cast<size_t>(input.elements()) * MaxWireBytes(input.datatype);
  }
  return kHeaderRoom + row * static_cast<size_t>(cascade.max_rows);
}

}  // namespace escan
