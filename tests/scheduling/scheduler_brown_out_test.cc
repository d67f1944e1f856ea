// Thresholds that are lowered before requests are refused, and raised again.
#include <gtest/gtest.h>

#include <array>
#include <optional>
#include <utility>

#include "scheduling/scheduler_harness.h"

namespace escan {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

// Two stages of one worker. The first one's threshold is 0.5, and may go down to 0.1.
class SchedulerBrownOut : public SchedulerTest {
 protected:
  void SetUp() override {
    Stages(2, 64);
    cascade_.lowest_thresholds = {0.1f, 1.0f};
  }

  void Serve() {
    Start({.brown_out = true});
    Ready(0, {0, 1});
  }

  int level() const { return scheduler_->brown_out().level(); }

  // Many requests that nobody serves yet.
  void Crowd(SlotId first, SlotId count, Duration deadline = seconds(60)) {
    for (SlotId slot = first; slot < first + count; ++slot) Admit({slot}, deadline);
  }
};

TEST_F(SchedulerBrownOut, LowersThresholdsAsSlotsFillAndSaysSoInTheAnswers) {
  Serve();
  Crowd(0, 31);
  Advance();
  EXPECT_EQ(level(), 0);
  const Sent before = Take();
  EXPECT_EQ(before.threshold, 0.5f);
  Crowd(31, 2);
  Advance(milliseconds(100));
  EXPECT_EQ(level(), 1);
  EXPECT_FLOAT_EQ(scheduler_->threshold(0), 0.4f);
  EXPECT_EQ(scheduler_->set_threshold(0), 0.5f);
  EXPECT_EQ(actions_.levels, std::vector<int>{1});
  // The batch that left before is answered by what it was given.
  Done(before, std::vector<float>(before.slots.size(), 0.6f));
  EXPECT_EQ(scheduler_->answer(before.slots[0]).brown_out, 0);
  const Sent after = Take();
  EXPECT_FLOAT_EQ(after.threshold, 0.4f);
  Done(after, std::vector<float>(after.slots.size(), 0.45f));
  EXPECT_EQ(scheduler_->answer(after.slots[0]).stage, 0);
  EXPECT_EQ(scheduler_->answer(after.slots[0]).brown_out, 1);
}

TEST_F(SchedulerBrownOut, LowersThemAsSamplesWaitLongForTheTimeThatTheyHave) {
  Serve();
  Crowd(0, 8, milliseconds(1000));
  Advance();
  EXPECT_EQ(level(), 0);
  Advance(milliseconds(499));
  EXPECT_EQ(level(), 0);
  Advance(milliseconds(101));
  EXPECT_EQ(level(), 1);
}

TEST_F(SchedulerBrownOut, RaisesThemAgainByItself) {
  Serve();
  Crowd(0, 40);
  for (int i = 0; i < 10; ++i) Advance(milliseconds(100));
  EXPECT_EQ(level(), BrownOut::kLevels);
  EXPECT_EQ(scheduler_->threshold(0), 0.1f);
  while (!NothingSent()) {
    const Sent sent = Take();
    Done(sent, std::vector<float>(sent.slots.size(), 0.9f));
  }
  EXPECT_EQ(scheduler_->requests(), 0);
  // Called when it asks to be, and never else.
  int calls = 0;
  TimePoint next = Advance();
  while (next != TimePoint::max() && ++calls < 1000) next = Advance(next - now_);
  EXPECT_EQ(level(), 0);
  EXPECT_EQ(scheduler_->threshold(0), 0.5f);
  EXPECT_EQ(actions_.levels, (std::vector<int>{1, 2, 3, 4, 3, 2, 1, 0}));
}

TEST_F(SchedulerBrownOut, AThresholdThatIsSetMeanwhileIsLoweredToo) {
  Serve();
  Crowd(0, 40);
  Advance();
  ASSERT_EQ(level(), 1);
  scheduler_->SetThreshold(0, 0.9f, now_);
  EXPECT_EQ(scheduler_->set_threshold(0), 0.9f);
  EXPECT_FLOAT_EQ(scheduler_->threshold(0), 0.7f);
}

TEST_F(SchedulerBrownOut, ComparesNoScoresOfStagesAfterALoweredOne) {
  cascade_.calibration.stages = {
      {.threshold = 0.5f, .lowest_threshold = 0.1f, .scores = {{0.5f}, {50, 50}}},
      {.threshold = std::nullopt, .lowest_threshold = std::nullopt, .scores = {{0.5f}, {50, 50}}}};
  Serve();
  EXPECT_EQ(scheduler_->statistics(1).drift.state, DriftStatus::State::kWaiting);
  Crowd(0, 40);
  Advance();
  ASSERT_EQ(level(), 1);
  EXPECT_EQ(scheduler_->statistics(0).drift.state, DriftStatus::State::kWaiting);
  EXPECT_EQ(scheduler_->statistics(1).drift.state, DriftStatus::State::kOtherThresholds);
}

// A worker that takes 2 ms for a batch of four at the first stage and 8 ms at the last, and a
// sample each millisecond. Where half of them exit at the first, it needs 1.5 ms a sample; with
// nine of ten, 0.7 ms.
class Overload : public SchedulerBrownOut {
 protected:
  struct Figures {
    int offered = 0;
    int refused = 0;   // no slot was free
    int answered = 0;  // in time
  };

  Figures Serve(Duration time) {
    Figures figures;
    std::vector<SlotId> free;
    for (SlotId slot = 0; slot < 64; ++slot) free.push_back(slot);
    size_t completed = actions_.completed.size();
    size_t settled = actions_.settled.size();
    TimePoint busy_until{};
    std::optional<Sent> running;
    uint32_t draw = 1;
    for (const TimePoint end = now_ + time; now_ < end; now_ += milliseconds(1)) {
      if (running.has_value() && now_ >= busy_until) {
        std::vector<float> scores;
        for (const SlotId slot : running->slots) scores.push_back(score_[slot]);
        const Sent sent = *std::exchange(running, std::nullopt);
        Done(sent, scores);
      }
      if (++figures.offered; free.empty()) {
        ++figures.refused;
      } else {
        const SlotId slot = free.back();
        free.pop_back();
        draw = draw * 1664525 + 1013904223;
        score_[slot] = static_cast<float>(draw >> 8) / (1 << 24);
        Admit({slot}, milliseconds(300));
      }
      Advance();
      if (!running.has_value() && !NothingSent()) {
        running = Take();
        busy_until = now_ + milliseconds(running->stage == 0 ? 2 : 8);
      }
      for (; completed < actions_.completed.size(); ++completed) {
        figures.answered += actions_.completed[completed].outcome.code == OutcomeCode::kOk ? 1 : 0;
      }
      for (; settled < actions_.settled.size(); ++settled) {
        free.push_back(actions_.settled[settled].first_slot);
      }
    }
    return figures;
  }

  std::array<float, 64> score_{};
};

TEST_F(Overload, FewerRequestsAreRefusedWithABrownOut) {
  const auto run = [this](bool brown_out) {
    Start({.brown_out = brown_out});
    Ready(0, {0, 1});
    actions_ = {};
    return Serve(seconds(20));
  };
  const Figures without = run(false);
  const Figures with = run(true);
  EXPECT_EQ(without.offered, with.offered);
  EXPECT_GT(without.offered - without.answered, without.offered / 10) << "it is an overload";
  EXPECT_LT(with.offered - with.answered, (without.offered - without.answered) / 5);
  EXPECT_GT(with.answered, without.answered);
}

TEST_F(SchedulerBrownOut, IsOffUnlessItIsAskedFor) {
  Start();
  Ready(0, {0, 1});
  Crowd(0, 64);
  for (int i = 0; i < 10; ++i) Advance(milliseconds(100));
  EXPECT_EQ(level(), 0);
  EXPECT_EQ(scheduler_->threshold(0), 0.5f);
  EXPECT_TRUE(actions_.levels.empty());
}

}  // namespace
}  // namespace escan
