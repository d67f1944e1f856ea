#include <gtest/gtest.h>
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>

#include <cstdio>
#include <optional>
#include <string>
#include <vector>

#include "ipc/worker_spec.h"
#include "supervision/worker_process.h"
#include "worker/loop/cascade_in_slab.h"
#include "worker/loop/daemon_end.h"

// The program as the daemon starts it; ESCAN_WORKER_PROGRAM is its path.
namespace escan {
namespace {

CascadeSpec NullCascade() {
  CascadeSpec cascade;
  cascade.name = "nothing";
  cascade.inputs = {{.name = "x", .datatype = Datatype::kUint8, .shape = {4}}};
  cascade.stages = {NullStage("only", {{.name = "p", .shape = {3}}})};
  return cascade;
}

class WorkerProgram : public testing::Test {
 protected:
  void Start(const WorkerSpec& spec, const Slab* probes = nullptr) {
    absl::StatusOr<WorkerProcess> process =
        WorkerProcess::Spawn({.program = ESCAN_WORKER_PROGRAM}, spec, bench_.slab(), probes);
    ASSERT_TRUE(process.ok()) << process.status();
    process_.emplace(*std::move(process));
  }

  // The next frame of this kind; nullopt when the worker is gone.
  template <typename FrameT>
  std::optional<FrameT> Next() {
    return NextFrame<FrameT>(process_->socket());
  }
  std::optional<StateFrame> NextState(WorkerState state) {
    return NextStateFrame(process_->socket(), state);
  }

  ProcessExit WaitForExit() {
    pollfd descriptor = {.fd = process_->pidfd(), .events = POLLIN, .revents = 0};
    ::poll(&descriptor, 1, /*timeout=*/-1);
    return process_->Reap().value();
  }

  CascadeInSlab bench_{NullCascade()};
  WorkerSpec spec_ = bench_.Spec();
  std::optional<WorkerProcess> process_;
};

TEST_F(WorkerProgram, AnswersABatchAndEndsWhenTold) {
  Start(spec_);
  ASSERT_TRUE(NextState(WorkerState::kReady).has_value());
  bench_.SetOutput<float>(3, 0, 0, {1, 2, 3});
  BatchFrame batch;
  batch.header.incarnation = spec_.incarnation;
  batch.sequence = 42;
  batch.rows = 1;
  batch.slots[0] = 3;
  ASSERT_TRUE(process_->socket().Send(batch).ok());
  const std::optional<ResultFrame> result = Next<ResultFrame>();
  ASSERT_TRUE(result.has_value());
  EXPECT_EQ(result->sequence, 42u);
  EXPECT_EQ(bench_.Output<float>(3, 0, 0), (std::vector<float>{0, 0, 0}));
  ASSERT_TRUE(process_->socket().Send(StopFrame{}).ok());
  EXPECT_EQ(WaitForExit().ToString(), "exit status 0");
}

TEST_F(WorkerProgram, IgnoresTheSignalsOfATerminal) {
  Start(spec_);
  ASSERT_TRUE(NextState(WorkerState::kReady).has_value());
  for (const int signal : {SIGINT, SIGTERM, SIGHUP}) ASSERT_EQ(::kill(process_->pid(), signal), 0);
  ASSERT_TRUE(process_->socket().Send(StopFrame{}).ok());
  EXPECT_EQ(WaitForExit().ToString(), "exit status 0");
}

TEST_F(WorkerProgram, SendsHeartbeatsWhenReady) {
  Start(spec_);
  ASSERT_TRUE(NextState(WorkerState::kReady).has_value());
  EXPECT_TRUE(NextState(WorkerState::kReady).has_value());
}

TEST_F(WorkerProgram, TakesUpProbesThatItIsGiven) {
  SlabLayout layout = *SlabLayout::For(bench_.cascade());
  layout.slots = spec_.probes = 3;
  const Slab probes = *Slab::Create(layout);
  Start(spec_, &probes);
  EXPECT_TRUE(NextState(WorkerState::kReady).has_value());
}

TEST_F(WorkerProgram, EndsWhenTheProbesThatItIsToldOfAreNotThere) {
  spec_.probes = 3;
  Start(spec_);
  EXPECT_EQ(WaitForExit().ToString(), "exit status 2");
}

TEST_F(WorkerProgram, FailsWithAReasonWhenItCannotRunOnItsCpus) {
  spec_.cpus = {100000};
  Start(spec_);
  const std::optional<StateFrame> failed = NextState(WorkerState::kFailed);
  ASSERT_TRUE(failed.has_value());
  EXPECT_EQ(std::string(failed->message.data()).rfind("cannot run on CPUs 100000", 0), 0u)
      << failed->message.data();
  EXPECT_EQ(WaitForExit().ToString(), "exit status 1");
}

TEST_F(WorkerProgram, FailsWithAReasonWhenAModelCannotBeServed) {
  spec_.stages[0].executor = ExecutorKind::kTorchScript;
  spec_.stages[0].model = "/nonexistent/model.pt";
  Start(spec_);
  const std::optional<StateFrame> failed = NextState(WorkerState::kFailed);
  ASSERT_TRUE(failed.has_value());
  EXPECT_EQ(std::string(failed->message.data()).rfind("stage 'only' (/nonexistent/model.pt): ", 0),
            0u)
      << failed->message.data();
  EXPECT_EQ(WaitForExit().ToString(), "exit status 3");
}

TEST_F(WorkerProgram, FailsWithAReasonWhenItIsToUseAGpu) {
  spec_.stages[0].executor = ExecutorKind::kTorchScript;
  spec_.gpu = "GPU-1";
  Start(spec_);
  const std::optional<StateFrame> failed = NextState(WorkerState::kFailed);
  ASSERT_TRUE(failed.has_value());
  EXPECT_STREQ(failed->message.data(),
               "stage 'only' (): this program runs stages on the CPU only; escan-worker-cuda runs "
               "them on GPU-1");
  EXPECT_EQ(failed->device_fault, 0u);
  EXPECT_EQ(WaitForExit().ToString(), "exit status 1");
}

TEST_F(WorkerProgram, EndsWhenTheDaemonIsGone) {
  Start(spec_);
  ASSERT_TRUE(NextState(WorkerState::kReady).has_value());
  ASSERT_EQ(::shutdown(process_->socket().fd(), SHUT_RDWR), 0);
  EXPECT_EQ(WaitForExit().ToString(), "exit status 1");
}

TEST(WorkerProgramByHand, SaysThatItIsStartedByTheDaemon) {
  const std::string command = std::string(ESCAN_WORKER_PROGRAM) + " 2>&1 3>&- 4>&- 5>&-";
  FILE* pipe = ::popen(command.c_str(), "r");
  ASSERT_NE(pipe, nullptr);
  std::string text;
  for (int c = std::fgetc(pipe); c != EOF; c = std::fgetc(pipe)) text += static_cast<char>(c);
  const int status = ::pclose(pipe);
  EXPECT_EQ(WEXITSTATUS(status), 2);
  EXPECT_NE(text.find("started by escand"), std::string::npos) << text;
}

}  // namespace
}  // namespace escan
