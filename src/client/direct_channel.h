#pragma once

#include <grpcpp/channel.h>
#include <grpcpp/support/channel_arguments.h>

#include <memory>
#include <string>

namespace escan {

// A channel to `address` (unix:PATH or ADDR:PORT) without transport security and never through a
// proxy, whatever http_proxy and its like say: a health check must reach this machine's daemon,
// and a proxy would falsify latencies. Does not connect yet.
std::shared_ptr<grpc::Channel> OpenDirectChannel(const std::string& address,
                                                 grpc::ChannelArguments arguments = {});

}  // namespace escan
