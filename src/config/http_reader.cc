#include "config/http_reader.h"

#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "config/address.h"

namespace escan {
namespace {

constexpr size_t kMaxOrigins = 64;

// https://www.rfc-editor.org/rfc/rfc6454#section-7: scheme, host and port, and nothing after them.
absl::StatusOr<std::string> ParseOrigin(const std::string& text) {
  if (text == "*") return text;
  const size_t host = text.find("://") + 3;
  const bool web = absl::StartsWith(text, "http://") || absl::StartsWith(text, "https://");
  const bool plain = text.find_first_of("/?#*@ \t\r\n", web ? host : 0) == std::string::npos;
  if (web && plain && text.size() > host) return text;
  return absl::InvalidArgumentError(absl::StrCat(
      "\"", text, "\" is not an origin, expected \"*\" or one as in https://example.org:8443"));
}

}  // namespace

HttpConfig ReadHttp(const NodeReader& node, const ServerConfig& server) {
  const MapReader map(node, {"listen", "allow_origins"});
  HttpConfig http;
  http.listen = map["listen"].AsParsed(ParseOptionalAddress).value_or(http.listen);
  for (const std::string& other : {server.listen, server.metrics, server.admin}) {
    if (http.listen.empty() || http.listen != other || http.listen.ends_with(":0")) continue;
    map["listen"].AddMistake(absl::StrCat(http.listen, " is taken by an address of server"));
    break;
  }
  if (!map["allow_origins"].present()) return http;
  for (const NodeReader& element : map["allow_origins"].AsList(0, kMaxOrigins)) {
    if (auto origin = element.AsParsed(ParseOrigin)) http.allow_origins.push_back(*origin);
  }
  return http;
}

}  // namespace escan
