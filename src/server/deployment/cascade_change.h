#pragma once

#include <functional>
#include <map>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "escan/time.h"
#include "server/rollout/rollout.h"

namespace escan {

// What is to become of the cascades that are served.
struct CascadeChange {
  enum class Kind {
    kReload,   // they become those of the configuration file
    kLoad,     // the named one becomes that of the file
    kUnload,   // the named one is served no more, until it is loaded
    kRollout,  // the named one gets a new version, for a part of its requests at first
    kPromote,  // the new version is the cascade
    kAbort,    // the new version is served no more
  };
  Kind kind = Kind::kReload;
  std::string name{};
  bool by_client = false;  // and so only where the configuration allows it
  std::map<std::string, std::string> stage_models{};  // of a rollout: files, by stage
  RolloutTerms terms{};                               // of a rollout
};

// What became of it: names of cascades.
struct ChangeReport {
  std::vector<std::string> added;
  std::vector<std::string> replaced;
  std::vector<std::string> removed;
  std::vector<std::string> unchanged;
  Duration took{};
};

using ChangeDone = std::function<void(absl::StatusOr<ChangeReport>)>;

// Begins a change, see Deployment::Begin.
using ChangeCascades = std::function<void(CascadeChange change, ChangeDone done)>;

}  // namespace escan
