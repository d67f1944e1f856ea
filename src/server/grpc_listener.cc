#include "server/grpc_listener.h"

#include <google/protobuf/stubs/logging.h>
#include <grpc/support/log.h>
#include <spdlog/spdlog.h>

#include "absl/strings/str_cat.h"
#include "config/address.h"

namespace escan {

absl::StatusOr<GrpcListener> Listen(grpc::ServerBuilder& builder, const std::string& address) {
  int port = 0;
  builder.AddChannelArgument(GRPC_ARG_ALLOW_REUSEPORT, 0);
  builder.AddListeningPort(address, grpc::InsecureServerCredentials(), &port);
  std::unique_ptr<grpc::Server> server = builder.BuildAndStart();
  if (server == nullptr) {
    return absl::UnavailableError(
        absl::StrCat("cannot listen on ", address,
                     ": the address is in use or does not belong to this machine"));
  }
  if (UnixPathOf(address)) return GrpcListener{std::move(server), address};
  const std::string host = address.substr(0, address.rfind(':'));
  return GrpcListener{std::move(server), absl::StrCat(host, ":", port)};
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
