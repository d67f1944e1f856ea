#pragma once

#include <grpcpp/grpcpp.h>

#include <functional>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "contracts/mutex.h"
#include "escan/time.h"
#include "server/listening/acceptor.h"

namespace escan {

// A started gRPC server and the thread that takes connections for it. The destructor cancels what
// is still open.
class GrpcListener {
 public:
  struct Options {
    int descriptor_ceiling = 0;  // see Acceptor, as the next two
    std::function<void()> on_refused = [] {};
    std::function<void(bool accepting)> on_accepting = [](bool) {};
    std::shared_ptr<grpc::ServerCredentials> credentials{};  // null: no transport security
  };

  // Starts what `builder` describes on `address`. Unavailable naming
  // the address and the reason when it cannot be bound: another server's port is never shared.
  static absl::StatusOr<std::unique_ptr<GrpcListener>> Start(grpc::ServerBuilder& builder,
                                                             const std::string& address,
                                                             const Options& options);
  ~GrpcListener();

  grpc::Server& server() { return *server_; }
  const std::string& address() const { return address_; }  // of TCP with the port that was bound

  // A connection from this process, without transport security whatever others need; its way is
  // that of clients from the acceptor's thread on. Null where
  // there are no descriptors, and after Shutdown.
  UniqueFd ConnectToSelf();

  // Takes no more connections and calls, waits for those that are open until `deadline`, then
  // cancels them.
  void Shutdown(TimePoint deadline);

 private:
  GrpcListener() = default;

  std::unique_ptr<grpc::Server> server_;
  std::string address_;
  Mutex mutex_;
  std::unique_ptr<Acceptor> acceptor_ ESCAN_GUARDED_BY(mutex_);  // null: takes no connections
};

// What gRPC and Protobuf report goes to the program's log from now on. Only gRPC's errors are shown
// by default: Protobuf complains about every malformed message that a client sends.
void RouteLibraryLogs();

}  // namespace escan
