#include "server/admin/admin_server.h"

#include <grpcpp/ext/health_check_service_server_builder_option.h>
#include <grpcpp/resource_quota.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "config/address.h"
#include "server/admin/admin_service.h"
#include "server/listening/grpc_listener.h"
#include "server/listening/tls_credentials.h"
#include "server/listening/unix_socket_path.h"

namespace escan {
namespace {

constexpr mode_t kSocketMode = 0660;
// Each call holds a thread; a handful of operators is enough.
constexpr int kMaxThreads = 16;
constexpr Duration kShutdownPatience = std::chrono::seconds(1);

// Plugins, reflection among them, are registered for all servers of a process.
class WithoutPlugins final : public grpc::ServerBuilderOption {
 public:
  void UpdateArguments(grpc::ChannelArguments*) override {}
  void UpdatePlugins(std::vector<std::unique_ptr<grpc::ServerBuilderPlugin>>* plugins) override {
    plugins->clear();
  }
};

}  // namespace

absl::StatusOr<std::unique_ptr<AdminServer>> AdminServer::Start(ServerState* state,
                                                                Options options) {
  std::unique_ptr<AdminServer> server(new AdminServer(std::make_unique<AdminService>(
      state, std::move(options.devices), std::move(options.request_drain),
      std::move(options.change_cascades))));
  const std::optional<std::string> socket = UnixPathOf(options.address);
  if (socket) {
    if (absl::Status status = PrepareSocketPath(*socket); !status.ok()) return status;
  }
  grpc::ServerBuilder builder;
  grpc::ResourceQuota quota("admin");
  quota.SetMaxThreads(kMaxThreads);
  builder.SetResourceQuota(quota);
  builder.SetOption(std::make_unique<WithoutPlugins>());
  builder.SetOption(std::make_unique<grpc::HealthCheckServiceServerBuilderOption>(nullptr));
  builder.RegisterService(server->service_.get());
  absl::StatusOr<std::unique_ptr<GrpcListener>> listener =
      GrpcListener::Start(builder, options.address,
                          {.descriptor_ceiling = options.descriptor_ceiling,
                           .credentials = ServerCredentialsFor(options.tls)});
  if (!listener.ok()) return listener.status();
  server->listener_ = *std::move(listener);
  server->socket_ = socket.value_or("");
  if (socket && chmod(socket->c_str(), kSocketMode) != 0) {
    return absl::ErrnoToStatus(errno, absl::StrCat("cannot set the mode of ", *socket));
  }
  return server;
}

AdminServer::AdminServer(std::unique_ptr<AdminService> service) : service_(std::move(service)) {}

AdminServer::~AdminServer() {
  if (listener_ == nullptr) return;
  listener_->Shutdown(Clock::now() + kShutdownPatience);
  RemoveSocket();
}

const std::string& AdminServer::address() const { return listener_->address(); }

void AdminServer::RemoveSocket() const {
  if (!socket_.empty()) unlink(socket_.c_str());
}

}  // namespace escan
