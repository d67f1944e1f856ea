#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace escan {

using HttpHeaders = std::vector<std::pair<std::string, std::string>>;

// A whole request. A plain value.
struct HttpRequest {
  std::string method;   // "GET"
  std::string path;     // "/v2/models/a%20b": before the first '?', as it was sent
  std::string query;    // after it; empty: none
  HttpHeaders headers;  // names in lower case, in the order of their lines
  std::string body;

  // The first header of that name, which is in lower case; empty where there is none.
  std::string_view Header(std::string_view name) const;
};

struct HttpResponse {
  int status = 200;
  std::string content_type = "application/json";
  HttpHeaders headers{};
  std::string body{};
};

// {"error": "..."} with a status. Bytes of the message that are no UTF-8 are replaced.
HttpResponse HttpError(int status, std::string_view message);

// "a b" for "a%20b"; what is no valid escape stays as it is.
std::string PercentDecoded(std::string_view text);

// One request and the way to answer it. Any thread.
class HttpExchange {
 public:
  virtual ~HttpExchange() = default;

  // Lives as long as the exchange, until Respond().
  virtual const HttpRequest& request() const = 0;
  // Exactly once, before the server is destroyed; does not block.
  virtual void Respond(HttpResponse response) = 0;
  // `callback` is called at most once, when the client goes away before it was answered: at once
  // where it has gone already. It may come after Respond().
  virtual void OnGone(std::function<void()> callback) = 0;
};

}  // namespace escan
