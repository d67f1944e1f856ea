#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <deque>
#include <functional>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <variant>
#include <vector>

#include "absl/strings/str_cat.h"
#include "worker/loop/cascade_in_slab.h"
#include "worker/loop/daemon_end.h"
#include "worker/loop/worker_loop.h"

namespace escan {

// Says what it was asked to do; scores a row by its slot.
class RecordingExecutor : public StageExecutor {
 public:
  std::vector<std::string> calls;
  std::vector<float> score_of_slot = std::vector<float>(CascadeInSlab::kSlots, 0.5f);
  std::optional<SlotId> failing_slot;
  std::optional<SlotId> differing_slot;
  std::string failure = "the model threw";
  std::function<void()> on_finish = [] {};
  std::function<void(int fd)> on_await = [](int) {};
  GpuUse use;
  std::vector<BucketCheck> found;
  absl::Status prepare_status;
  absl::Status start_status;
  absl::Status finish_status;

  absl::Status Prepare(const Progress& progress) override {
    progress(0, 2);
    progress(1, 2);
    return prepare_status;
  }

  absl::Status Start(const StageBatch& batch) override {
    const bool compares = batch.purpose == BatchPurpose::kCompare;
    calls.push_back(absl::StrCat(compares ? "compare " : "start ", batch.slots.front()));
    batches_.push_back(batch);
    return start_status;
  }

  void AwaitDoneOrReadable(int fd) override { on_await(fd); }
  GpuUse gpu_use() const override { return use; }
  std::vector<BucketCheck> checks() const override { return found; }

  absl::Status Finish(std::span<RowResult> results, std::string* first_failure) override {
    const StageBatch batch = batches_.front();
    batches_.pop_front();
    calls.push_back(absl::StrCat("finish ", batch.slots.front()));
    on_finish();
    for (size_t row = 0; row < results.size(); ++row) {
      const SlotId slot = batch.slots[row];
      results[row] = {.score = score_of_slot[slot],
                      .failed = slot == failing_slot,
                      .differs = slot == differing_slot};
      if (results[row].failed) *first_failure = failure;
    }
    return finish_status;
  }

 private:
  std::deque<StageBatch> batches_;
};

inline CascadeSpec OneStage() {
  CascadeSpec cascade;
  cascade.inputs = {{.name = "x", .datatype = Datatype::kUint8, .shape = {4}}};
  cascade.stages = {NullStage("only", {{.name = "p", .shape = {3}}})};
  return cascade;
}

// Batches sent before the loop runs all wait in the socket, so what it does is determined.
class WorkerLoopTest : public testing::Test {
 protected:
  WorkerLoopTest() { spec_.credits = 2; }
  ~WorkerLoopTest() override {
    daemon_.Close();
    if (thread_.joinable()) thread_.join();
  }

  void Send(uint64_t sequence, const std::vector<SlotId>& slots, float threshold = 0.5f) {
    BatchFrame frame;
    frame.header.incarnation = spec_.incarnation;
    frame.sequence = sequence;
    frame.rows = static_cast<uint32_t>(slots.size());
    frame.threshold = threshold;
    std::copy(slots.begin(), slots.end(), frame.slots.begin());
    Send(frame);
  }
  void Send(const BatchFrame& frame) { ASSERT_TRUE(daemon_.socket().Send(frame).ok()); }
  void SendStop() { ASSERT_TRUE(daemon_.socket().Send(StopFrame{}).ok()); }

  void StartLoop() {
    thread_ = std::thread([this] {
      outcome_ = loop_.Prepare();
      if (outcome_.ok()) outcome_ = loop_.Serve();
    });
  }
  absl::Status Join() {
    thread_.join();
    return outcome_;
  }
  absl::Status RunToItsEnd() {
    StartLoop();
    return Join();
  }

  // What the loop, which has ended, has told the daemon: states, and the rows of checks, which are
  // kept.
  std::vector<std::string> FramesToTheEnd() {
    std::vector<std::string> names;
    for (;;) {
      const absl::StatusOr<FrameSocket::Frame> frame = daemon_.socket().Receive(/*block=*/false);
      if (!frame.ok()) return names;
      if (const auto* state = std::get_if<StateFrame>(&*frame)) {
        names.emplace_back(Name(state->state));
      } else if (const auto* check = std::get_if<CheckFrame>(&*frame)) {
        names.push_back(absl::StrCat("check ", check->rows));
        checks_.push_back(*check);
      } else {
        return names;
      }
    }
  }

  CascadeInSlab bench_{OneStage()};
  std::vector<CheckFrame> checks_;
  WorkerSpec spec_ = bench_.Spec();
  RecordingExecutor executor_;

 private:
  std::pair<FrameSocket, UniqueFd> pair_ = FrameSocket::Pair().value();

 protected:
  DaemonEnd daemon_{std::move(pair_.first)};
  FrameSocket worker_socket_{std::move(pair_.second)};
  StateReporter reporter_{worker_socket_, spec_.incarnation};
  std::vector<std::string> warnings_;
  ScoreWatch scores_{spec_.stages, bench_.slab(),
                     [this](const std::string& fields) { warnings_.push_back(fields); }};
  WorkerLoop loop_{spec_, worker_socket_, executor_, reporter_, scores_};

 private:
  std::thread thread_;
  absl::Status outcome_;
};

}  // namespace escan
