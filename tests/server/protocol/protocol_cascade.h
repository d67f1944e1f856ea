#pragma once

#include "escan/cascade.h"
#include "inference/grpc_service.pb.h"
#include "server/protocol/wire_request.h"

namespace escan {

// Three inputs of different kinds, two outputs, two stages that answer them in different places.
CascadeSpec ProtocolCascade();

// A valid request for it: `rows` rows, contents raw. Row n of "image" holds the bytes n, n + 1 ...;
// ids are n; every weight is n / 2.
inference::ModelInferRequest ValidRequest(int rows);

// The same with typed contents; "weight" as FP32 allows them.
inference::ModelInferRequest ValidTypedRequest(int rows);

// A request as the network brings it, with the bytes that it points into. Pieces are `piece` bytes
// long.
class ReceivedRequest {
 public:
  explicit ReceivedRequest(const inference::ModelInferRequest& request, int piece = 1 << 20);
  ReceivedRequest(std::string bytes, int piece);

  const absl::Status& status() const { return status_; }
  const WireRequest& operator*() const { return request_; }
  const WireRequest* operator->() const { return &request_; }

 private:
  const std::string bytes_;
  WireRequest request_;
  absl::Status status_;
};

}  // namespace escan
