#include "client/direct_channel.h"

#include <grpcpp/create_channel.h>
#include <grpcpp/security/credentials.h>
#include <grpcpp/support/client_interceptor.h>

#include <utility>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "config/files.h"

namespace escan {
namespace {

using grpc::experimental::ClientInterceptorFactoryInterface;
using grpc::experimental::Interceptor;

// gRPC's own credentials of calls are for TLS only; a token may also go to this machine, or pass a
// proxy that speaks TLS in place of this program.
class TokenSender final : public Interceptor {
 public:
  explicit TokenSender(const std::string* authorization) : authorization_(authorization) {}

  void Intercept(grpc::experimental::InterceptorBatchMethods* methods) override {
    using Hook = grpc::experimental::InterceptionHookPoints;
    if (methods->QueryInterceptionHookPoint(Hook::PRE_SEND_INITIAL_METADATA)) {
      methods->GetSendInitialMetadata()->insert({"authorization", *authorization_});
    }
    methods->Proceed();
  }

 private:
  const std::string* const authorization_;
};

class TokenSenderFactory final : public ClientInterceptorFactoryInterface {
 public:
  explicit TokenSenderFactory(const std::string& token) : authorization_("Bearer " + token) {}

  Interceptor* CreateClientInterceptor(grpc::experimental::ClientRpcInfo*) override {
    return new TokenSender(&authorization_);
  }

 private:
  const std::string authorization_;
};

absl::Status ReadInto(const std::filesystem::path& file, std::string* text) {
  if (file.empty()) return absl::OkStatus();
  absl::StatusOr<std::string> read = ReadFile(file);
  if (!read.ok()) return absl::InvalidArgumentError(read.status().message());
  *text = *std::move(read);
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<ChannelSecurity> ChannelSecurity::Read(const Files& files) {
  if (files.certificate.empty() != files.key.empty()) {
    return absl::InvalidArgumentError(files.key.empty() ? "--tls-cert needs --tls-key"
                                                        : "--tls-key needs --tls-cert");
  }
  if (!files.certificate.empty() && files.ca.empty()) {
    return absl::InvalidArgumentError("--tls-cert needs --tls-ca: without it there is no TLS");
  }
  ChannelSecurity security{.tls = !files.ca.empty()};
  absl::Status status = ReadInto(files.ca, &security.ca);
  if (status.ok()) status = ReadInto(files.certificate, &security.certificate);
  if (status.ok()) status = ReadInto(files.key, &security.key);
  if (status.ok()) status = ReadInto(files.token, &security.token);
  if (!status.ok()) return status;
  absl::StripAsciiWhitespace(&security.token);
  if (!files.token.empty() && security.token.empty()) {
    return absl::InvalidArgumentError(absl::StrCat(files.token.string(), " holds no token"));
  }
  return security;
}

std::shared_ptr<grpc::Channel> OpenDirectChannel(const std::string& address,
                                                 grpc::ChannelArguments arguments,
                                                 const ChannelSecurity& security) {
  arguments.SetInt(GRPC_ARG_ENABLE_HTTP_PROXY, 0);
  std::shared_ptr<grpc::ChannelCredentials> credentials = grpc::InsecureChannelCredentials();
  if (security.tls) {
    credentials = grpc::SslCredentials({.pem_root_certs = security.ca,
                                        .pem_private_key = security.key,
                                        .pem_cert_chain = security.certificate});
  }
  if (security.token.empty()) return grpc::CreateCustomChannel(address, credentials, arguments);
  std::vector<std::unique_ptr<ClientInterceptorFactoryInterface>> interceptors;
  interceptors.push_back(std::make_unique<TokenSenderFactory>(security.token));
  return grpc::experimental::CreateCustomChannelWithInterceptors(address, credentials, arguments,
                                                                 std::move(interceptors));
}

}  // namespace escan
