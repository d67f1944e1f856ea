#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "escan/time.h"
#include "inference/grpc_service.pb.h"
#include "scheduling/scheduler.h"

namespace escan {

// What a request's parameters ask for.
struct RequestParameters {
  int priority = kDefaultPriority;
  std::optional<Duration> timeout;  // from the request's arrival
  std::vector<int64_t> labels;      // the right classes of its rows, where the client knows them
};

using ParameterMap = google::protobuf::Map<std::string, inference::InferParameter>;

// Reads the parameters of a whole request. InvalidArgument for every parameter that is not known:
// one that would change the answer's meaning must never be ignored.
absl::StatusOr<RequestParameters> ReadRequestParameters(const ParameterMap& parameters);

// Whether the client wants the last (here: the only) response to each request on a stream marked by
// the parameter triton_final_response.
bool AsksForFinalMark(const ParameterMap& parameters);

// Tensors have no parameters with an effect; those that spell out a default are accepted. `what` is
// "input 'image'" or "output 'probabilities'".
absl::Status CheckTensorParameters(absl::string_view what, const ParameterMap& parameters);

}  // namespace escan
