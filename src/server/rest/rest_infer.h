#pragma once

#include <memory>
#include <string>
#include <utility>

#include "http/http_message.h"
#include "server/inference/infer_task.h"
#include "server/protocol/rest_request.h"

namespace escan {

// One inference request over HTTP. Owns itself, until the exchange has its response.
class RestInfer final : private InferTask {
 public:
  // Responds now or when the engine has answered. A client that goes away cancels its request.
  // `version` may be empty.
  // A null `client` has no limits.
  static void Start(ServerState* server, std::shared_ptr<Client> client,
                    std::shared_ptr<HttpExchange> exchange, const std::string& model,
                    const std::string& version);

 private:
  RestInfer(ServerState* server, std::shared_ptr<Client> client,
            std::shared_ptr<HttpExchange> exchange)
      : InferTask(server, std::move(client)), exchange_(std::move(exchange)) {}
  ~RestInfer() override = default;

  absl::Status Read(const std::string& model, const std::string& version, WireRequest* wire);
  void Form(const ServedModel& model, Answer answer) override;
  void Answered(absl::Status status) override;

  const std::shared_ptr<HttpExchange> exchange_;
  RestRequest form_;
  HttpResponse response_;
};

// Why a request failed, as its client is told.
HttpResponse ErrorResponse(const absl::Status& status);

}  // namespace escan
