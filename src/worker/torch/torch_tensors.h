#pragma once

#include <ATen/core/Tensor.h>
#include <ATen/core/ivalue.h>

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "ipc/worker_spec.h"

// What models on any device are given and give back.
namespace escan {

std::vector<int64_t> BatchedShape(const SlabTensor& tensor, int64_t rows);

// "'image' UINT8 [4,28,28], 'scale' FP32 [4]": a stage's inputs with so many rows.
std::string DescribeInputs(const WorkerStage& stage, int rows);

// What forward() returned: the elements of a tuple, or the value itself.
std::vector<c10::IValue> Elements(c10::IValue value);

// OK when `values`, as they came from forward(), are the stage's outputs: dense tensors of `rows`
// rows, in the declared datatypes or, where `any_float` is set, in another floating-point one of at
// most 32 bits where one is declared. The error names the output, what was found and expected.
absl::Status CheckOutputs(const std::vector<c10::IValue>& values, const WorkerStage& stage,
                          int rows, bool any_float);

// A tensor of these values whose memory can be read as it lies there, row by row: torch keeps
// strides, a sign, a conjugation and "all zeros" beside the memory. The tensor itself where that is
// so already. Whoever takes a pointer to a tensor of a model takes it from this.
at::Tensor InPlainMemory(const at::Tensor& tensor);

// `prefix`: the message of `status`.
absl::Status Annotate(const std::string& prefix, const absl::Status& status);

}  // namespace escan
