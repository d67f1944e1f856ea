#include "server/admin/rollout_status.h"

#include "absl/strings/str_cat.h"
#include "server/admin/admin_status.h"

namespace escan {
namespace {

Duration ToDuration(const google::protobuf::Duration& duration) {
  return std::chrono::seconds(duration.seconds()) + std::chrono::nanoseconds(duration.nanos());
}

bool IsPart(double value) { return value >= 0 && value <= 1; }

absl::Status NotInRange(const char* what, const char* range) {
  return absl::InvalidArgumentError(absl::StrCat(what, " is not in ", range));
}

std::string_view Name(Rollout::State state) {
  switch (state) {
    case Rollout::State::kRunning:
      return "running";
    case Rollout::State::kPromoted:
      return "promoted";
    case Rollout::State::kAborted:
      return "aborted";
  }
  return "";
}

v1::RolloutConditions Describe(const RolloutConditions& conditions) {
  v1::RolloutConditions described;
  if (conditions.agreement_below) described.set_agreement_below(*conditions.agreement_below);
  if (conditions.p99_above) SetDuration(*conditions.p99_above, described.mutable_p99_above());
  if (conditions.errors_above) described.set_errors_above(*conditions.errors_above);
  return described;
}

}  // namespace

absl::StatusOr<RolloutTerms> TermsOf(const v1::StartRolloutRequest& request) {
  if (request.stage_models().empty()) {
    return absl::InvalidArgumentError("no stage gets another model");
  }
  if (!(request.canary() > 0) || request.canary() > 1) return NotInRange("canary", "(0, 1]");
  if (!IsPart(request.compare())) return NotInRange("compare", "[0, 1]");
  RolloutTerms terms{.canary = request.canary(), .duration = ToDuration(request.duration())};
  if (request.compare() > 0) terms.compare = request.compare();
  if (terms.duration <= Duration::zero()) {
    return absl::InvalidArgumentError("the duration is not positive");
  }
  const v1::RolloutConditions& conditions = request.abort_if();
  if (conditions.has_agreement_below()) {
    if (!IsPart(conditions.agreement_below())) return NotInRange("agreement", "[0, 1]");
    terms.abort_if.agreement_below = conditions.agreement_below();
  }
  if (conditions.has_errors_above()) {
    if (!IsPart(conditions.errors_above())) return NotInRange("errors", "[0, 1]");
    terms.abort_if.errors_above = conditions.errors_above();
  }
  if (conditions.has_p99_above()) terms.abort_if.p99_above = ToDuration(conditions.p99_above());
  return terms;
}

v1::RolloutStatus DescribeRollout(const Rollout& rollout) {
  const Rollout::Report report = rollout.Read();
  v1::RolloutStatus described;
  described.set_model(rollout.model());
  described.set_state(std::string(Name(report.state)));
  described.set_reason(report.reason);
  described.set_canary(rollout.terms().canary);
  SetDuration(report.elapsed, described.mutable_elapsed());
  SetDuration(rollout.terms().duration, described.mutable_duration());
  described.mutable_before()->set_version(rollout.version_before());
  described.mutable_before()->set_requests(report.before_answered);
  described.mutable_before()->set_errors(report.before_errors);
  described.mutable_after()->set_version(rollout.version_after());
  described.mutable_after()->set_requests(report.figures.answered);
  described.mutable_after()->set_errors(report.figures.errors);
  described.set_compared_rows(report.figures.compared);
  described.set_agreeing_rows(report.figures.agreeing);
  described.set_slow_requests(report.figures.slow);
  *described.mutable_abort_if() = Describe(rollout.terms().abort_if);
  return described;
}

}  // namespace escan
