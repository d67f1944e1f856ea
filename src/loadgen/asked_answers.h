#pragma once

#include <memory>

#include "absl/status/statusor.h"
#include "arrays/right_answers.h"
#include "escan/time.h"
#include "loadgen/connections.h"
#include "loadgen/material.h"

namespace escan::loadgen {

// Asks the server itself what is right: for each sample alone, one after the other, so that no
// batch has more than one row; where exits are controlled, for each stage. Blocks, up to `deadline`
// for each request. An answer that holds NaN is FailedPrecondition; other errors of the server keep
// their code. Messages name the sample.
absl::StatusOr<RightAnswers> AskForAnswers(const std::shared_ptr<grpc::Channel>& channel,
                                           const ModelInfo& model, const Material& material,
                                           double tolerance, Duration deadline);

}  // namespace escan::loadgen
