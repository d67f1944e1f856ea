#include "server/daemon/automatic_plans.h"

#include <grpcpp/grpcpp.h>

#include <string>
#include <vector>

#include "allocation/flat_profile.h"
#include "allocation/worker_count.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "server/test_daemon.h"

namespace escan {
namespace {

using testing::HasSubstr;

// Two shares; steps do not depend on them, and many workers fit the device.
Profile TwoShares() {
  Profile profile =
      FlatProfile({{.step = Seconds(1e-3), .device = 0.1}, {.step = Seconds(4e-3), .device = 0.1}});
  profile.thread_percents = {50, 100};
  for (StageCosts& stage : profile.stages) {
    stage.step.push_back(stage.step.front());
    stage.steady_step.push_back(stage.steady_step.front());
    stage.device_time.push_back(stage.device_time.front());
  }
  // For three workers, one of them to replace another.
  profile.context_bytes = 1000;
  profile.device_memory_bytes = 3400;
  return profile;
}

Config AutomaticConfig(const TemporaryFolder& folder) {
  Config config = TestConfig(folder);
  config.cascades.front().plan_is_auto = true;
  return config;
}

TEST(FirstPlans, AreTheBestOnesForWhatIsKnown) {
  const TemporaryFolder folder;
  Config config = AutomaticConfig(folder);
  SetFirstPlans({{"test", TwoShares()}}, &config);
  EXPECT_EQ(WorkerCount(config.cascades.front().plan), 2);
}

TEST(FirstPlans, LeaveWhatWasChosenOrHasNoProfile) {
  const TemporaryFolder folder;
  Config config = TestConfig(folder);
  const Plan chosen = config.cascades.front().plan;
  SetFirstPlans({{"test", TwoShares()}}, &config);
  EXPECT_EQ(config.cascades.front().plan, chosen);
  config.cascades.front().plan_is_auto = true;
  SetFirstPlans({}, &config);
  EXPECT_EQ(config.cascades.front().plan, chosen);
  Profile small = TwoShares();
  small.device_memory_bytes = 1;
  SetFirstPlans({{"test", small}}, &config);
  EXPECT_EQ(config.cascades.front().plan, chosen) << "no plan fits";
}

TEST(FirstPlans, OfSeveralCascadesHaveEqualPartsOfTheDevice) {
  const TemporaryFolder folder;
  Config config = AutomaticConfig(folder);
  config.cascades.push_back(config.cascades.front());
  config.cascades.back().spec.name = "other";
  Profile roomy = TwoShares();
  roomy.device_memory_bytes = 0;  // no bound
  SetFirstPlans({{"test", roomy}}, &config);
  EXPECT_GT(WorkerCount(config.cascades.front().plan), 6) << "the other's plan is a fixed one";
  SetFirstPlans({{"test", roomy}, {"other", roomy}}, &config);
  EXPECT_LE(WorkerCount(config.cascades.front().plan), 6);
  EXPECT_LE(WorkerCount(config.cascades.back().plan), 6);
}

TEST(FirstPlans, HaveWholeGpusOnlyWithoutMps) {
  const TemporaryFolder folder;
  Config config = AutomaticConfig(folder);
  config.devices = {{.kind = Device::Kind::kGpu, .name = "H100"}};
  config.mps.mode = MpsConfig::Mode::kOff;
  SetFirstPlans({{"test", TwoShares()}}, &config);
  for (const WorkerGroup& group : config.cascades.front().plan.workers) {
    EXPECT_EQ(group.thread_percent, 100);
  }
}

TEST(FirstPlans, UseTheDevicesThatAreEqual) {
  const TemporaryFolder folder;
  Config config = AutomaticConfig(folder);
  const Device gpu{.kind = Device::Kind::kGpu, .name = "H100"};
  config.devices = {gpu, gpu, Device{}};
  SetFirstPlans({{"test", TwoShares()}}, &config);
  std::vector<int> workers(3);
  for (const WorkerGroup& group : config.cascades.front().plan.workers) {
    workers[static_cast<size_t>(group.device)] += group.count;
  }
  EXPECT_GT(workers[0], 0);
  EXPECT_EQ(workers, std::vector<int>({workers[0], workers[0], 0}));
}

class AutomaticPlan : public testing::Test {
 protected:
  grpc::Status Freeze() {
    grpc::ClientContext context;
    v1::FreezePlanResponse response;
    return daemon_.admin().FreezePlan(&context, {}, &response);
  }
  grpc::Status Thaw() {
    grpc::ClientContext context;
    v1::ThawPlanResponse response;
    return daemon_.admin().ThawPlan(&context, {}, &response);
  }
  v1::SetPlanResponse SetPlan(const std::string& yaml) {
    grpc::ClientContext context;
    v1::SetPlanRequest request;
    request.set_plan_yaml(yaml);
    v1::SetPlanResponse response;
    const grpc::Status status = daemon_.admin().SetPlan(&context, request, &response);
    EXPECT_TRUE(status.ok()) << status.error_message();
    return response;
  }
  v1::GetPlanHistoryResponse History() {
    grpc::ClientContext context;
    v1::GetPlanHistoryResponse response;
    EXPECT_TRUE(daemon_.admin().GetPlanHistory(&context, {}, &response).ok());
    return response;
  }

  const TemporaryFolder folder_;
  TestDaemon daemon_{AutomaticConfig(folder_), "good", {{"test", TwoShares()}}};
};

TEST_F(AutomaticPlan, IsPlannedAnewOnceThereAreEstimates) {
  daemon_.WaitReady();
  EXPECT_EQ(daemon_.Status().plan_mode(), "auto");
  EXPECT_EQ(daemon_.Status().workers_size(), 2);
  EXPECT_EQ(History().decisions_size(), 0);
  const std::vector<uint8_t> rows = {200, 200, 200, 3, 200, 200, 200, 3};
  daemon_.WaitFor([&](const v1::CascadeStatus&) {
    EXPECT_TRUE(daemon_.Infer(TestRequest(rows)).ok());
    return History().decisions_size() > 0;
  });
  const v1::PlanDecision decision = History().decisions(0);
  EXPECT_EQ(decision.trigger(), "first_estimates");
  EXPECT_DOUBLE_EQ(decision.exit_ratios(0), 0.75);
  EXPECT_EQ(decision.rows_per_request(), 8u);
  EXPECT_GT(decision.before().capacity(), 0);
  EXPECT_GT(decision.after().capacity(), 0);
}

TEST_F(AutomaticPlan, IsFrozenAndThawed) {
  ASSERT_TRUE(Freeze().ok());
  EXPECT_EQ(daemon_.Status().plan_mode(), "frozen");
  ASSERT_TRUE(Thaw().ok());
  EXPECT_EQ(daemon_.Status().plan_mode(), "auto");
}

TEST_F(AutomaticPlan, IsFrozenByOneThatAnOperatorSets) {
  daemon_.WaitReady();
  EXPECT_TRUE(SetPlan("workers: [{stages: [first, second]}]").frozen());
  EXPECT_EQ(daemon_.Status().plan_mode(), "frozen");
  EXPECT_EQ(daemon_.Status().workers_size(), 1);
}

TEST(FixedPlan, CannotBeFrozen) {
  const TemporaryFolder folder;
  TestDaemon daemon(TestConfig(folder), "good");
  EXPECT_EQ(daemon.Status().plan_mode(), "fixed");
  grpc::ClientContext context;
  v1::FreezePlanResponse response;
  const grpc::Status status = daemon.admin().FreezePlan(&context, {}, &response);
  EXPECT_EQ(status.error_code(), grpc::StatusCode::FAILED_PRECONDITION);
  EXPECT_THAT(status.error_message(), HasSubstr("the plan of model 'test' is fixed"));
}

}  // namespace
}  // namespace escan
