#pragma once

#include <gtest/gtest.h>

#include <chrono>
#include <cstdint>
#include <vector>

#include "scheduling/scheduler_harness.h"

namespace escan {

// One stage with the buckets 1, 4 and 16; every batch that finds none under way is to be checked.
class SchedulerVerification : public SchedulerTest {
 protected:
  void SetUp() override {
    Stages(1);
    Start({.verify_every = 1});
  }

  // A request that one worker has answered, at once.
  Sent Answered(const std::vector<SlotId>& slots) {
    Admit(slots);
    Advance();
    const Sent sent = Take();
    EXPECT_FALSE(sent.compares());
    EXPECT_TRUE(Done(sent, std::vector<float>(slots.size(), 0.9f)));
    return sent;
  }

  // The next batch, which must be one to compare.
  Sent TakeCheck() {
    const Sent sent = Take();
    EXPECT_TRUE(sent.compares());
    return sent;
  }

  // What a worker says of a batch to compare: all rows are equal, or differ.
  bool Says(const Sent& check, bool differs) {
    return Says(check, std::vector<uint8_t>(check.slots.size(), differs ? 1 : 0));
  }
  bool Says(const Sent& check, const std::vector<uint8_t>& differs,
            const std::vector<uint8_t>& failed = {}) {
    const std::vector<float> scores(check.slots.size(), 0.9f);
    const std::vector<uint8_t> none(check.slots.size());
    const bool accepted = scheduler_->BatchDone(check.worker,
                                                {.sequence = check.sequence,
                                                 .scores = scores,
                                                 .exits = none,
                                                 .failed = failed.empty() ? none : failed,
                                                 .differs = differs,
                                                 .message = "row 1: 'p'[0] is 1 where 2 is right",
                                                 .execute_time = std::chrono::milliseconds(1)},
                                                now_);
    Advance();
    return accepted;
  }

  const Comparison& Last() { return actions_.compared.back(); }
  size_t settled() const { return actions_.settled.size(); }
};

}  // namespace escan
