#pragma once

#include <grpcpp/channel.h>
#include <grpcpp/support/channel_arguments.h>

#include <filesystem>
#include <memory>
#include <string>

#include "absl/status/statusor.h"

namespace escan {

// How a channel is secured, and who asks.
struct ChannelSecurity {
  // The files that a program is given; empty paths: it was not.
  struct Files {
    std::filesystem::path ca;           // PEM; who signs servers' certificates. Empty: no TLS
    std::filesystem::path certificate;  // PEM; the client's own, with its key, or none
    std::filesystem::path key;
    std::filesystem::path token;  // a file of one line
  };
  // InvalidArgument naming the flag (--tls-ca ...) that is missing, or the file that cannot be
  // read.
  static absl::StatusOr<ChannelSecurity> Read(const Files& files);

  bool tls = false;
  std::string ca;  // PEM, as the next two
  std::string certificate;
  std::string key;
  std::string token;  // sent with each call as authorization: Bearer; empty: none
};

// A channel to `address` (unix:PATH or ADDR:PORT), never through a proxy, whatever http_proxy and
// its like say: a health check must reach this machine's daemon, and a proxy would falsify
// latencies. Does not connect yet.
std::shared_ptr<grpc::Channel> OpenDirectChannel(const std::string& address,
                                                 grpc::ChannelArguments arguments = {},
                                                 const ChannelSecurity& security = {});

}  // namespace escan
