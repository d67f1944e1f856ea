#pragma once

#include <spdlog/sinks/base_sink.h>

#include <memory>
#include <mutex>

#include "server/log/log_writer.h"

namespace escan {

// spdlog's lines for a LogWriter. Thread-safe; does not block. Levels are coloured for a terminal.
class LogSink final : public spdlog::sinks::base_sink<std::mutex> {
 public:
  LogSink(std::shared_ptr<LogWriter> writer, bool colours)
      : writer_(std::move(writer)), colours_(colours) {}

 private:
  void sink_it_(const spdlog::details::log_msg& message) override;
  void flush_() override {}

  const std::shared_ptr<LogWriter> writer_;
  const bool colours_;
};

}  // namespace escan
