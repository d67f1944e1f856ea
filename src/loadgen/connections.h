#pragma once

#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "client/direct_channel.h"
#include "escan/tensor.h"
#include "escan/time.h"

namespace grpc {
class Channel;
}

namespace escan::loadgen {

using Channels = std::vector<std::shared_ptr<grpc::Channel>>;

// What a server says about one of its models. Shapes are those of one row.
struct ModelInfo {
  std::string name;
  std::vector<TensorSpec> inputs;
  std::vector<TensorSpec> outputs;
};

// Opens `count` connections to ADDR:PORT (or unix:PATH), none of them shared, and blocks until all
// are up. Unavailable when they are not within `timeout`.
absl::StatusOr<Channels> Connect(const std::string& target, int count, Duration timeout,
                                 const ChannelSecurity& security = {});

// Asks for a model's tensors; an empty `model` means the server's only one. Blocks up to `timeout`
// for each of its two calls. Errors of the server keep their code; a model that cannot be driven (a
// variable shape, no batch dimension, BYTES) is FailedPrecondition.
absl::StatusOr<ModelInfo> DescribeModel(const std::shared_ptr<grpc::Channel>& channel,
                                        const std::string& model, Duration timeout);

}  // namespace escan::loadgen
