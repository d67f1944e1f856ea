#pragma once

#include <optional>
#include <string>
#include <vector>

#include "http/http_message.h"
#include "server/status/status_recorder.h"

namespace escan {

// A page for people, at /status, that shows and follows what the daemon does; and what it is made
// of, /status.json. It loads nothing from elsewhere, and browsers are told so. `state` outlives it.
// Any thread.
class StatusPage {
 public:
  StatusPage(const ServerState* state, std::vector<Device> devices)
      : recorder_(state, std::move(devices)) {}

  // nullopt for paths that are not of the page; / leads to it. May block as StatusRecorder::Json.
  std::optional<HttpResponse> Respond(const std::string& path) const;

 private:
  const StatusRecorder recorder_;
};

}  // namespace escan
