#pragma once

#include <cstddef>
#include <cstdint>

#include "absl/status/status.h"
#include "escan/tensor.h"
#include "inference/grpc_service.pb.h"

namespace escan {

// Tensor elements that travel as protobuf fields, one kind of field for each group of datatypes.
// https://github.com/kserve/open-inference-protocol, "Tensor Data".

// Any element, of any kind.
bool HasElements(const inference::InferTensorContents& contents);

// InvalidArgument naming the tensor, what was found and what was expected, unless `contents` holds
// the elements of `rows` rows in the field of the tensor's datatype, each within its limits.
absl::Status CheckTypedContents(const TensorSpec& tensor,
                                const inference::InferTensorContents& contents, int64_t rows);

// Writes one row of contents that passed the check, in the datatype's memory form.
void CopyTypedRow(const TensorSpec& tensor, const inference::InferTensorContents& contents,
                  int64_t row, std::byte* to);

// The most bytes that one element takes on the wire, raw or typed (fields packed).
size_t MaxWireBytes(Datatype datatype);

}  // namespace escan
