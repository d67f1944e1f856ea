#include "server/protocol/outcome_status.h"

#include "absl/strings/str_cat.h"

namespace escan {
namespace {

std::string StageName(const CascadeSpec& cascade, int stage) {
  if (stage < 0 || stage >= cascade.stage_count()) return "?";
  return cascade.stages[static_cast<size_t>(stage)].name;
}

}  // namespace

absl::Status ToStatus(const Outcome& outcome, const CascadeSpec& cascade) {
  switch (outcome.code) {
    case OutcomeCode::kOk:
      return absl::OkStatus();
    case OutcomeCode::kDeadlineExceeded:
      return absl::DeadlineExceededError("the request's deadline passed before it was answered");
    case OutcomeCode::kCancelled:
      return absl::CancelledError("the client cancelled the request");
    case OutcomeCode::kStageFailed:
      return absl::InternalError(absl::StrCat("stage '", StageName(cascade, outcome.stage),
                                              "' failed on row ", outcome.row, ": ",
                                              outcome.message));
    case OutcomeCode::kWorkerKilled:
      return absl::InternalError(absl::StrCat(
          "row ", outcome.row, " ended two workers in stage '", StageName(cascade, outcome.stage),
          "'", outcome.message.empty() ? "" : ": ", outcome.message));
    case OutcomeCode::kUnavailable:
      return absl::UnavailableError("the server is shutting down");
  }
  return absl::InternalError("unknown outcome");
}

}  // namespace escan
