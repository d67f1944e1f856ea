#include "server/log/line_relay.h"

#include <unistd.h>

#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace escan {
namespace {

using testing::ElementsAre;

// What is handed on of `writes`, once the relay has ended.
std::vector<std::string> Relayed(const std::vector<std::string>& writes) {
  std::vector<std::string> lines;
  {
    const auto relay =
        LineRelay::Start([&](std::string line) { lines.push_back(std::move(line)); });
    EXPECT_TRUE(relay.ok()) << relay.status();
    for (const std::string& text : writes) {
      EXPECT_EQ(write((*relay)->write_end(), text.data(), text.size()),
                static_cast<ssize_t>(text.size()));
    }
  }
  return lines;
}

TEST(LineRelay, HandsOnWholeLinesHoweverTheyWereWritten) {
  EXPECT_THAT(Relayed({"one\ntwo\nth", "ree\n", "\n"}),
              ElementsAre("one\n", "two\n", "three\n", "\n"));
}

TEST(LineRelay, ALastLineWithoutAnEndGetsOne) {
  EXPECT_THAT(Relayed({"killed in the mid"}), ElementsAre("killed in the mid\n"));
}

TEST(LineRelay, NoWriterWaitsAndALongLineComesInPieces) {
  // More than a pipe holds, written by one thread.
  const std::vector<std::string> lines = Relayed({std::string(1 << 20, 'x'), "\n"});
  EXPECT_GT(lines.size(), 10u);
  size_t size = 0;
  for (const std::string& line : lines) size += line.size() - 1;
  EXPECT_EQ(size, size_t{1} << 20);
}

}  // namespace
}  // namespace escan
