#pragma once

#include <condition_variable>
#include <filesystem>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>

#include "escan/v1/admin.grpc.pb.h"
#include "inference/grpc_service.grpc.pb.h"
#include "ipc/unique_fd.h"
#include "server/daemon/daemon.h"
#include "support/temporary_folder.h"

namespace escan {

// One cascade "test" of two stages, "first" and "second", for the misbehaving worker: input "x"
// UINT8 [4] with values up to 250, output "y" FP32 [1]. A row whose first byte is at least 128
// leaves at the first stage. Listens on a free port, and neither for HTTP nor for Prometheus.
Config TestConfig(const TemporaryFolder& folder);

// A request for it; one row for each first byte.
inference::ModelInferRequest TestRequest(const std::vector<uint8_t>& first_bytes);

// A daemon in this process, run by a thread of its own; its workers run escan-misbehaving-worker in
// `mode`. Ends in the destructor as by a signal.
class TestDaemon {
 public:
  TestDaemon(const Config& config, const std::string& mode, const Profiles& profiles = {},
             std::function<absl::StatusOr<Deployed>()> read_again = nullptr);
  ~TestDaemon();

  // Until every stage has a ready worker.
  void WaitReady();
  // Until a notification contains `text`.
  void WaitNotified(const std::string& text);
  // What SIGTERM does.
  void Signal();
  Daemon::Ending WaitEnded();

  inference::GRPCInferenceService::Stub& client() { return *client_; }
  v1::AdminService::Stub& admin() { return *admin_; }
  Daemon::Addresses addresses() const { return daemon_->addresses(); }

  // The only cascade's status, and a wait until it is as wanted.
  v1::CascadeStatus Status();
  void WaitFor(const std::function<bool(const v1::CascadeStatus&)>& condition);

  // A unary call.
  grpc::Status Infer(const inference::ModelInferRequest& request,
                     inference::ModelInferResponse* response = nullptr);

 private:
  std::unique_ptr<Daemon> daemon_;
  UniqueFd signal_read_;
  UniqueFd signal_write_;
  std::unique_ptr<inference::GRPCInferenceService::Stub> client_;
  std::unique_ptr<v1::AdminService::Stub> admin_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::string notified_;
  std::optional<Daemon::Ending> ending_;
  std::thread thread_;
};

}  // namespace escan
