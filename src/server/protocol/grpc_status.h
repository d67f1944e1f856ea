#pragma once

#include <grpcpp/support/status.h>

#include <string>

#include "absl/status/status.h"
#include "server/protocol/short_message.h"

namespace escan {

// The codes have the same numbers. A message may cite what a client sent, of any length, and one
// that is too long for HTTP/2's trailers would reach the client as another error.
inline grpc::Status ToGrpc(const absl::Status& status) {
  if (status.ok()) return grpc::Status::OK;
  return {static_cast<grpc::StatusCode>(status.code()), ShortMessage(status)};
}

}  // namespace escan
