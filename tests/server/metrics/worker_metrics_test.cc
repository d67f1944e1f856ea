#include "server/metrics/worker_metrics.h"

#include <prometheus/text_serializer.h>

#include <algorithm>
#include <string>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "server/admin/worker_state.h"

namespace escan {
namespace {

using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

EngineStatus::Worker Starting(WorkerState reported) {
  EngineStatus::Worker worker{.reported = reported};
  worker.member.state = FleetState::kStarting;
  return worker;
}

EngineStatus::Worker OnGpu(WorkerId id, int multiprocessors, size_t memory) {
  EngineStatus::Worker worker{.multiprocessors = multiprocessors, .device_memory = memory};
  worker.member.id = id;
  worker.member.role.device = 1;
  worker.member.state = FleetState::kReady;
  return worker;
}

std::string WorkersPage(const std::vector<ModelWorkers>& models) {
  MetricFamilies families;
  AddWorkerMetrics(models, &families);
  return prometheus::TextSerializer().Serialize(families.Take());
}

std::string MpsPage(const MpsReport& mps) {
  MetricFamilies families;
  AddMpsMetrics(mps, &families);
  return prometheus::TextSerializer().Serialize(families.Take());
}

TEST(WorkerState, OfAStartingProcessIsItsOwnWord) {
  EXPECT_EQ(StateName(Starting(WorkerState::kLoading)), "loading");
  EXPECT_EQ(StateName(Starting(WorkerState::kCapturing)), "capturing");
  EXPECT_EQ(StateName(Starting(WorkerState::kReady)), "verifying");
  EngineStatus::Worker worker = Starting(WorkerState::kReady);
  worker.member.state = FleetState::kReady;
  EXPECT_EQ(StateName(worker), "ready");
  worker.member.state = FleetState::kWaiting;
  EXPECT_EQ(StateName(worker), "waiting");
}

TEST(WorkerState, EveryNameIsListed) {
  const auto listed = [](std::string_view name) {
    return std::find(kWorkerStateNames.begin(), kWorkerStateNames.end(), name) !=
           kWorkerStateNames.end();
  };
  for (const WorkerState state :
       {WorkerState::kStarting, WorkerState::kLoading, WorkerState::kWarming,
        WorkerState::kCapturing, WorkerState::kReady, WorkerState::kFailed}) {
    EXPECT_TRUE(listed(StateName(Starting(state)))) << StateName(Starting(state));
  }
  for (const FleetState state : {FleetState::kStarting, FleetState::kReady, FleetState::kDraining,
                                 FleetState::kStopping, FleetState::kWaiting}) {
    EXPECT_TRUE(listed(Name(state))) << Name(state);
  }
}

TEST(WorkerMetrics, WorkersAreCountedByState) {
  const std::string page =
      WorkersPage({{"a", {Starting(WorkerState::kCapturing), Starting(WorkerState::kCapturing)}},
                   {"b", {Starting(WorkerState::kLoading)}}});
  EXPECT_THAT(page, HasSubstr("escan_workers{model=\"a\",state=\"capturing\"} 2\n"));
  EXPECT_THAT(page, HasSubstr("escan_workers{model=\"a\",state=\"ready\"} 0\n"));
  EXPECT_THAT(page, HasSubstr("escan_workers{model=\"b\",state=\"loading\"} 1\n"));
}

TEST(WorkerMetrics, WorkersOnAGpuSayWhatTheyTake) {
  EngineStatus::Worker on_cpu = OnGpu(5, 0, 0);
  const std::string page = WorkersPage({{"a", {OnGpu(3, 38, size_t{3} << 30), on_cpu}}});
  EXPECT_THAT(page, HasSubstr("escan_worker_multiprocessors{model=\"a\",worker=\"3\","
                              "device=\"1\"} 38\n"));
  EXPECT_THAT(page, HasSubstr("escan_worker_device_memory_bytes{model=\"a\",worker=\"3\","
                              "device=\"1\"} 3221225472\n"));
  EXPECT_THAT(page, Not(HasSubstr("worker=\"5\"")));
}

TEST(WorkerMetrics, WithoutGpusThereIsNothingAboutThem) {
  const std::string page = WorkersPage({{"a", {Starting(WorkerState::kWarming)}}});
  EXPECT_THAT(page, Not(HasSubstr("escan_worker_")));
}

TEST(MpsMetrics, SayWhetherItRunsAndHowOftenItWasRestarted) {
  const std::string page = MpsPage({.running = true, .restarts = 2});
  EXPECT_THAT(page, HasSubstr("\nescan_mps_up 1\n"));
  EXPECT_THAT(page, HasSubstr("\nescan_mps_restarts_total 2\n"));
  EXPECT_THAT(MpsPage({.mode = MpsConfig::Mode::kExternal}), HasSubstr("\nescan_mps_up 0\n"));
  EXPECT_THAT(MpsPage({.mode = MpsConfig::Mode::kOff}), IsEmpty());
}

}  // namespace
}  // namespace escan
