#pragma once

#include <string_view>

namespace escan {

// The files of the status page.
extern const std::string_view kStatusCss;
extern const std::string_view kStatusHtml;
extern const std::string_view kStatusJs;

}  // namespace escan
