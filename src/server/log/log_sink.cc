#include "server/log/log_sink.h"

#include <string>
#include <utility>

namespace escan {
namespace {

// ECMA-48, section 8.3.117 (SGR).
constexpr char kPlain[] = "\x1b[m";

const char* ColourOf(spdlog::level::level_enum level) {
  switch (level) {
    case spdlog::level::info:
      return "\x1b[32m";
    case spdlog::level::warn:
      return "\x1b[33m\x1b[1m";
    case spdlog::level::err:
    case spdlog::level::critical:
      return "\x1b[31m\x1b[1m";
    default:
      return "\x1b[36m";
  }
}

}  // namespace

void LogSink::sink_it_(const spdlog::details::log_msg& message) {
  spdlog::memory_buf_t formatted;
  formatter_->format(message, formatted);
  std::string line(formatted.data(), formatted.size());
  if (colours_ && message.color_range_end > message.color_range_start) {
    line.insert(message.color_range_end, kPlain);
    line.insert(message.color_range_start, ColourOf(message.level));
  }
  writer_->Write(std::move(line));
}

}  // namespace escan
