#include "server/rest/rest_service.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "server/protocol/contract.h"
#include "server/protocol/model_description.h"
#include "server/rest/openapi.h"
#include "server/rest/rest_infer.h"

namespace escan {
namespace {

// Extensions of the protocol that work here.
const std::vector<std::string> kExtensions = {"binary_tensor_data", "schedule_policy"};

absl::string_view AsAbsl(std::string_view text) { return {text.data(), text.size()}; }

HttpResponse Json(const nlohmann::ordered_json& body) { return {.body = body.dump()}; }

// Answers what `method` asks for; what asks in another way is told so.
template <typename Respond>
void Only(const char* method, HttpExchange& exchange, Respond respond) {
  const std::string& asked = exchange.request().method;
  const bool is_get = std::string_view(method) == "GET";
  if (asked == method || (is_get && asked == "HEAD")) return respond();
  HttpResponse response = HttpError(
      405, absl::StrCat("method ", asked, ", expected ", method, " for ", exchange.request().path));
  response.headers.emplace_back("Allow", is_get ? "GET, HEAD" : method);
  exchange.Respond(std::move(response));
}

void OnlyGet(HttpExchange& exchange, const HttpResponse& response) {
  Only("GET", exchange, [&] { exchange.Respond(response); });
}

void NotFound(HttpExchange& exchange) {
  exchange.Respond(
      HttpError(404, absl::StrCat("unknown path ", exchange.request().path,
                                  ": /v2/openapi.json describes those that there are")));
}

nlohmann::ordered_json Tensors(
    const google::protobuf::RepeatedPtrField<inference::ModelMetadataResponse::TensorMetadata>&
        tensors) {
  auto list = nlohmann::ordered_json::array();
  for (const auto& tensor : tensors) {
    list.push_back({{"name", tensor.name()},
                    {"datatype", tensor.datatype()},
                    {"shape", std::vector<int64_t>(tensor.shape().begin(), tensor.shape().end())}});
  }
  return list;
}

}  // namespace

// An exchange whose response says that the page of its origin may read it.
class RestService::WithOrigin final : public HttpExchange {
 public:
  WithOrigin(std::shared_ptr<HttpExchange> exchange, HttpHeaders headers)
      : exchange_(std::move(exchange)), headers_(std::move(headers)) {}

  const HttpRequest& request() const override { return exchange_->request(); }
  void OnGone(std::function<void()> callback) override { exchange_->OnGone(std::move(callback)); }
  void Respond(HttpResponse response) override {
    response.headers.insert(response.headers.end(), headers_.begin(), headers_.end());
    exchange_->Respond(std::move(response));
  }

 private:
  const std::shared_ptr<HttpExchange> exchange_;
  const HttpHeaders headers_;
};

void RestService::Handle(std::shared_ptr<HttpExchange> exchange) const {
  if (!allow_origins_.empty() && !exchange->request().Header("origin").empty()) {
    HttpHeaders headers = OriginHeaders(exchange->request());
    exchange = std::make_shared<WithOrigin>(std::move(exchange), std::move(headers));
  }
  Route(exchange);
}

HttpHeaders RestService::OriginHeaders(const HttpRequest& request) const {
  HttpHeaders headers = {{"Vary", "Origin"}};
  const std::string origin(request.Header("origin"));
  const bool allowed =
      std::any_of(allow_origins_.begin(), allow_origins_.end(),
                  [&](const std::string& allow) { return allow == "*" || allow == origin; });
  if (!allowed) return headers;
  headers.emplace_back("Access-Control-Allow-Origin", origin);
  headers.emplace_back("Access-Control-Expose-Headers",
                       "Inference-Header-Content-Length, traceparent");
  if (request.method == "OPTIONS") {
    headers.emplace_back("Access-Control-Allow-Methods", "GET, HEAD, POST");
    headers.emplace_back(
        "Access-Control-Allow-Headers",
        "Authorization, Content-Type, Inference-Header-Content-Length, traceparent, tracestate");
    headers.emplace_back("Access-Control-Max-Age", "600");
  }
  return headers;
}

void RestService::Route(const std::shared_ptr<HttpExchange>& exchange) const {
  const HttpRequest& request = exchange->request();
  if (request.method == "OPTIONS") {
    return exchange->Respond({.status = 204, .headers = {{"Allow", "GET, HEAD, POST, OPTIONS"}}});
  }
  std::vector<std::string> path;
  for (const absl::string_view part : absl::StrSplit(request.path, '/', absl::SkipEmpty())) {
    path.push_back(PercentDecoded(std::string_view(part.data(), part.size())));
  }
  if (path.empty() || path[0] != "v2") return NotFound(*exchange);
  if (path.size() == 1) {
    return OnlyGet(
        *exchange,
        Json({{"name", "escan"}, {"version", ESCAN_VERSION}, {"extensions", kExtensions}}));
  }
  if (path.size() == 2 && path[1] == "openapi.json") {
    return OnlyGet(*exchange, {.body = std::string(kOpenApi)});
  }
  if (path.size() == 3 && path[1] == "health" && path[2] == "live") {
    return OnlyGet(*exchange, Json({{"live", true}}));
  }
  if (path.size() == 3 && path[1] == "health" && path[2] == "ready") {
    return OnlyGet(*exchange, Ready());
  }
  if (path.size() < 3 || path[1] != "models") return NotFound(*exchange);
  absl::StatusOr<std::shared_ptr<Client>> client =
      state_->CallerOf(AsAbsl(request.Header("authorization")));
  if (client.ok()) return RouteModel(exchange, path, *std::move(client));
  HttpResponse refusal = ErrorResponse(client.status());
  refusal.headers.emplace_back("WWW-Authenticate", "Bearer");
  exchange->Respond(std::move(refusal));
}

void RestService::RouteModel(const std::shared_ptr<HttpExchange>& exchange,
                             const std::vector<std::string>& path,
                             std::shared_ptr<Client> client) const {
  const std::string& model = path[2];
  const bool versioned = path.size() >= 5 && path[3] == "versions";
  const std::string version = versioned ? path[4] : "";
  const std::vector<std::string> rest(path.begin() + (versioned ? 5 : 3), path.end());
  if (rest.empty()) return OnlyGet(*exchange, Describe(model, version));
  if (rest.size() == 1 && rest[0] == "ready") return OnlyGet(*exchange, ModelReady(model, version));
  if (rest.size() == 1 && rest[0] == "infer") {
    return Only("POST", *exchange,
                [&] { RestInfer::Start(state_, std::move(client), exchange, model, version); });
  }
  NotFound(*exchange);
}

// The protocol has a status of 4xx for what is not ready; 503 is what KServe itself answers, and
// what balancers understand.
HttpResponse RestService::Ready() const {
  if (state_->ready()) return Json({{"ready", true}});
  return HttpError(503, state_->NotReadyReason());
}

HttpResponse RestService::Describe(const std::string& model, const std::string& version) const {
  const absl::StatusOr<std::shared_ptr<ServedModel>> found = state_->Find(model, version);
  if (!found.ok()) return ErrorResponse(found.status());
  const inference::ModelMetadataResponse metadata = DescribeModel((*found)->cascade());
  return Json({{"name", metadata.name()},
               {"versions", {(*found)->version}},
               {"platform", metadata.platform()},
               {"inputs", Tensors(metadata.inputs())},
               {"outputs", Tensors(metadata.outputs())}});
}

HttpResponse RestService::ModelReady(const std::string& model, const std::string& version) const {
  const absl::StatusOr<std::shared_ptr<ServedModel>> found = state_->Find(model, version);
  if (!found.ok()) return ErrorResponse(found.status());
  if (!state_->ready(**found)) return HttpError(503, state_->NotReadyReason(**found));
  return Json({{"name", model}, {"ready", true}});
}

}  // namespace escan
