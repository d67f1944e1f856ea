#pragma once

#include <grpcpp/support/byte_buffer.h>
#include <grpcpp/support/slice.h>

#include <cstdint>
#include <string>
#include <vector>

#include "escan/tensor.h"
#include "loadgen/connections.h"
#include "loadgen/sample_set.h"

namespace escan::loadgen {

// Serialised ModelInferRequests that refer to the samples' bytes instead of copying them: what
// comes before the raw contents is the same in all requests of as many rows, and is built once.
// Immutable, so any thread may use it.
class RequestEncoder {
 public:
  // Requests have `rows_per_request` rows or fewer. `samples` outlives every request's sending.
  RequestEncoder(const ModelInfo& model, const SampleSet* samples, int rows_per_request);

  grpc::ByteBuffer Encode(int64_t first_row, int rows) const;

 private:
  // One input's raw contents need a field tag and length of their own before the bytes.
  using Prefixes = std::vector<grpc::Slice>;  // one an input; the first holds the head, too

  Prefixes BuildPrefixes(const ModelInfo& model, int rows) const;

  const SampleSet* const samples_;
  std::vector<Prefixes> by_rows_;  // [rows - 1]
};

}  // namespace escan::loadgen
