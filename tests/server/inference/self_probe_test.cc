#include "server/inference/self_probe.h"

#include <future>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "server/listening/listening_sockets.h"
#include "server/test_daemon.h"

namespace escan {
namespace {

TEST(SelfProbe, TellsOfEachRoundWhetherAllQuestionsWereAnswered) {
  std::promise<void> done;
  std::vector<bool> rounds;
  int asked = 0;
  const SelfProbe probe(
      {.period = Duration::zero(),
       .patience = std::chrono::minutes(1),
       .questions = {[](TimePoint) { return true; }, [&](TimePoint) { return ++asked != 2; }},
       .on_round = [&](bool answered) {
         if (rounds.size() == 3) return;
         rounds.push_back(answered);
         if (rounds.size() == 3) done.set_value();
       }});
  done.get_future().wait();
  EXPECT_THAT(rounds, testing::ElementsAre(true, false, true));
}

TEST(AnswersClients, ADaemonThatServes) {
  const TemporaryFolder folder;
  TestDaemon daemon(TestConfig(folder), "good");
  EXPECT_TRUE(AnswersClients(daemon.addresses().inference, Clock::now() + std::chrono::minutes(1)));
}

TEST(AnswersClients, NotAListenerThatTakesNoConnections) {
  const absl::StatusOr<ListeningSockets> bound = BindSockets("127.0.0.1:0");
  ASSERT_TRUE(StartListening(*bound).ok());
  EXPECT_FALSE(AnswersClients(bound->address, Clock::now() + std::chrono::milliseconds(50)));
}

}  // namespace
}  // namespace escan
