#include "server/status/cascade_history.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace escan {
namespace {

using std::chrono::seconds;
using testing::ElementsAre;

constexpr auto kOk = static_cast<size_t>(absl::StatusCode::kOk);
constexpr auto kDeadline = static_cast<size_t>(absl::StatusCode::kDeadlineExceeded);

CascadeSpec TwoStages() {
  CascadeSpec cascade;
  cascade.stages.resize(2);
  cascade.stages[0].name = "small";
  cascade.stages[1].name = "large";
  return cascade;
}

// A cascade that is read every two seconds.
class CascadeHistoryTest : public testing::Test {
 protected:
  CascadeHistoryTest() { status_.stages.resize(2); }

  void Read(const std::string& not_ready = "") {
    now_ += seconds(2);
    history_.Add(now_, requests_, status_, not_ready);
  }
  std::vector<std::string> Events() const {
    std::vector<std::string> texts;
    for (const StatusEvent& event : history_.events()) texts.push_back(event.text);
    return texts;
  }
  StageStatistics& statistics(size_t stage) { return status_.stages[stage].statistics; }

  TimePoint now_{};
  RequestCounters::Snapshot requests_;
  EngineStatus status_;
  CascadeHistory history_{TwoStages()};
};

TEST_F(CascadeHistoryTest, TellsRatesBetweenReadings) {
  Read();
  requests_.requests[kOk] = 100;
  requests_.requests[kDeadline] = 4;
  requests_.latency.Add(kLatencyBounds, 0.0015, 100);
  statistics(0).samples_executed = 200;
  statistics(0).samples_exited = 150;
  status_.stages[1].queued = 7;
  Read();
  Read();
  const auto told = history_.ToJson(now_ + seconds(1));
  EXPECT_THAT(told["age_s"], ElementsAre(3.0, 1.0));
  EXPECT_THAT(told["requests_per_second"], ElementsAre(50.0, 0.0));
  EXPECT_THAT(told["failed_per_second"], ElementsAre(2.0, 0.0));
  EXPECT_NEAR(told["p50_ms"][0].get<double>(), 1.5, 1e-9);
  EXPECT_TRUE(told["p99_ms"][1].is_null());
  EXPECT_THAT(told["stages"][0]["samples_per_second"], ElementsAre(100.0, 0.0));
  EXPECT_THAT(told["stages"][0]["exits_per_second"], ElementsAre(75.0, 0.0));
  EXPECT_THAT(told["stages"][1]["queued"], ElementsAre(7, 7));
}

TEST_F(CascadeHistoryTest, TellsWhatHappened) {
  status_.workers.push_back({.member = {.id = 3}});
  Read("starting");
  Read();
  status_.workers[0].member.restarts = 1;
  status_.workers[0].member.last_end = "signal 9";
  status_.plan_changes = 1;
  statistics(1).answers_wrong = 2;
  statistics(0).answers_doubtful = 1;
  statistics(0).samples_failed = 5;
  Read();
  EXPECT_THAT(Events(),
              ElementsAre("ready", "another plan is in effect",
                          "worker 3 was started again: signal 9", "small: 1 doubtful answers",
                          "small: 5 samples failed", "large: 2 wrong answers"));
  EXPECT_FALSE(history_.events()[0].bad);
  EXPECT_TRUE(history_.events()[2].bad);
}

TEST_F(CascadeHistoryTest, IsBounded) {
  for (size_t i = 0; i < 2 * CascadeHistory::kPoints; ++i) Read(i % 2 == 0 ? "why" : "");
  EXPECT_EQ(history_.ToJson(now_)["age_s"].size(), CascadeHistory::kPoints);
  EXPECT_EQ(history_.events().size(), CascadeHistory::kEvents);
}

}  // namespace
}  // namespace escan
