#include "server/rest/rest_infer.h"

#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "server/protocol/http_status.h"
#include "server/protocol/rest_answer.h"
#include "server/protocol/short_message.h"

namespace escan {
namespace {

// In lower case, as requests have it; in answers as the protocol writes it.
constexpr char kJsonLengthKey[] = "inference-header-content-length";
constexpr char kJsonLengthName[] = "Inference-Header-Content-Length";

// Bytes of JSON at the body's beginning.
absl::StatusOr<size_t> JsonLength(const HttpRequest& request) {
  const std::string_view text = request.Header(kJsonLengthKey);
  if (text.empty()) return request.body.size();
  size_t length = 0;
  if (!absl::SimpleAtoi(std::string(text), &length) || length > request.body.size()) {
    return absl::InvalidArgumentError(absl::StrCat(kJsonLengthName, ": \"", std::string(text),
                                                   "\" is not a number of bytes up to ",
                                                   request.body.size(), ", which the body has"));
  }
  return length;
}

}  // namespace

HttpResponse ErrorResponse(const absl::Status& status) {
  return HttpError(ToHttp(status.code()), ShortMessage(status));
}

void RestInfer::Start(ServerState* server, std::shared_ptr<Client> client,
                      std::shared_ptr<HttpExchange> exchange, const std::string& model,
                      const std::string& version) {
  auto* const infer = new RestInfer(server, std::move(client), exchange);
  const absl::Status status = infer->Prepare(
      [&](WireRequest* wire) { return infer->Read(model, version, wire); }, TimePoint::max());
  if (!status.ok()) {
    exchange->Respond(ErrorResponse(status));
    delete infer;
    return;
  }
  infer->form_.ForgetInputs();
  const Handle handle = infer->handle();
  infer->Submit();
  exchange->OnGone([handle] { handle.Cancel(); });
}

absl::Status RestInfer::Read(const std::string& model, const std::string& version,
                             WireRequest* wire) {
  const HttpRequest& request = exchange_->request();
  const std::string_view encoding = request.Header("content-encoding");
  if (!encoding.empty() && encoding != "identity") {
    return absl::InvalidArgumentError(
        absl::StrCat("Content-Encoding: \"", std::string(encoding),
                     "\" is not supported, bodies are sent as they are"));
  }
  const absl::StatusOr<size_t> json_length = JsonLength(request);
  if (!json_length.ok()) return json_length.status();
  wire->mutable_header()->set_model_name(model);
  wire->mutable_header()->set_model_version(version);
  return form_.Read(request.body, *json_length, wire);
}

void RestInfer::Form(const ServedModel& model, Answer answer) {
  RestAnswer formed =
      FormRestAnswer({model.cascade().name, model.version}, model.answer_tensors, answer, form_);
  if (formed.binary) {
    response_.content_type = "application/octet-stream";
    response_.headers.emplace_back(kJsonLengthName, absl::StrCat(formed.json_bytes));
  }
  response_.body = std::move(formed.body);
}

void RestInfer::Answered(absl::Status status) {
  exchange_->Respond(status.ok() ? std::move(response_) : ErrorResponse(status));
  delete this;
}

}  // namespace escan
