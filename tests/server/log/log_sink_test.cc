#include "server/log/log_sink.h"

#include <fcntl.h>
#include <spdlog/spdlog.h>
#include <unistd.h>

#include <string>

#include "gtest/gtest.h"

namespace escan {
namespace {

std::string Logged(bool colours) {
  int ends[2];
  EXPECT_EQ(pipe2(ends, O_CLOEXEC), 0);
  const UniqueFd read_end(ends[0]);
  const auto writer = std::make_shared<LogWriter>(UniqueFd(ends[1]));
  spdlog::logger logger("test", std::make_shared<LogSink>(writer, colours));
  logger.set_pattern("%^%l%$ %v");
  logger.warn("worker ended worker={}", 3);
  EXPECT_TRUE(writer->Flush(Clock::now() + std::chrono::minutes(1)));
  char text[100];
  const ssize_t size = read(read_end.get(), text, sizeof(text));
  return std::string(text, static_cast<size_t>(size));
}

TEST(LogSink, WritesALoggersLines) {
  EXPECT_EQ(Logged(/*colours=*/false), "warning worker ended worker=3\n");
}

TEST(LogSink, ColoursTheLevelForATerminal) {
  EXPECT_EQ(Logged(/*colours=*/true), "\x1b[33m\x1b[1mwarning\x1b[m worker ended worker=3\n");
}

}  // namespace
}  // namespace escan
