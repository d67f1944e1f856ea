#include "engine/engine_harness.h"

#include <future>
#include <numeric>
#include <thread>

#include "gtest/gtest.h"
#include "supervision/misbehaving_worker.h"

namespace escan {
namespace {

constexpr Duration kPatience = std::chrono::minutes(1);

}  // namespace

CascadeSpec TestCascade(int stages, int slots) {
  CascadeSpec cascade;
  cascade.name = "test";
  cascade.max_rows = 64;
  cascade.deadline = std::chrono::minutes(1);
  cascade.inputs = {{.name = "x", .datatype = Datatype::kUint8, .shape = {4}}};
  cascade.outputs = {{.name = "y", .datatype = Datatype::kFp32, .shape = {1}}};
  cascade.slots = slots;
  for (int i = 0; i < stages; ++i) {
    StageSpec stage;
    stage.name = "stage" + std::to_string(i);
    stage.executor = ExecutorKind::kNull;
    stage.inputs = {{.stage = TensorRef::kRequest, .tensor = 0}};
    stage.outputs = cascade.outputs;
    stage.answer = {0};
    stage.buckets = {1, 4, 16};
    stage.exit = {.score = ExitScore::kOutput, .output = 0, .threshold = 0.5f};
    cascade.stages.push_back(stage);
  }
  return cascade;
}

Plan TestPlan(int workers, int stages, int max_batch) {
  std::vector<int> hosted(static_cast<size_t>(stages));
  std::iota(hosted.begin(), hosted.end(), 0);
  Plan plan;
  plan.workers = {{.count = workers, .thread_percent = 50, .stages = hosted}};
  plan.stages.assign(static_cast<size_t>(stages), {.max_batch = max_batch});
  return plan;
}

void TestCall::OnComplete(const Outcome& outcome) {
  std::lock_guard<std::mutex> lock(mutex_);
  outcome_ = outcome;
  ++completions_;
  condition_.notify_all();
}

const Outcome& TestCall::Wait() {
  std::unique_lock<std::mutex> lock(mutex_);
  EXPECT_TRUE(condition_.wait_for(lock, kPatience, [&] { return completions_ > 0; }))
      << "the request was not answered";
  return outcome_;
}

bool TestCall::done() const { return completions() > 0; }

int TestCall::completions() const {
  std::lock_guard<std::mutex> lock(mutex_);
  return completions_;
}

EngineHarness::EngineHarness(const CascadeSpec& cascade, const Plan& plan, const std::string& mode,
                             const EngineOptions& options) {
  EngineOptions with_worker = options;
  if (with_worker.host == nullptr) {
    with_worker.host = std::make_shared<PlainWorkerHost>(MisbehavingWorker(mode));
  }
  with_worker.devices = {Device{}};
  if (with_worker.cpus.empty()) with_worker.cpus = {0};
  absl::StatusOr<std::unique_ptr<Engine>> engine = Engine::Start(cascade, plan, with_worker);
  if (!engine.ok()) throw std::runtime_error(std::string(engine.status().message()));
  engine_ = std::move(*engine);
}

void EngineHarness::WaitReady() {
  std::promise<void> ready;
  bool reported = false;
  engine_->OnReadyChange([&](bool now_ready) {
    if (now_ready && !std::exchange(reported, true)) ready.set_value();
  });
  ASSERT_EQ(ready.get_future().wait_for(kPatience), std::future_status::ready)
      << "the engine did not become ready";
  engine_->OnReadyChange([](bool) {});
  engine_->AwaitStatus();  // the callback above is replaced when this has been answered
}

void EngineHarness::WaitFor(const std::function<bool(const EngineStatus&)>& condition) {
  const TimePoint give_up = Clock::now() + kPatience;
  while (!condition(engine_->AwaitStatus())) {
    ASSERT_LT(Clock::now(), give_up) << "what the test waits for did not happen";
    std::this_thread::yield();
  }
}

std::unique_ptr<EngineHarness::Request> EngineHarness::Submit(
    const std::vector<uint8_t>& first_bytes, Duration deadline) {
  const absl::StatusOr<RequestKey> key = engine_->Acquire(static_cast<int>(first_bytes.size()));
  if (!key.ok()) return nullptr;
  SlotId slot = key->first_slot;
  for (const uint8_t byte : first_bytes) {
    engine_->input(slot, 0)[0] = static_cast<std::byte>(byte);
    slot = engine_->NextSlot(slot);
  }
  auto request = std::make_unique<Request>();
  request->key = *key;
  request->rows = static_cast<int>(first_bytes.size());
  const TimePoint now = Clock::now();
  engine_->Submit({.key = *key, .rows = request->rows, .arrival = now, .deadline = now + deadline},
                  &request->call);
  return request;
}

std::vector<int> EngineHarness::ExitStages(const Request& request) const {
  std::vector<int> stages;
  for (SlotId slot = request.key.first_slot; slot != kNoSlot; slot = engine_->NextSlot(slot)) {
    stages.push_back(engine_->answer(slot).stage);
  }
  return stages;
}

void EngineHarness::ExpectAnswered(Request& request, const std::vector<uint8_t>& first_bytes) {
  const Outcome& outcome = request.call.Wait();
  EXPECT_EQ(outcome.code, OutcomeCode::kOk) << outcome.message;
  if (outcome.code == OutcomeCode::kOk) {
    const int last = engine_->cascade().stage_count() - 1;
    std::vector<int> expected;
    for (const uint8_t byte : first_bytes) expected.push_back(byte >= 128 ? 0 : last);
    EXPECT_EQ(ExitStages(request), expected);
  }
  engine_->Release(request.key);
}

}  // namespace escan
