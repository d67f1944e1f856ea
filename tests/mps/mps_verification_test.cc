#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "mps/mps_worker_host_fixture.h"

namespace escan {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

// Whether a worker has its share of the GPU.
class MpsVerificationTest : public MpsWorkerHostTest {};

TEST_F(MpsVerificationTest, AcceptsAListedClientWithItsShare) {
  Start(Mode::kManaged);
  const WorkerProcess process = SpawnReady("good");
  folder_.SetClients({1, process.pid()});
  const absl::Status status = Verify(process, OnGpu(30), 38).get();
  EXPECT_TRUE(status.ok()) << status;
}

TEST_F(MpsVerificationTest, WaitsForTheListOfClients) {
  times_.listing = std::chrono::seconds(60);
  Start(Mode::kManaged);
  const WorkerProcess process = SpawnReady("good");
  folder_.SetClients({1});
  auto verified = Verify(process, OnGpu(), 132);
  Await([&] {
    for (const std::string& command : folder_.Commands()) {
      if (command.starts_with("get_client_list")) return true;
    }
    return false;
  });
  folder_.SetClients({1, process.pid()});
  EXPECT_TRUE(verified.get().ok());
}

TEST_F(MpsVerificationTest, RefusesAWorkerWithoutMps) {
  Start(Mode::kManaged);
  const WorkerProcess process = SpawnReady("good");
  folder_.SetClients({1, 2});
  for (const auto& [percent, seen] : {std::pair{100, 132}, {50, 66}}) {
    const absl::Status status = Verify(process, OnGpu(percent), seen).get();
    EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
    EXPECT_EQ(Text(status), "process " + std::to_string(process.pid()) +
                                " is no client of the MPS control daemon in " +
                                folder_.directories().pipe.string() +
                                " (its clients: 1,2): the worker runs without MPS");
  }
}

TEST_F(MpsVerificationTest, RefusesAWorkerWithAnotherShare) {
  Start(Mode::kManaged);
  const WorkerProcess process = SpawnReady("good");
  folder_.SetClients({process.pid()});
  EXPECT_THAT(Text(Verify(process, OnGpu(50), 132).get()),
              AllOf(HasSubstr("sees 132 of the GPU's 132 multiprocessors, expected about 66"),
                    HasSubstr("runs without MPS")));
  EXPECT_THAT(Text(Verify(process, OnGpu(50), 38).get()), HasSubstr("sees 38 of the GPU's 132"));
  EXPECT_EQ(Text(Verify(process, OnGpu(50), 0).get()), "the worker does not see its GPU");
}

TEST_F(MpsVerificationTest, AcceptsAShareThatAnotherContainersDaemonCannotList) {
  const ChildProcess daemon = folder_.StartDaemon();
  Start(Mode::kExternal);
  const WorkerProcess process = SpawnReady("good");
  folder_.SetClients({7});
  EXPECT_TRUE(Verify(process, OnGpu(50), 66).get().ok());
  EXPECT_THAT(Text(Verify(process, OnGpu(100), 132).get()), HasSubstr("runs without MPS"));
  folder_.SetClients({});
  EXPECT_THAT(Text(Verify(process, OnGpu(50), 66).get()), HasSubstr("(its clients: none)"));
}

TEST_F(MpsVerificationTest, RequiresAnExternalDaemonToListAllOnceItListsOne) {
  const ChildProcess daemon = folder_.StartDaemon();
  Start(Mode::kExternal);
  const WorkerProcess listed = SpawnReady("good");
  const WorkerProcess unlisted = SpawnReady("good");
  folder_.SetClients({listed.pid()});
  EXPECT_TRUE(Verify(listed, OnGpu(50), 66).get().ok());
  EXPECT_THAT(Text(Verify(unlisted, OnGpu(50), 66).get()), HasSubstr("runs without MPS"));
}

TEST_F(MpsVerificationTest, ExpectsTheWholeGpuWithoutMps) {
  Start(Mode::kOff);
  const WorkerProcess process = SpawnReady("good");
  EXPECT_TRUE(Verify(process, OnGpu(), 132).get().ok());
  EXPECT_THAT(Text(Verify(process, OnGpu(), 66).get()),
              AllOf(HasSubstr("sees 66 of the GPU's 132"), HasSubstr("although MPS is off")));
  EXPECT_TRUE(Verify(process, OnCpu(), 0).get().ok());
}

TEST_F(MpsVerificationTest, CannotVerifyWithoutADaemon) {
  Start(Mode::kManaged);
  const WorkerProcess process = SpawnReady("good");
  folder_.SetMode("fail");
  ::kill(DaemonPid(), SIGKILL);
  Await([&] { return !host_->Status().running; });
  EXPECT_EQ(Verify(process, OnGpu(), 132).get().code(), absl::StatusCode::kUnavailable);
}

TEST_F(MpsVerificationTest, AnswersEveryVerificationWhenItIsDestroyed) {
  times_.listing = std::chrono::seconds(60);
  Start(Mode::kManaged);
  const WorkerProcess process = SpawnReady("good");
  std::vector<std::future<absl::Status>> verified;
  for (int i = 0; i < 3; ++i) verified.push_back(Verify(process, OnGpu(), 132));
  host_.reset();
  for (auto& status : verified) EXPECT_EQ(status.get().code(), absl::StatusCode::kCancelled);
}

}  // namespace
}  // namespace escan
