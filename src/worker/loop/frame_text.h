#pragma once

#include <algorithm>
#include <array>
#include <cstddef>

#include "absl/strings/string_view.h"

namespace escan {

// Puts `text` into a frame's NUL-terminated field, cut to fit.
template <size_t kSize>
void SetFrameText(std::array<char, kSize>& field, absl::string_view text) {
  field.fill('\0');
  std::copy_n(text.begin(), std::min(text.size(), kSize - 1), field.begin());
}

}  // namespace escan
