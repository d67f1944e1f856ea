#pragma once

#include <memory>
#include <string>
#include <vector>

#include "http/http_message.h"
#include "server/inference/server_state.h"

namespace escan {

// The Open Inference Protocol over HTTP: the same requests, limits, tokens and errors as over gRPC.
// `state` outlives it; any thread.
class RestService {
 public:
  // Browsers let pages of `allow_origins` ("https://a.example", or "*" for all) ask.
  RestService(ServerState* state, std::vector<std::string> allow_origins)
      : state_(state), allow_origins_(std::move(allow_origins)) {}

  // Responds now or later.
  void Handle(std::shared_ptr<HttpExchange> exchange) const;

 private:
  class WithOrigin;

  void Route(const std::shared_ptr<HttpExchange>& exchange) const;
  // What comes after /v2/models/.
  void RouteModel(const std::shared_ptr<HttpExchange>& exchange,
                  const std::vector<std::string>& path, std::shared_ptr<Client> client) const;
  HttpResponse Ready() const;
  HttpResponse Describe(const std::string& model, const std::string& version) const;
  HttpResponse ModelReady(const std::string& model, const std::string& version) const;
  // The headers that let the page of a request's origin read the answer; empty: it may not.
  HttpHeaders OriginHeaders(const HttpRequest& request) const;

  ServerState* const state_;
  const std::vector<std::string> allow_origins_;
};

}  // namespace escan
