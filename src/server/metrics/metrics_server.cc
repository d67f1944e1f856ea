#include "server/metrics/metrics_server.h"

#include <prometheus/text_serializer.h>

#include <utility>

#include "absl/strings/str_cat.h"

namespace escan {

absl::StatusOr<std::unique_ptr<MetricsServer>> MetricsServer::Start(const ServerState* state,
                                                                    std::vector<Device> devices,
                                                                    const std::string& address,
                                                                    int descriptor_ceiling) {
  std::unique_ptr<MetricsServer> server(new MetricsServer(state, std::move(devices)));
  absl::StatusOr<std::unique_ptr<HttpListener>> listener = HttpListener::Start(
      address, descriptor_ceiling, {.name = "metrics", .header_time = std::chrono::seconds(2)},
      [self = server.get()](const std::shared_ptr<HttpExchange>& exchange) {
        exchange->Respond(self->Respond(exchange->request()));
      });
  if (!listener.ok()) return listener.status();
  server->listener_ = *std::move(listener);
  return server;
}

HttpResponse MetricsServer::Respond(const HttpRequest& request) const {
  if (request.method != "GET" && request.method != "HEAD") {
    return HttpError(405, absl::StrCat("method ", request.method, ", expected GET"));
  }
  if (request.path == "/metrics") {
    return {.content_type = "text/plain; version=0.0.4; charset=utf-8",
            .body = prometheus::TextSerializer().Serialize(collector_.Collect())};
  }
  if (std::optional<HttpResponse> page = page_.Respond(request.path)) return *std::move(page);
  return HttpError(404, absl::StrCat("unknown path ", request.path,
                                     ", expected /metrics, /status or /status.json"));
}

}  // namespace escan
