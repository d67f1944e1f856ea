#pragma once

#include <cstddef>
#include <vector>

#include "absl/container/inlined_vector.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "contracts/tensor_values.h"
#include "escan/cascade.h"
#include "inference/grpc_service.pb.h"
#include "server/protocol/raw_bytes.h"
#include "server/protocol/request_parameters.h"
#include "server/protocol/wire_request.h"

namespace escan {

// The first version of a cascade; one that takes its place while the daemon runs has the next.
inline constexpr absl::string_view kModelVersion = "1";

// Every output that a client may ask for: the cascade's, then exit_stage and confidence.
std::vector<TensorSpec> AnswerTensors(const CascadeSpec& cascade);

// Where the elements of one input lie; exactly one of the two is set.
struct InputSource {
  const RawBytes* raw = nullptr;
  const inference::InferTensorContents* typed = nullptr;
};

// A request that agrees with its cascade. Points into the WireRequest that it was made from.
struct CheckedRequest {
  int rows = 0;
  RequestParameters parameters;
  absl::InlinedVector<InputSource, 2> inputs;  // in the cascade's order
  absl::InlinedVector<int, 8> outputs;         // in the request's order; see AnswerTensors()
};

// NotFound naming both versions unless `version` is "" or the one that is served.
absl::Status CheckVersion(absl::string_view model, absl::string_view version,
                          absl::string_view served = kModelVersion);

// Compares a request for `cascade` with what the cascade takes. InvalidArgument or NotFound says
// what was found and what was expected. `outputs` are the cascade's AnswerTensors(),
// `served` is its version.
absl::StatusOr<CheckedRequest> CheckRequest(const CascadeSpec& cascade,
                                            const std::vector<TensorSpec>& outputs,
                                            const WireRequest& request,
                                            absl::string_view served = kModelVersion);

// Bytes for names, shapes, parameters and the request's id.
inline constexpr size_t kHeaderRoom = 64 * 1024;

// The longest message that a valid request for the cascade takes on the wire.
size_t MaxRequestBytes(const CascadeSpec& cascade);

}  // namespace escan
