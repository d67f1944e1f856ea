#pragma once

#include <string>

#include "absl/status/status.h"

namespace escan {

// A status's message for a client. It may cite what that client sent, of any length: it ends after
// 2000 bytes, not within a character of UTF-8.
inline std::string ShortMessage(const absl::Status& status) {
  constexpr size_t kLongest = 2000;  // of which each may take three on gRPC's wire
  std::string message(status.message());
  if (message.size() <= kLongest) return message;
  size_t end = kLongest;
  while (end > 0 && (static_cast<unsigned char>(message[end]) & 0xC0) == 0x80) --end;
  message.resize(end);
  return message + "...";
}

}  // namespace escan
