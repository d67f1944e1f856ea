#pragma once

#include <vector>

#include "absl/strings/string_view.h"
#include "contracts/device.h"
#include "contracts/plan.h"
#include "escan/cascade.h"
#include "inference/grpc_service.pb.h"

namespace escan {

// A cascade in the words of the Open Inference Protocol. To clients it is an ordinary model that
// batches dynamically, not an ensemble of its stages: a client that expects an execution of every
// ensemble member in every window of time would fail where all samples exit early.

inline constexpr absl::string_view kPlatform = "escan_cascade";

// Shapes include the batch dimension, -1, first.
inference::ModelMetadataResponse DescribeModel(const CascadeSpec& cascade);

// `plan` is the one in effect. Dimensions are those of one row.
inference::ModelConfig DescribeConfig(const CascadeSpec& cascade, const Plan& plan,
                                      const std::vector<Device>& devices);

}  // namespace escan
