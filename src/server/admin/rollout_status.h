#pragma once

#include "absl/status/statusor.h"
#include "escan/v1/admin.pb.h"
#include "server/rollout/rollout.h"

namespace escan {

// What an operator asks for. InvalidArgument says what is not in its range.
absl::StatusOr<RolloutTerms> TermsOf(const v1::StartRolloutRequest& request);

v1::RolloutStatus DescribeRollout(const Rollout& rollout);

}  // namespace escan
