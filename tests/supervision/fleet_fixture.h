#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "supervision/fleet.h"

namespace escan {

// A fleet on a manual clock whose actions are written down as "start 0", "drain 1", "stop 1",
// "kill 2". Facts are followed by Advance, as in the daemon.
class FleetTest : public ::testing::Test, protected FleetActions {
 protected:
  static WorkerGroup Group(int count, std::vector<int> stages, int thread_percent = 100) {
    return {.count = count,
            .device = 0,
            .thread_percent = thread_percent,
            .credits = 1,
            .stages = std::move(stages)};
  }

  void StartWorker(WorkerId worker, uint32_t incarnation, const WorkerGroup& role) override {
    started_.push_back({worker, incarnation, role});
    actions_.push_back(absl::StrCat("start ", worker));
  }
  void DrainWorker(WorkerId worker) override { actions_.push_back(absl::StrCat("drain ", worker)); }
  void StopWorker(WorkerId worker) override { actions_.push_back(absl::StrCat("stop ", worker)); }
  void KillWorker(WorkerId worker) override { actions_.push_back(absl::StrCat("kill ", worker)); }

  // What was done since the last call.
  std::vector<std::string> Actions() { return std::exchange(actions_, {}); }

  void SetGroups(const std::vector<WorkerGroup>& groups) {
    fleet_.SetGroups(groups, now_);
    Advance();
  }
  // Starts `groups` and makes all of them ready.
  void Serve(const std::vector<WorkerGroup>& groups) {
    SetGroups(groups);
    for (const Fleet::Member& member : fleet_.members()) Ready(member.id);
    Actions();
  }
  void Ready(WorkerId worker) {
    fleet_.Ready(worker, Incarnation(worker), now_);
    Advance();
  }
  void Drained(WorkerId worker) {
    fleet_.Drained(worker, now_);
    Advance();
  }
  void Exited(WorkerId worker, const std::string& how = "exit status 1") {
    fleet_.Exited(worker, Incarnation(worker), how, now_);
    Advance();
  }
  void Advance() { next_ = fleet_.Advance(now_); }
  // To the time that the fleet asked for.
  void AdvanceToNext() {
    ASSERT_NE(next_, TimePoint::max());
    now_ = next_;
    Advance();
  }

  uint32_t Incarnation(WorkerId worker) const {
    const Fleet::Member* member = fleet_.Find(worker);
    return member == nullptr ? 0 : member->incarnation;
  }
  FleetState State(WorkerId worker) const {
    const Fleet::Member* member = fleet_.Find(worker);
    EXPECT_NE(member, nullptr) << "no worker " << worker;
    return member == nullptr ? FleetState::kWaiting : member->state;
  }
  std::vector<WorkerId> Ids() const {
    std::vector<WorkerId> ids;
    for (const Fleet::Member& member : fleet_.members()) ids.push_back(member.id);
    return ids;
  }

  struct Started {
    WorkerId worker;
    uint32_t incarnation;
    WorkerGroup role;
  };

  const FleetOptions options_{.start_timeout = std::chrono::seconds(60),
                              .stop_timeout = std::chrono::seconds(5),
                              .drain_timeout = std::chrono::seconds(30),
                              .first_backoff = std::chrono::milliseconds(100),
                              .last_backoff = std::chrono::seconds(1),
                              .change_start_attempts = 2};
  TimePoint now_ = TimePoint(std::chrono::hours(1));
  TimePoint next_ = TimePoint::max();
  std::vector<Started> started_;
  std::vector<std::string> actions_;
  Fleet fleet_{this, options_};
};

}  // namespace escan
