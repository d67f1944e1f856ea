#pragma once

#include <gtest/gtest.h>
#include <poll.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <initializer_list>
#include <optional>
#include <string>
#include <utility>

#include "supervision/misbehaving_worker.h"
#include "supervision/worker_process.h"

namespace escan {

inline constexpr uint32_t kIncarnation = 9;

// One stage: four bytes in, two floats out.
inline CascadeSpec OneStage() {
  CascadeSpec cascade;
  cascade.name = "bytes";
  cascade.slots = 16;
  cascade.inputs = {
      {.name = "in", .datatype = Datatype::kUint8, .shape = {4}, .range = std::nullopt}};
  StageSpec& stage = cascade.stages.emplace_back();
  stage.name = "only";
  stage.inputs = {{TensorRef::kRequest, 0}};
  stage.outputs = {
      {.name = "out", .datatype = Datatype::kFp32, .shape = {2}, .range = std::nullopt}};
  stage.buckets = {16};
  return cascade;
}

// Starts misbehaving workers on a slab and a cascade of one stage, and waits for what they do.
class WorkerProcessTest : public ::testing::Test {
 protected:
  WorkerProcessTest()
      : cascade_(OneStage()),
        layout_(*SlabLayout::For(cascade_)),
        slab_(*Slab::Create(layout_)),
        spec_{.cascade = cascade_.name,
              .worker = 0,
              .incarnation = kIncarnation,
              .slots = layout_.slots,
              .stride = layout_.stride,
              .credits = 1,
              .threads = 1,
              .cpus = {},
              .stages = WorkerStagesOf(cascade_, layout_, {0})} {}

  WorkerProcess Spawn(const std::string& mode) {
    auto process = WorkerProcess::Spawn(MisbehavingWorker(mode), spec_, slab_);
    EXPECT_TRUE(process.ok()) << process.status();
    return *std::move(process);
  }

  WorkerProcess SpawnReady(const std::string& mode) {
    WorkerProcess process = Spawn(mode);
    AwaitState(process, WorkerState::kReady);
    return process;
  }

  static void WaitReadable(int fd) {
    pollfd waiting{.fd = fd, .events = POLLIN, .revents = 0};
    while (::poll(&waiting, 1, -1) < 0) ASSERT_EQ(errno, EINTR);
  }

  // The next frame or error, however long it takes.
  static absl::StatusOr<FrameSocket::Frame> Receive(const WorkerProcess& process) {
    WaitReadable(process.socket().fd());
    return process.socket().Receive(/*block=*/false);
  }

  static StateFrame AwaitState(const WorkerProcess& process, WorkerState state) {
    while (true) {
      const auto frame = Receive(process);
      if (!frame.ok()) {
        ADD_FAILURE() << "no state " << Name(state) << ": " << frame.status();
        return {};
      }
      const auto* report = std::get_if<StateFrame>(&*frame);
      if (report != nullptr && report->state == state) return *report;
    }
  }

  // Other frames left out.
  static CheckFrame AwaitCheck(const WorkerProcess& process) {
    while (true) {
      const auto frame = Receive(process);
      if (!frame.ok()) {
        ADD_FAILURE() << "no check: " << frame.status();
        return {};
      }
      if (const auto* check = std::get_if<CheckFrame>(&*frame)) return *check;
    }
  }

  // Heartbeats left out.
  static absl::StatusOr<ResultFrame> AwaitResult(const WorkerProcess& process) {
    while (true) {
      const auto frame = Receive(process);
      if (!frame.ok()) return frame.status();
      if (const auto* result = std::get_if<ResultFrame>(&*frame)) return *result;
    }
  }

  static ProcessExit AwaitExit(WorkerProcess& process) {
    WaitReadable(process.pidfd());
    const std::optional<ProcessExit> exit = process.Reap();
    EXPECT_TRUE(exit.has_value());
    return exit.value_or(ProcessExit{});
  }

  // Rows whose first input bytes are `bytes`, in the slots from 3 on.
  void SendBatch(const WorkerProcess& process, std::initializer_list<unsigned char> bytes) {
    BatchFrame batch;
    batch.header.incarnation = kIncarnation;
    batch.sequence = 77;
    batch.threshold = 0.5f;
    for (const unsigned char byte : bytes) {
      const SlotId slot = 3 + batch.rows;
      *slab_.At(slot, layout_.inputs[0]) = std::byte{byte};
      batch.slots[batch.rows++] = slot;
    }
    ASSERT_TRUE(process.socket().Send(batch).ok());
  }

  std::array<float, 2> Output(SlotId slot) const {
    std::array<float, 2> output;
    std::memcpy(output.data(), slab_.At(slot, layout_.outputs[0][0]), sizeof(output));
    return output;
  }

  CascadeSpec cascade_;
  SlabLayout layout_;
  Slab slab_;
  WorkerSpec spec_;
};

}  // namespace escan
