#include "ctl/commands.h"

#include <array>
#include <cmath>
#include <cstdio>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "config/files.h"
#include "ctl/format.h"

namespace escan::ctl {
namespace {

CommandResult Failure(int exit_status, const std::string& message) {
  return {.exit_status = exit_status, .error = message};
}

CommandResult Failure(const absl::Status& status) {
  const bool unreachable = status.code() == absl::StatusCode::kUnavailable ||
                           status.code() == absl::StatusCode::kDeadlineExceeded;
  return Failure(unreachable ? kUnreachable : kRefused, std::string(status.message()));
}

absl::StatusOr<std::string> ReadPlan(const std::string& file) {
  if (file != "-") return ReadFile(file);
  std::string content;
  std::array<char, 4096> block;
  while (const size_t size = std::fread(block.data(), 1, block.size(), stdin)) {
    content.append(block.data(), size);
  }
  if (std::ferror(stdin) != 0) return absl::InvalidArgumentError("standard input cannot be read");
  return content;
}

// Runs one command; a call operator for each kind.
class Executor {
 public:
  Executor(AdminClient& client, absl::Duration timeout, bool json)
      : client_(client), timeout_(timeout), json_(json) {}

  CommandResult operator()(const StatusCommand&) {
    return Show(client_.GetStatus(timeout_), FormatStatus);
  }

  CommandResult operator()(const TopCommand& command) {
    absl::StatusOr<std::string> text = RunTop(command, client_, timeout_);
    if (!text.ok()) return Failure(text.status());
    return {.output = *std::move(text)};
  }

  CommandResult operator()(const HealthCommand&) {
    const absl::StatusOr<v1::GetHealthResponse> health = client_.GetHealth(timeout_);
    CommandResult result = Show(health, FormatHealth);
    if (health.ok() && !health->ready()) result.exit_status = kRefused;
    // That it refuses to say how it is does not make a daemon reachable.
    if (!health.ok()) result.exit_status = kUnreachable;
    return result;
  }

  CommandResult operator()(const PlanShowCommand& command) {
    v1::GetPlanRequest request;
    request.set_model(command.model);
    return Show(client_.GetPlan(request, timeout_), FormatPlan);
  }

  CommandResult operator()(const PlanSetCommand& command) {
    absl::StatusOr<std::string> plan = ReadPlan(command.file);
    if (!plan.ok()) return Failure(kUnreachable, std::string(plan.status().message()));
    v1::SetPlanRequest request;
    request.set_model(command.model);
    request.set_plan_yaml(*std::move(plan));
    request.set_source(command.file == "-" ? "standard input" : command.file);
    return Show(client_.SetPlan(request, timeout_), FormatPlanChange);
  }

  CommandResult operator()(const PlanFreezeCommand& command) {
    v1::FreezePlanRequest request;
    request.set_model(command.model);
    return Show(client_.FreezePlan(request, timeout_),
                [](const v1::FreezePlanResponse&) { return std::string("the plan is frozen\n"); });
  }

  CommandResult operator()(const PlanThawCommand& command) {
    v1::ThawPlanRequest request;
    request.set_model(command.model);
    return Show(client_.ThawPlan(request, timeout_), [](const v1::ThawPlanResponse&) {
      return std::string("the plan follows the load\n");
    });
  }

  CommandResult operator()(const PlanHistoryCommand& command) {
    v1::GetPlanHistoryRequest request;
    request.set_model(command.model);
    return Show(client_.GetPlanHistory(request, timeout_), FormatPlanHistory);
  }

  CommandResult operator()(const ThresholdsSetCommand& command) {
    v1::SetThresholdsRequest request;
    request.set_model(command.model);
    for (const auto& [stage, threshold] : command.thresholds) {
      (*request.mutable_thresholds())[stage] = threshold;
    }
    return Show(client_.SetThresholds(request, timeout_), [](const v1::SetThresholdsResponse&) {
      return std::string("thresholds in effect\n");
    });
  }

  CommandResult operator()(const FeedbackCommand& command) {
    v1::GiveFeedbackRequest request;
    request.set_model(command.model);
    request.set_request_id(command.request_id);
    request.mutable_labels()->Add(command.labels.begin(), command.labels.end());
    return Show(client_.GiveFeedback(request, timeout_), [&](const v1::GiveFeedbackResponse&) {
      return absl::StrCat(command.labels.size(), command.labels.size() == 1 ? " label" : " labels",
                          " counted\n");
    });
  }

  CommandResult operator()(const ReloadCommand&) {
    return Show(client_.Reload(timeout_), FormatReload);
  }

  CommandResult operator()(const RolloutCommand& command) {
    return Show(client_.StartRollout(command.request, timeout_), FormatRollout);
  }

  CommandResult operator()(const RolloutStatusCommand& command) {
    return Show(client_.GetRollout(command.request, timeout_), FormatRollout);
  }

  CommandResult operator()(const RolloutEndCommand& command) {
    return Show(client_.EndRollout(command.request, timeout_), FormatRollout);
  }

  CommandResult operator()(const DrainCommand& command) {
    const absl::StatusOr<v1::DrainResponse> drain = client_.Drain(timeout_);
    if (drain.ok() && command.wait) client_.WaitUntilGone();
    return Show(drain, [&](const v1::DrainResponse& response) {
      return command.wait ? std::string("drained, the daemon has ended\n") : FormatDrain(response);
    });
  }

  CommandResult operator()(const PlanSearchCommand& command) {
    return Answer(RunPlanSearch(command, json_));
  }

  CommandResult operator()(const PlanPredictCommand& command) {
    return Answer(PredictPlansFromFiles(command, json_));
  }

  CommandResult operator()(const SimulateCommand& command) {
    return Answer(RunSimulation(command, json_));
  }

 private:
  // Of a command that asks no daemon.
  static CommandResult Answer(absl::StatusOr<std::string> text) {
    if (!text.ok()) return Failure(kUnreachable, std::string(text.status().message()));
    return {.output = *std::move(text)};
  }

  template <typename Response, typename Formatter>
  CommandResult Show(const absl::StatusOr<Response>& response, Formatter format) {
    if (!response.ok()) return Failure(response.status());
    return {.output = json_ ? FormatJson(*response) : format(*response)};
  }

  AdminClient& client_;
  const absl::Duration timeout_;
  const bool json_;
};

}  // namespace

CommandResult Execute(const Command& command, AdminClient& client, absl::Duration timeout,
                      bool json) {
  return std::visit(Executor(client, timeout, json), command);
}

absl::StatusOr<std::pair<std::string, float>> ParseThreshold(const std::string& text) {
  const size_t equals = text.find('=');
  float value = 0;
  if (equals == 0 || equals == std::string::npos ||
      !absl::SimpleAtof(text.substr(equals + 1), &value) || !std::isfinite(value)) {
    return absl::InvalidArgumentError(
        absl::StrCat("'", text, "' is not STAGE=VALUE with a number, as small=0.94 is"));
  }
  return std::pair(text.substr(0, equals), value);
}

}  // namespace escan::ctl
