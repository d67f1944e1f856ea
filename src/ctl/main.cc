// escanctl: the operator's command line. Ends with 0; with 1 when the daemon refused or is not
// ready; with 2 when no daemon answered or the command line or a file is wrong.

#include <CLI/CLI.hpp>
#include <cstdlib>
#include <iostream>
#include <optional>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "ctl/admin_client.h"
#include "ctl/commands.h"
#include "ctl/rollout_options.h"
#include "ctl/search_plan_options.h"
#include "ctl/simulate_options.h"
#include "process/standard_descriptors.h"

namespace escan::ctl {
namespace {

// Long enough to load, warm up and drain workers.
constexpr absl::Duration kPlanChangeTimeout = absl::Minutes(11);
constexpr absl::Duration kTimeout = absl::Seconds(10);

class CommandLine {
 public:
  explicit CommandLine(const char* default_address) : address_(default_address) {
    app_.set_version_flag("--version", "escanctl " ESCAN_VERSION);
    app_.require_subcommand(1);
    app_.add_option("--admin", address_, "Admin address of the daemon (or set ESCAN_ADMIN)")
        ->type_name("ADDRESS")
        ->capture_default_str();
    app_.add_option_function<std::string>(
            "--timeout", [this](const std::string& text) { ParseTimeout(text); },
            "How long to wait for an answer (10s; 11m for plan set, reload and rollout)")
        ->type_name("DURATION");
    app_.add_option("--tls-ca", tls_.ca,
                    "PEM file of who signs the daemon's certificate, where server.admin_tls is set")
        ->type_name("FILE");
    app_.add_option("--tls-cert", tls_.certificate, "PEM file of the certificate to show it")
        ->type_name("FILE");
    app_.add_option("--tls-key", tls_.key, "PEM file of that certificate's key")->type_name("FILE");
    app_.add_flag("--json", json_, "Show the answer as JSON");
    AddCommands();
  }

  int Run(int argc, char** argv) {
    try {
      app_.parse(argc, argv);
    } catch (const CLI::ParseError& error) {
      return app_.exit(error) == 0 ? kDone : kUnreachable;
    }
    const bool slow = std::holds_alternative<PlanSetCommand>(command_) ||
                      std::holds_alternative<RolloutCommand>(command_) ||
                      std::holds_alternative<ReloadCommand>(command_);
    const absl::StatusOr<ChannelSecurity> security = ChannelSecurity::Read(tls_);
    if (!security.ok()) {
      std::cerr << "escanctl: " << security.status().message() << "\n";
      return kUnreachable;
    }
    AdminClient client(address_, *security);
    const CommandResult result =
        Execute(command_, client, timeout_.value_or(slow ? kPlanChangeTimeout : kTimeout), json_);
    std::cout << result.output << std::flush;
    if (!result.error.empty()) std::cerr << "escanctl: " << result.error << "\n";
    return result.exit_status;
  }

 private:
  void ParseTimeout(const std::string& text) {
    absl::Duration timeout;
    if (!absl::ParseDuration(text, &timeout) || timeout <= absl::ZeroDuration()) {
      throw CLI::ValidationError("--timeout", "'" + text + "' is not a duration, as 10s is");
    }
    timeout_ = timeout;
  }

  void ParseThresholds(const std::vector<std::string>& texts) {
    ThresholdsSetCommand& command = thresholds_;
    for (const std::string& text : texts) {
      const absl::StatusOr<std::pair<std::string, float>> threshold = ParseThreshold(text);
      if (!threshold.ok()) {
        throw CLI::ValidationError("thresholds set", std::string(threshold.status().message()));
      }
      if (!command.thresholds.insert(*threshold).second) {
        throw CLI::ValidationError("thresholds set",
                                   "stage '" + threshold->first + "' is named twice");
      }
    }
  }

  // A command under `parent` that becomes the one to run when it is named.
  template <typename CommandType>
  CLI::App* AddCommand(CLI::App& parent, const std::string& name, const std::string& help,
                       const CommandType* command) {
    return parent.add_subcommand(name, help)->fallthrough()->callback([this, command] {
      command_ = *command;
    });
  }

  static void AddModel(CLI::App* command, std::string* model) {
    command->add_option("--model", *model, "Cascade; may be left out if there is only one")
        ->type_name("NAME");
  }

  void AddCommands() {
    AddCommand(app_, "status", "What the daemon serves, does and measured", &status_);
    AddCommand(app_, "health", "Ends with 0 if ready, 1 if not, 2 if no daemon answers", &health_);

    AddPlanCommands();
    AddThresholdCommands();

    AddCommand(
        app_, "reload",
        "Has the daemon read its configuration again; ends when that is in effect, or with 1 "
        "and the reason when it was refused as a whole",
        &reload_);

    AddRolloutCommands();

    CLI::App* drain =
        AddCommand(app_, "drain",
                   "Ends the daemon as SIGTERM does: after the grace period no new requests, "
                   "then the end once those inside are answered",
                   &drain_);
    drain->add_flag("--wait", drain_.wait, "Until the daemon has ended");

    simulate_->fallthrough()->callback([this] { command_ = simulate_options_.Command(); });
  }

  void AddPlanCommands() {
    CLI::App& plan = *app_.add_subcommand("plan", "Which workers host which stages");
    plan.require_subcommand(1)->fallthrough();
    AddModel(AddCommand(plan, "show", "The plan in effect, as YAML", &plan_show_),
             &plan_show_.model);
    CLI::App* set =
        AddCommand(plan, "set", "Puts a plan into effect; freezes an automatic one", &plan_set_);
    AddModel(set, &plan_set_.model);
    set->add_option("FILE", plan_set_.file, "Plan as YAML; - is standard input")
        ->required()
        ->type_name("");

    AddModel(AddCommand(plan, "freeze", "Keeps an automatic plan as it is", &plan_freeze_),
             &plan_freeze_.model);
    AddModel(AddCommand(plan, "thaw", "Lets a frozen plan follow the load again", &plan_thaw_),
             &plan_thaw_.model);
    AddModel(
        AddCommand(plan, "history", "When a better plan was looked for, why, and what came of it",
                   &plan_history_),
        &plan_history_.model);

    AddPlanSearchOptions(
        AddCommand(plan, "search", "The best plan for a load, from a profile; needs no daemon",
                   &plan_search_),
        &plan_search_);

    AddPlanPredictOptions(
        AddCommand(plan, "predict",
                   "How many samples plans can take, from a profile; needs no daemon",
                   &plan_predict_),
        &plan_predict_);
  }

  void AddThresholdCommands() {
    CLI::App& thresholds = *app_.add_subcommand("thresholds", "When samples exit early");
    thresholds.require_subcommand(1)->fallthrough();
    CLI::App* change =
        AddCommand(thresholds, "set", "Changes exit thresholds at once, all or none", &thresholds_);
    AddModel(change, &thresholds_.model);
    change
        ->add_option_function<std::vector<std::string>>(
            "STAGE=VALUE",
            [this](const std::vector<std::string>& texts) { ParseThresholds(texts); },
            "New thresholds")
        ->required()
        ->type_name("");
  }

  // Has `set` take the text of an option, or say what is wrong with it.
  template <typename Set>
  static CLI::Option* AddParsed(CLI::App* command, const std::string& name, const char* help,
                                Set set) {
    return command->add_option_function<std::string>(
        name,
        [name, set](const std::string& text) {
          const absl::Status status = set(text);
          if (!status.ok()) throw CLI::ValidationError(name, std::string(status.message()));
        },
        help);
  }

  void AddRolloutCommands() {
    CLI::App* rollout =
        app_.add_subcommand("rollout",
                            "Lets another model of a stage answer a part of the requests, and "
                            "promotes it, or aborts, by what it shows")
            ->fallthrough();
    rollout->require_subcommand(0, 1);
    v1::StartRolloutRequest* const request = &rollout_.request;
    rollout->add_option_function<std::string>(
        "CASCADE", [request](const std::string& name) { request->set_model(name); },
        "The cascade; may be left out if there is only one");
    AddRolloutTerms(rollout, request);
    // A command under this one has run by then, and is the one to run.
    rollout->callback([this, rollout] {
      if (rollout->get_subcommands().empty()) command_ = rollout_;
    });
    const auto add = [&](const char* name, const char* help, const auto* command, auto* to) {
      CLI::App* const added = AddCommand(*rollout, name, help, command);
      added->add_option_function<std::string>(
          "CASCADE", [to](const std::string& model) { to->set_model(model); },
          "The cascade; may be left out");
    };
    rollout_promote_.request.set_promote(true);
    add("status", "How the rollout stands, or how the last one ended", &rollout_status_,
        &rollout_status_.request);
    add("promote", "Makes the new version the cascade now", &rollout_promote_,
        &rollout_promote_.request);
    add("abort", "Ends the new version; the old one answers everything again", &rollout_abort_,
        &rollout_abort_.request);
  }

  static void AddRolloutTerms(CLI::App* rollout, v1::StartRolloutRequest* request) {
    rollout
        ->add_option_function<std::vector<std::string>>(
            "--stage",
            [request](const std::vector<std::string>& texts) {
              for (const std::string& text : texts) {
                const absl::Status status = AddStageModel(text, request);
                if (!status.ok()) {
                  throw CLI::ValidationError("--stage", std::string(status.message()));
                }
              }
            },
            "A stage and its new model, a file that the daemon can read; repeatable")
        ->type_name("STAGE=FILE");
    const auto set_part = [request](void (v1::StartRolloutRequest::*set)(double)) {
      return [set, request](const std::string& text) {
        const absl::StatusOr<double> part = ParsePart(text);
        if (part.ok()) (request->*set)(*part);
        return part.status();
      };
    };
    request->set_canary(0.05);
    AddParsed(rollout, "--canary", "Part of the requests for the new version (5%)",
              set_part(&v1::StartRolloutRequest::set_canary))
        ->type_name("PART");
    AddParsed(rollout, "--compare", "Part of those that the old version answers too (100%)",
              set_part(&v1::StartRolloutRequest::set_compare))
        ->type_name("PART");
    AddParsed(rollout, "--abort-if", "What aborts it: agreement<97%,p99>20ms,errors>1%",
              [request](const std::string& text) {
                absl::StatusOr<v1::RolloutConditions> conditions = ParseConditions(text);
                if (conditions.ok()) *request->mutable_abort_if() = *std::move(conditions);
                return conditions.status();
              })
        ->type_name("CONDITIONS");
    request->mutable_duration()->set_seconds(600);
    AddParsed(rollout, "--for", "After which it is promoted (10m)",
              [request](const std::string& text) {
                return SetRolloutDuration(text, request->mutable_duration());
              })
        ->type_name("DURATION");
  }

  CLI::App app_{"Shows and changes what a running escand does, and simulates it.", "escanctl"};
  std::string address_;
  ChannelSecurity::Files tls_;
  std::optional<absl::Duration> timeout_;
  bool json_ = false;

  StatusCommand status_;
  HealthCommand health_;
  PlanShowCommand plan_show_;
  PlanSetCommand plan_set_;
  PlanFreezeCommand plan_freeze_;
  PlanThawCommand plan_thaw_;
  PlanHistoryCommand plan_history_;
  PlanSearchCommand plan_search_;
  PlanPredictCommand plan_predict_;
  ThresholdsSetCommand thresholds_;
  ReloadCommand reload_;
  RolloutCommand rollout_;
  RolloutStatusCommand rollout_status_;
  RolloutEndCommand rollout_promote_;
  RolloutEndCommand rollout_abort_;
  DrainCommand drain_;
  CLI::App* simulate_ = app_.add_subcommand(
      "simulate", "How a plan would serve a load, from a profile; needs no daemon");
  SimulateOptions simulate_options_{simulate_};
  Command command_;
};

}  // namespace
}  // namespace escan::ctl

int main(int argc, char** argv) {
  escan::OpenStandardDescriptors();
  const char* address = std::getenv("ESCAN_ADMIN");
  return escan::ctl::CommandLine(address != nullptr ? address : "unix:/run/escan/admin.sock")
      .Run(argc, argv);
}
