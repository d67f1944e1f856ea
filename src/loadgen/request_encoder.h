#pragma once

#include <grpcpp/support/byte_buffer.h>
#include <grpcpp/support/slice.h>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "escan/tensor.h"
#include "loadgen/connections.h"
#include "loadgen/difficulties.h"
#include "loadgen/sample_set.h"
#include "loadgen/workload.h"

namespace escan::loadgen {

// The input of the model that says where samples exit, and its values.
struct ExitControl {
  int input = 0;  // index into the model's inputs
  const Difficulties* difficulties = nullptr;
};

// Serialised ModelInferRequests that refer to the samples' bytes instead of copying them: what
// comes before the raw contents is the same in all requests of as many rows, and is built once.
// Immutable, so any thread may use it.
class RequestEncoder {
 public:
  // Requests have `rows_per_request` rows or fewer. `samples` has the model's inputs but for that
  // of `exits`; it and the difficulties outlive every request's sending.
  RequestEncoder(const ModelInfo& model, const SampleSet* samples,
                 const std::optional<ExitControl>& exits, int rows_per_request);

  grpc::ByteBuffer Encode(const Ticket& ticket) const;

 private:
  // One input's raw contents need a field tag and length of their own before the bytes.
  using Prefixes = std::vector<grpc::Slice>;  // one an input; the first holds the head, too

  static Prefixes BuildPrefixes(const ModelInfo& model, int rows);
  std::string_view Contents(size_t input, const Ticket& ticket) const;

  const SampleSet* const samples_;
  const std::optional<ExitControl> exits_;
  std::vector<Prefixes> by_rows_;  // [rows - 1]
};

}  // namespace escan::loadgen
