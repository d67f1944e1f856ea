#include "server/inference/self_probe.h"

#include <sys/socket.h>

#include <future>
#include <utility>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "server/inference/inference_server.h"

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

// The two ends of a connection.
std::pair<UniqueFd, UniqueFd> Connection() {
  int ends[2];
  EXPECT_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends), 0);
  return {UniqueFd(ends[0]), UniqueFd(ends[1])};
}

TEST(InferenceServer, AnswersItself) {
  ServerState state({});
  const absl::StatusOr<std::unique_ptr<InferenceServer>> server = InferenceServer::Start(
      &state, {.listen = "127.0.0.1:0", .descriptor_ceiling = 1 << 20, .on_change = [] {}});
  ASSERT_TRUE(server.ok()) << server.status();
  EXPECT_TRUE((*server)->Answers(Clock::now() + std::chrono::minutes(1)));
  (*server)->Shutdown(Clock::now());
  EXPECT_FALSE((*server)->Answers(Clock::now() + std::chrono::minutes(1)));
}

TEST(AnswersClients, NotOneThatReadsNothing) {
  auto [own, other] = Connection();
  EXPECT_FALSE(AnswersClients(std::move(own), Clock::now() + std::chrono::milliseconds(50)));
}

TEST(AnswersClients, NotWhereThereIsNoConnection) {
  EXPECT_FALSE(AnswersClients(UniqueFd(), Clock::now() + std::chrono::minutes(1)));
}

}  // namespace
}  // namespace escan
