#include "server/status/status_page.h"

#include <string_view>

#include "server/status/status_files.h"

namespace escan {
namespace {

HttpResponse File(const char* type, std::string_view text) {
  return {
      .content_type = type,
      .headers = {{"Content-Security-Policy",
                   "default-src 'none'; connect-src 'self'; script-src 'self'; style-src 'self'; "
                   "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"},
                  {"X-Content-Type-Options", "nosniff"},
                  {"Cache-Control", "no-cache"}},
      .body = std::string(text)};
}

}  // namespace

std::optional<HttpResponse> StatusPage::Respond(const std::string& path) const {
  if (path == "/") return HttpResponse{.status = 302, .headers = {{"Location", "/status"}}};
  if (path == "/status") return File("text/html; charset=utf-8", kStatusHtml);
  if (path == "/status.css") return File("text/css; charset=utf-8", kStatusCss);
  if (path == "/status.js") return File("text/javascript; charset=utf-8", kStatusJs);
  if (path == "/status.json") {
    return HttpResponse{.headers = {{"Cache-Control", "no-store"}}, .body = recorder_.Json()};
  }
  return std::nullopt;
}

}  // namespace escan
