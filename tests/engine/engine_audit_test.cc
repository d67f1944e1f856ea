// Exits whose samples also run through the last stage, in an engine with processes.
#include <string>

#include "engine/engine_harness.h"
#include "gtest/gtest.h"

namespace escan {
namespace {

// Two stages that answer a class; a worker for each.
CascadeSpec AuditedCascade() {
  CascadeSpec cascade = TestCascade(2);
  cascade.outputs = {{.name = "class", .datatype = Datatype::kUint8, .shape = {}}};
  for (StageSpec& stage : cascade.stages) {
    stage.outputs = {{.name = "y", .datatype = Datatype::kFp32, .shape = {1}},
                     cascade.outputs.front()};
    stage.answer = {1};
  }
  cascade.audit_every = 1;
  return cascade;
}

Plan WorkerForEachStage() {
  Plan plan = TestPlan(1, 2);
  plan.workers = {{.count = 1, .thread_percent = 50, .stages = {0}},
                  {.count = 1, .thread_percent = 50, .stages = {1}}};
  return plan;
}

AuditCount AuditsAfterSome(EngineHarness& harness) {
  const auto audits = [&] { return harness.engine().Status().stages[0].audits; };
  for (int i = 0; i < 10'000 && audits().audited < 10; ++i) {
    harness.ExpectAnswered(*harness.Submit({200}), {200});
  }
  EXPECT_GE(audits().audited, 10u);
  EXPECT_EQ(harness.engine().Status().stages[1].audits, AuditCount{});
  return audits();
}

TEST(EngineAudit, TheLastStageAgreesWithExitsThatAnswerAlike) {
  EngineHarness harness(AuditedCascade(), WorkerForEachStage(), "good");
  harness.WaitReady();
  EXPECT_EQ(AuditsAfterSome(harness).disagreed, 0u);
}

// The worker of the last stage answers another class every second time.
TEST(EngineAudit, CountsTheExitsThatTheLastStageDisagreesWith) {
  EngineHarness harness(AuditedCascade(), WorkerForEachStage(), "wrong-as-worker-1");
  harness.WaitReady();
  const AuditCount audits = AuditsAfterSome(harness);
  EXPECT_EQ(audits.disagreed, audits.audited / 2);
}

TEST(EngineAudit, IsOffWithoutANumber) {
  CascadeSpec cascade = AuditedCascade();
  cascade.audit_every = 0;
  EngineHarness harness(cascade, WorkerForEachStage(), "good");
  harness.WaitReady();
  for (int i = 0; i < 20; ++i) harness.ExpectAnswered(*harness.Submit({200}), {200});
  EXPECT_EQ(harness.engine().Status().stages[0].audits.audited, 0u);
}

}  // namespace
}  // namespace escan
