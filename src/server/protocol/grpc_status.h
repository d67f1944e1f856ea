#pragma once

#include <grpcpp/support/status.h>

#include <string>

#include "absl/status/status.h"

namespace escan {

// The codes have the same numbers. A message may cite what a client sent, of any length, and one
// that is too long for HTTP/2's trailers would reach the client as another error.
inline grpc::Status ToGrpc(const absl::Status& status) {
  if (status.ok()) return grpc::Status::OK;
  constexpr size_t kLongest = 2000;  // bytes, of which each may take three on the wire
  std::string message(status.message());
  if (message.size() > kLongest) {
    // Not within a character of UTF-8.
    size_t end = kLongest;
    while (end > 0 && (static_cast<unsigned char>(message[end]) & 0xC0) == 0x80) --end;
    message.resize(end);
    message += "...";
  }
  return {static_cast<grpc::StatusCode>(status.code()), message};
}

}  // namespace escan
