#pragma once

#include <string_view>

namespace escan {

// What the protocol over HTTP takes and answers, in the words of OpenAPI 3.0: openapi.json.
extern const std::string_view kOpenApi;

}  // namespace escan
