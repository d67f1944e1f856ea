#pragma once

#include <grpcpp/grpcpp.h>

#include <memory>
#include <string>

#include "absl/status/statusor.h"

namespace escan {

// A started gRPC server and the address that it got.
struct GrpcListener {
  std::unique_ptr<grpc::Server> server;
  std::string address;  // of TCP with the port that was bound
};

// Starts what `builder` describes on `address`, without transport security. Unavailable naming the
// address when it cannot be bound: another server's port is never shared.
absl::StatusOr<GrpcListener> Listen(grpc::ServerBuilder& builder, const std::string& address);

// What gRPC and Protobuf report goes to the program's log from now on. Only gRPC's errors are shown
// by default: Protobuf complains about every malformed message that a client sends.
void RouteLibraryLogs();

}  // namespace escan
