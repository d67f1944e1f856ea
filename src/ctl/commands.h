#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <variant>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "ctl/admin_client.h"
#include "ctl/predict_plan.h"
#include "ctl/search_plan.h"
#include "ctl/simulate.h"
#include "ctl/top.h"

namespace escan::ctl {

enum ExitStatus : int {
  kDone = 0,
  kRefused = 1,      // the daemon refused, or is not ready
  kUnreachable = 2,  // no daemon answered, or escanctl was used wrongly, as with a file that is bad
};

struct StatusCommand {};
struct HealthCommand {};

struct PlanShowCommand {
  std::string model;
};

struct PlanSetCommand {
  std::string model;
  std::string file;  // "-" is standard input
};

struct PlanFreezeCommand {
  std::string model;
};

struct PlanThawCommand {
  std::string model;
};

struct PlanHistoryCommand {
  std::string model;
};

struct ThresholdsSetCommand {
  std::string model;
  std::map<std::string, float> thresholds;  // by stage
};

struct FeedbackCommand {
  std::string model;
  std::string request_id;
  std::vector<int64_t> labels;  // one a row
};

struct ReloadCommand {};

struct RolloutCommand {
  v1::StartRolloutRequest request;
};

struct RolloutStatusCommand {
  v1::GetRolloutRequest request;
};

struct RolloutEndCommand {
  v1::EndRolloutRequest request;
};

struct DrainCommand {
  bool wait = false;  // until the daemon has ended
};

using Command = std::variant<StatusCommand, TopCommand, HealthCommand, PlanShowCommand,
                             PlanSetCommand, PlanFreezeCommand, PlanThawCommand, PlanHistoryCommand,
                             ThresholdsSetCommand, FeedbackCommand, ReloadCommand, RolloutCommand,
                             RolloutStatusCommand, RolloutEndCommand, DrainCommand,
                             PlanSearchCommand, PlanPredictCommand, SimulateCommand>;

// What a command says: `output` for standard output, `error` for standard error.
struct CommandResult {
  int exit_status = kDone;
  std::string output;
  std::string error;
};

// Asks the daemon and blocks until it answered, for at most `timeout` a call; a search, a
// prediction and a simulation ask none and take the time that they need.
CommandResult Execute(const Command& command, AdminClient& client, absl::Duration timeout,
                      bool json);

// "small=0.94" -> {"small", 0.94}. Errors say what was expected.
absl::StatusOr<std::pair<std::string, float>> ParseThreshold(const std::string& text);

}  // namespace escan::ctl
