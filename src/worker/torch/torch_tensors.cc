#include "worker/torch/torch_tensors.h"

#include <ATen/ops/zeros.h>

#include <algorithm>
#include <array>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "worker/torch/torch_datatype.h"

namespace escan {
namespace {

constexpr std::array kSmallFloats = {c10::ScalarType::Half, c10::ScalarType::BFloat16,
                                     c10::ScalarType::Float};

bool IsSmallFloat(c10::ScalarType type) {
  return std::find(kSmallFloats.begin(), kSmallFloats.end(), type) != kSmallFloats.end();
}

// "UINT8 [4,28,28]".
std::string Describe(c10::ScalarType type, const std::vector<int64_t>& shape) {
  return absl::StrCat(DatatypeName(type), " ", ShapeString(shape));
}

absl::Status CheckOutput(const c10::IValue& value, const SlabTensor& output, int rows,
                         bool any_float) {
  const std::string label = absl::StrCat("forward() returned for output '", output.name, "' ");
  if (!value.isTensor()) {
    return absl::InvalidArgumentError(
        absl::StrCat(label, "a value of type ", value.tagKind(), ", expected a tensor"));
  }
  const at::Tensor& tensor = value.toTensor();
  const c10::ScalarType type = ToScalarType(output.datatype);
  const std::vector<int64_t> shape = BatchedShape(output, rows);
  if (tensor.layout() != c10::kStrided) {
    return absl::InvalidArgumentError(absl::StrCat(label, "a tensor that is not dense"));
  }
  const bool right_type =
      tensor.scalar_type() == type || (any_float && type != c10::ScalarType::BFloat16 &&
                                       IsSmallFloat(type) && IsSmallFloat(tensor.scalar_type()));
  if (right_type && tensor.sizes() == shape) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat(label, Describe(tensor.scalar_type(), tensor.sizes().vec()), ", expected ",
                   Describe(type, shape)));
}

}  // namespace

std::vector<int64_t> BatchedShape(const SlabTensor& tensor, int64_t rows) {
  std::vector<int64_t> shape = {rows};
  shape.insert(shape.end(), tensor.shape.begin(), tensor.shape.end());
  return shape;
}

std::string DescribeInputs(const WorkerStage& stage, int rows) {
  return absl::StrJoin(stage.inputs, ", ", [rows](std::string* out, const SlabTensor& input) {
    absl::StrAppend(out, "'", input.name, "' ",
                    Describe(ToScalarType(input.datatype), BatchedShape(input, rows)));
  });
}

std::vector<c10::IValue> Elements(c10::IValue value) {
  if (value.isTuple()) return value.toTupleRef().elements().vec();
  return {std::move(value)};
}

absl::Status CheckOutputs(const std::vector<c10::IValue>& values, const WorkerStage& stage,
                          int rows, bool any_float) {
  if (values.size() != stage.outputs.size()) {
    return absl::InvalidArgumentError(absl::StrCat("forward() returned ", values.size(),
                                                   " tensors, the stage has ", stage.outputs.size(),
                                                   " outputs"));
  }
  for (size_t i = 0; i < values.size(); ++i) {
    const absl::Status status = CheckOutput(values[i], stage.outputs[i], rows, any_float);
    if (!status.ok()) return status;
  }
  return absl::OkStatus();
}

at::Tensor InPlainMemory(const at::Tensor& tensor) {
  if (tensor._is_zerotensor()) return at::zeros(tensor.sizes(), tensor.options());
  return tensor.resolve_conj().resolve_neg().contiguous();
}

absl::Status Annotate(const std::string& prefix, const absl::Status& status) {
  return absl::Status(status.code(), absl::StrCat(prefix, ": ", status.message()));
}

}  // namespace escan
