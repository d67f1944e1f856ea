#include "server/log/log_writer.h"

#include <fcntl.h>
#include <unistd.h>

#include <csignal>
#include <fstream>
#include <string>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace escan {
namespace {

using testing::EndsWith;
using testing::HasSubstr;

TimePoint Soon() { return Clock::now() + std::chrono::minutes(1); }

// A pipe that takes 4 KiB before somebody has to read.
class SmallPipe {
 public:
  SmallPipe() {
    int ends[2];
    EXPECT_EQ(pipe2(ends, O_CLOEXEC), 0);
    read_end.reset(ends[0]);
    write_end.reset(ends[1]);
    EXPECT_EQ(fcntl(write_end.get(), F_SETPIPE_SZ, 4096), 4096);
  }

  std::string ReadUntil(const std::string& end) const {
    std::string read_so_far;
    while (read_so_far.find(end) == std::string::npos) {
      char block[1024];
      const ssize_t count = read(read_end.get(), block, sizeof(block));
      if (count <= 0) break;
      read_so_far.append(block, static_cast<size_t>(count));
    }
    return read_so_far;
  }

  UniqueFd read_end;
  UniqueFd write_end;
};

TEST(LogWriter, WritesLinesInTheirOrder) {
  const SmallPipe pipe;
  LogWriter log(UniqueFd(dup(pipe.write_end.get())));
  log.Write("one\n");
  log.Write("two\n");
  EXPECT_EQ(pipe.ReadUntil("two\n"), "one\ntwo\n");
  EXPECT_TRUE(log.Flush(Soon()));
  EXPECT_EQ(log.lines_lost(), 0u);
}

TEST(LogWriter, NobodyWaitsForAReaderThatStandsStillAndTheOldestLinesGo) {
  const SmallPipe pipe;
  LogWriter log(UniqueFd(dup(pipe.write_end.get())), /*capacity=*/10'000);
  const std::string filling(999, '-');
  for (int i = 0; i < 100; ++i) log.Write(filling + "\n");  // would block after the fourth
  EXPECT_FALSE(log.Flush(Clock::now()));
  const uint64_t lost = log.lines_lost();
  // The pipe and the writer hold up to five lines beside the ten that wait.
  EXPECT_GE(lost, 85u);
  EXPECT_LE(lost, 90u);
  log.Write("the last\n");  // drops one more
  const std::string text = pipe.ReadUntil("the last\n");
  EXPECT_THAT(text, EndsWith("the last\n"));
  EXPECT_THAT(text, HasSubstr("]: log overrun lines_lost=" + std::to_string(log.lines_lost())));
  EXPECT_TRUE(log.Flush(Soon()));
  EXPECT_EQ(static_cast<uint64_t>(std::count(text.begin(), text.end(), '\n')),
            101 - log.lines_lost() + 1);
}

TEST(LogWriter, ItsEndDoesNotWaitEither) {
  signal(SIGPIPE, SIG_IGN);  // the thread's last write may end with the pipe
  const SmallPipe pipe;
  LogWriter log(UniqueFd(dup(pipe.write_end.get())));
  for (int i = 0; i < 100; ++i) log.Write(std::string(999, '-') + "\n");
  EXPECT_FALSE(log.Flush(Clock::now()));
}

TEST(LogWriter, LinesThatTheDescriptorRefusesAreLost) {
  signal(SIGPIPE, SIG_IGN);
  SmallPipe pipe;
  LogWriter log(std::move(pipe.write_end));
  pipe.read_end.reset();
  log.Write("for nobody\n");
  EXPECT_TRUE(log.Flush(Soon()));
  EXPECT_EQ(log.lines_lost(), 1u);
}

TEST(LogWriter, ADescriptorThatOthersMadeNonBlockingIsWaitedFor) {
  const SmallPipe pipe;
  fcntl(pipe.write_end.get(), F_SETFL, O_NONBLOCK);
  LogWriter log(UniqueFd(dup(pipe.write_end.get())));
  for (int i = 0; i < 20; ++i) log.Write(std::string(999, '-') + "\n");
  log.Write("the last\n");
  EXPECT_EQ(pipe.ReadUntil("the last\n").size(), 20'000u + 9u);
  EXPECT_EQ(log.lines_lost(), 0u);
}

}  // namespace
}  // namespace escan
