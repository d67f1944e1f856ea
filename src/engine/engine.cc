#include "engine/engine.h"

#include <pthread.h>

#include <future>

#include "absl/strings/str_cat.h"
#include "engine/arrival_meter.h"
#include "engine/completer.h"
#include "engine/engine_loop.h"
#include "engine/mailbox.h"
#include "engine/model_files.h"
#include "engine/probe_slab.h"
#include "engine/slot_pool.h"

namespace escan {

absl::StatusOr<std::unique_ptr<Engine>> Engine::Start(const CascadeSpec& cascade, const Plan& plan,
                                                      const EngineOptions& options) {
  absl::StatusOr<SlabLayout> layout = SlabLayout::For(cascade);
  if (!layout.ok()) return layout.status();
  absl::StatusOr<Slab> slab = Slab::Create(*layout);
  if (!slab.ok()) return slab.status();
  absl::StatusOr<Slab> probes = MakeProbeSlab(cascade, *layout);
  if (!probes.ok()) return probes.status();
  absl::StatusOr<ModelFiles> models = ModelFiles::Open(cascade);
  if (!models.ok()) return models.status();
  absl::StatusOr<std::unique_ptr<Mailbox>> mailbox = Mailbox::Create();
  if (!mailbox.ok()) return mailbox.status();

  std::unique_ptr<Engine> engine(new Engine(cascade, options, *layout, std::move(*slab),
                                            std::move(*probes), std::move(*models),
                                            std::move(*mailbox)));
  absl::StatusOr<std::unique_ptr<EngineLoop>> loop =
      EngineLoop::Create({.cascade = &engine->cascade_,
                          .options = &engine->options_,
                          .layout = &engine->layout_,
                          .slab = &engine->slab_,
                          .probes = &engine->probes_,
                          .models = engine->models_.get(),
                          .slots = engine->slots_.get(),
                          .mailbox = engine->mailbox_,
                          .completer = engine->completer_.get()},
                         plan);
  if (!loop.ok()) return loop.status();
  engine->loop_ = std::move(*loop);
  engine->thread_ = std::thread([loop = engine->loop_.get()] { loop->Run(); });
  pthread_setname_np(engine->thread_.native_handle(), "scheduler");
  return engine;
}

Engine::Engine(const CascadeSpec& cascade, const EngineOptions& options, const SlabLayout& layout,
               Slab slab, Slab probes, ModelFiles models, std::shared_ptr<Mailbox> mailbox)
    : cascade_(cascade),
      options_(options),
      layout_(layout),
      slab_(std::move(slab)),
      probes_(std::move(probes)),
      models_(std::make_unique<ModelFiles>(std::move(models))),
      slots_(std::make_unique<SlotPool>(static_cast<int>(layout.slots))),
      arrivals_(std::make_unique<ArrivalMeter>()),
      mailbox_(std::move(mailbox)),
      completer_(std::make_unique<Completer>()) {}

Engine::~Engine() { Stop(); }

// --- requests

absl::StatusOr<RequestKey> Engine::Acquire(int rows) {
  const Readiness& readiness = loop_->readiness();
  if (readiness.failed()) return absl::UnavailableError(readiness.reason());
  const std::optional<RequestKey> key = slots_->Acquire(rows);
  arrivals_->Count(rows, !key.has_value());
  if (key.has_value()) return *key;
  return absl::ResourceExhaustedError(
      absl::StrCat("no room for ", rows, rows == 1 ? " row" : " rows", ": of the ", slots_->slots(),
                   " slots of model '", cascade_.name, "', ", slots_->in_use(), " are in use"));
}

SlotId Engine::NextSlot(SlotId slot) const { return slots_->next()[slot]; }

std::byte* Engine::input(SlotId slot, int tensor) const {
  return slab_.At(slot, layout_.inputs[static_cast<size_t>(tensor)]);
}

const std::byte* Engine::output(SlotId slot, int stage, int tensor) const {
  return slab_.At(slot, layout_.outputs[static_cast<size_t>(stage)][static_cast<size_t>(tensor)]);
}

void Engine::Submit(const Admission& admission, Completion* completion) {
  slots_->AddHolder(admission.key);
  if (mailbox_->Post({.kind = Mailbox::RequestEvent::Kind::kSubmit,
                      .admission = admission,
                      .completion = completion})) {
    return;
  }
  slots_->Drop(admission.key);
  std::vector<Completer::Finished> finished;
  finished.push_back({.completion = completion, .outcome = {.code = OutcomeCode::kUnavailable}});
  completer_->Push(finished);
}

void Engine::Cancel(const RequestKey& key) {
  mailbox_->Post({.kind = Mailbox::RequestEvent::Kind::kCancel, .admission = {.key = key}});
}

const SampleAnswer& Engine::answer(SlotId slot) const { return loop_->answer(slot); }

void Engine::Release(const RequestKey& key) { slots_->Drop(key); }

// --- operators

EngineStatus Engine::Status() const {
  EngineStatus status = loop_->status().Read();
  status.slots_in_use = slots_->in_use();
  status.arrivals = arrivals_->Estimate();
  return status;
}

EngineStatus Engine::AwaitStatus() {
  std::promise<void> published;
  const bool posted =
      mailbox_->Post([&] { loop_->AfterPublication([&published] { published.set_value(); }); });
  if (posted) published.get_future().get();
  return Status();
}

bool Engine::ready() const { return loop_->readiness().ready(); }

std::string Engine::not_ready_reason() const { return loop_->readiness().reason(); }

bool Engine::Answers(TimePoint deadline) {
  // The call may come when nobody waits any more.
  const auto answered = std::make_shared<std::promise<void>>();
  if (!mailbox_->Post([answered] { answered->set_value(); })) return true;
  return answered->get_future().wait_until(deadline) == std::future_status::ready;
}

absl::StatusOr<PlanChange> Engine::SetPlan(const Plan& plan) {
  std::promise<absl::StatusOr<PlanChange>> promise;
  const bool posted = mailbox_->Post([&] {
    loop_->SetPlan(plan, [&](const absl::StatusOr<PlanChange>& result) {
      loop_->AfterPublication([&promise, result] { promise.set_value(result); });
    });
  });
  if (!posted) return absl::UnavailableError("the daemon is shutting down");
  return promise.get_future().get();
}

void Engine::RenewWorkers(int device, std::function<void(absl::Status)> done) {
  const bool posted = mailbox_->Post([this, device, done] { loop_->RenewWorkers(device, done); });
  if (!posted) done(absl::UnavailableError("the daemon is shutting down"));
}

void Engine::DeviceFaulted(int device) {
  mailbox_->Post([this, device] { loop_->DeviceFaulted(device); });
}

void Engine::SetThresholds(const std::vector<std::pair<int, float>>& thresholds) {
  std::promise<void> done;
  const bool posted = mailbox_->Post([&] {
    for (const auto& [stage, threshold] : thresholds) loop_->SetThreshold(stage, threshold);
    loop_->AfterPublication([&done] { done.set_value(); });
  });
  if (posted) done.get_future().get();
}

bool Engine::WaitUntilIdle(TimePoint deadline) { return slots_->WaitUntilEmpty(deadline); }

void Engine::Stop() {
  if (!thread_.joinable()) return;
  mailbox_->Post([this] { loop_->Stop(); });
  thread_.join();
}

void Engine::OnReadyChange(std::function<void(bool ready)> callback) {
  mailbox_->Post([this, callback = std::move(callback)] { loop_->OnReadyChange(callback); });
}

void Engine::OnDeviceFault(std::function<void(int device)> callback) {
  mailbox_->Post([this, callback = std::move(callback)] { loop_->OnDeviceFault(callback); });
}

void Engine::OnUnservable(std::function<void(std::string reason)> callback) {
  mailbox_->Post([this, callback = std::move(callback)] { loop_->OnUnservable(callback); });
}

const CascadeSpec& Engine::cascade() const { return cascade_; }

}  // namespace escan
