#include "server/listening/grpc_listener.h"

#include <google/protobuf/stubs/logging.h>
#include <grpc/support/log.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <spdlog/spdlog.h>
#include <sys/socket.h>

#include <utility>

#include "absl/strings/str_cat.h"
#include "server/listening/listening_sockets.h"

namespace escan {
namespace {

using ExternalAcceptor = grpc::experimental::ExternalConnectionAcceptor;

std::shared_ptr<ExternalAcceptor> AddAcceptor(
    grpc::ServerBuilder& builder, const std::shared_ptr<grpc::ServerCredentials>& credentials) {
  return builder.experimental().AddExternalConnectionAcceptor(
      grpc::ServerBuilder::experimental_type::ExternalConnectionType::FROM_FD, credentials);
}

void HandOver(UniqueFd connection, ExternalAcceptor* server) {
  // gRPC complains about a client that went away at once, as port scanners do.
  sockaddr_storage peer{};
  socklen_t size = sizeof(peer);
  if (getpeername(connection.get(), reinterpret_cast<sockaddr*>(&peer), &size) != 0) return;
  // Answers are not held back to be sent together. Has no effect on unix sockets.
  const int on = 1;
  setsockopt(connection.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
  ExternalAcceptor::NewConnectionParameters parameters;
  parameters.fd = connection.release();
  server->HandleNewConnection(&parameters);
}

}  // namespace

absl::StatusOr<std::unique_ptr<GrpcListener>> GrpcListener::Start(grpc::ServerBuilder& builder,
                                                                  const std::string& address,
                                                                  const Options& options) {
  absl::StatusOr<ListeningSockets> bound = BindSockets(address);
  if (!bound.ok()) return bound.status();
  // Clients may ask often whether the server is there: libraries' settings of keepalive are theirs,
  // and by default gRPC ends connections on the third ping that came early.
  builder.AddChannelArgument(GRPC_ARG_HTTP2_MAX_PING_STRIKES, 0);
  // A connection that says nothing, as of a port scanner, ends soon.
  builder.AddChannelArgument(GRPC_ARG_SERVER_HANDSHAKE_TIMEOUT_MS, 10'000);
  const std::shared_ptr<ExternalAcceptor> own =
      AddAcceptor(builder, grpc::InsecureServerCredentials());
  const std::shared_ptr<ExternalAcceptor> external =
      options.credentials == nullptr ? own : AddAcceptor(builder, options.credentials);
  std::unique_ptr<GrpcListener> listener(new GrpcListener);
  listener->address_ = bound->address;
  listener->server_ = builder.BuildAndStart();
  if (listener->server_ == nullptr) {
    return absl::UnavailableError(absl::StrCat("cannot listen on ", address, ": gRPC refused it"));
  }
  if (absl::Status status = StartListening(*bound); !status.ok()) return status;
  const MutexLock lock(listener->mutex_);
  listener->acceptor_ = std::make_unique<Acceptor>(
      *std::move(bound), options.descriptor_ceiling,
      Acceptor::Listener{
          .on_connection =
              [external](UniqueFd connection) { HandOver(std::move(connection), external.get()); },
          .on_own_connection =
              [own](UniqueFd connection) { HandOver(std::move(connection), own.get()); },
          .on_refused = options.on_refused,
          .on_change =
              [accepting = options.on_accepting, address = listener->address_](bool now_accepting) {
                LogAccepting(address, now_accepting);
                accepting(now_accepting);
              }});
  return listener;
}

GrpcListener::~GrpcListener() { Shutdown(Clock::now()); }

UniqueFd GrpcListener::ConnectToSelf() {
  int ends[2];
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends) != 0) return {};
  UniqueFd other(ends[1]);
  UniqueFd own(ends[0]);
  const MutexLock lock(mutex_);
  if (acceptor_ == nullptr) return {};
  acceptor_->TakeOwn(std::move(other));
  return own;
}

void GrpcListener::Shutdown(TimePoint deadline) {
  {
    const MutexLock lock(mutex_);
    acceptor_.reset();
  }
  if (server_ == nullptr) return;
  server_->Shutdown(std::chrono::system_clock::now() + (deadline - Clock::now()));
}

void RouteLibraryLogs() {
  gpr_set_log_function([](gpr_log_func_args* entry) {
    const auto level =
        entry->severity == GPR_LOG_SEVERITY_ERROR ? spdlog::level::warn : spdlog::level::debug;
    spdlog::log(level, "grpc message=\"{}\"", entry->message);
  });
  google::protobuf::SetLogHandler(
      [](google::protobuf::LogLevel, const char*, int, const std::string& message) {
        spdlog::debug("protobuf message=\"{}\"", message);
      });
}

}  // namespace escan
