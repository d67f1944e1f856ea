#include "server/deployment/deployment.h"

#include <pthread.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "server/deployment/configuration_changes.h"
#include "server/inference/inference_server.h"

namespace escan {
namespace {

// To load, warm up and verify large models.
constexpr Duration kLongestStart = std::chrono::minutes(10);
// How often a rollout is judged.
constexpr Duration kLookAgain = std::chrono::milliseconds(500);
constexpr size_t kMostWaiting = 16;

const CascadeConfig* FindCascade(const Config& config, const std::string& name) {
  for (const CascadeConfig& cascade : config.cascades) {
    if (cascade.spec.name == name) return &cascade;
  }
  return nullptr;
}

std::shared_ptr<ServedModel> FindModel(const ModelTable& models, const std::string& name) {
  for (const std::shared_ptr<ServedModel>& model : models) {
    if (model->cascade().name == name) return model;
  }
  return nullptr;
}

size_t MessageLimit(const Config& config) {
  size_t limit = InferenceServer::kRoomForMessages;
  for (const CascadeConfig& cascade : config.cascades) {
    limit = std::max(limit, MaxRequestBytes(cascade.spec));
  }
  return limit;
}

// Plans that operators froze stay frozen, where the cascade is still the same.
void CarryFrozen(const ControlLoop& before, const ModelTable& models,
                 const std::vector<std::string>& unchanged, ControlLoop* loop) {
  for (const std::shared_ptr<ServedModel>& model : models) {
    const std::string& name = model->cascade().name;
    if (std::ranges::find(unchanged, name) == unchanged.end()) continue;
    if (before.mode(name) != ControlLoop::Mode::kFrozen) continue;
    loop->Freeze(name).IgnoreError();  // a plan that is fixed now needs no freezing
  }
}

}  // namespace

Deployment::Deployment(Options options)
    : options_(std::move(options)),
      versions_({.host = options_.host,
                 .devices = options_.first.config.devices,
                 .cache = options_.first.config.cache,
                 .worker_output = options_.worker_output}),
      message_limit_(MessageLimit(options_.first.config)),
      deployed_(options_.first),
      shutdown_(deployed_.config.shutdown) {}

Deployment::~Deployment() {
  Stop();
  if (thread_.joinable()) thread_.join();
}

absl::StatusOr<ModelTable> Deployment::StartFirst() {
  Config config = deployed_.config;
  SetFirstPlans(deployed_.profiles, &config);
  for (const CascadeConfig& cascade : config.cascades) {
    if (absl::Status status = versions_.CheckPrograms(cascade); !status.ok()) return status;
  }
  ModelTable models;
  for (size_t i = 0; i < config.cascades.size(); ++i) {
    const std::string& name = config.cascades[i].spec.name;
    fingerprints_[name] = Fingerprint(deployed_.config.cascades[i]);
    absl::StatusOr<std::shared_ptr<ServedModel>> model = versions_.Start(config.cascades[i]);
    if (!model.ok()) return model.status();
    (*model)->engine->OnUnservable(
        [this, name](const std::string& reason) { options_.on_unservable(name, reason); });
    models.push_back(*std::move(model));
  }
  return models;
}

absl::Status Deployment::Serve(ServerState* state) {
  const absl::StatusOr<std::shared_ptr<const ClientRegistry>> clients =
      ReadClientRegistry(deployed_.config.server, nullptr);
  if (!clients.ok()) return clients.status();
  state_ = state;
  state->SetClients(*clients);
  for (const std::shared_ptr<ServedModel>& model : state->models()) Watch(model);
  thread_ = std::thread([this] { Run(); });
  pthread_setname_np(thread_.native_handle(), "deployment");
  return absl::OkStatus();
}

void Deployment::Begin(CascadeChange change, ChangeDone done) {
  absl::Status refused;
  {
    const MutexLock lock(mutex_);
    if (stopped_) refused = absl::UnavailableError("the daemon is shutting down");
    if (waiting_.size() >= kMostWaiting) {
      refused = absl::ResourceExhaustedError(
          absl::StrCat(kMostWaiting, " changes of the cascades are waiting already"));
    }
    if (refused.ok()) {
      waiting_.push_back({std::move(change), std::move(done)});
      changed_.NotifyAll();
      return;
    }
  }
  done(refused);
}

void Deployment::Stop() {
  std::deque<Waiting> refused;
  {
    const MutexLock lock(mutex_);
    stopped_ = true;
    refused.swap(waiting_);
    for (ModelStart* const start : starting_) start->Cancel();
    changed_.NotifyAll();
  }
  for (const Waiting& waiting : refused) {
    waiting.done(absl::UnavailableError("the daemon is shutting down"));
  }
}

ShutdownConfig Deployment::shutdown() const {
  const MutexLock lock(mutex_);
  return shutdown_;
}

void Deployment::Run() {
  while (true) {
    Waiting next;
    {
      const MutexLock lock(mutex_);
      const TimePoint look = RollsOut() ? Clock::now() + kLookAgain : TimePoint::max();
      while (waiting_.empty() && !stopped_ && Clock::now() < look) {
        changed_.WaitUntil(mutex_, look);
      }
      if (stopped_) return;
      if (!waiting_.empty()) {
        next = std::move(waiting_.front());
        waiting_.pop_front();
      }
    }
    if (next.done != nullptr) next.done(Change(next.change));
    LookAtRollout();
  }
}

absl::StatusOr<ChangeReport> Deployment::Change(const CascadeChange& change) {
  const TimePoint begin = Clock::now();
  if (change.by_client && !deployed_.config.server.model_control) {
    return absl::PermissionDeniedError(
        "clients may not load or unload cascades: server.model_control is false");
  }
  absl::StatusOr<ChangeReport> report = Carry(change);
  if (!report.ok()) {
    spdlog::error("configuration refused reason=\"{}\"", std::string(report.status().message()));
    return report;
  }
  report->took = Clock::now() - begin;
  spdlog::info(
      "configuration in effect added={} replaced={} removed={} unchanged={} seconds={:.2f}",
      absl::StrJoin(report->added, ","), absl::StrJoin(report->replaced, ","),
      absl::StrJoin(report->removed, ","), absl::StrJoin(report->unchanged, ","),
      std::chrono::duration<double>(report->took).count());
  return report;
}

absl::StatusOr<ChangeReport> Deployment::Carry(const CascadeChange& change) {
  using Kind = CascadeChange::Kind;
  switch (change.kind) {
    case Kind::kPromote:
      return EndRollout(change.name, Rollout::State::kPromoted, "an operator promoted it");
    case Kind::kAbort:
      return EndRollout(change.name, Rollout::State::kAborted, "an operator aborted it");
    default:
      break;
  }
  if (RollsOut()) {
    return absl::FailedPreconditionError(
        absl::StrCat("cascade '", state_->rollout()->model(),
                     "' is being rolled out: promote or abort that first"));
  }
  if (change.kind == Kind::kRollout) return StartRollout(change);
  if (change.kind == Kind::kUnload) return Remove(change.name);
  if (options_.read_again == nullptr) {
    return absl::FailedPreconditionError("there is no configuration file");
  }
  absl::StatusOr<Deployed> next = options_.read_again();
  if (!next.ok()) return next.status();
  return Apply(*std::move(next), change);
}

absl::StatusOr<ChangeReport> Deployment::StartRollout(const CascadeChange& change) {
  const absl::StatusOr<std::shared_ptr<ServedModel>> before = state_->Find(change.name);
  if (!before.ok()) return before.status();
  absl::StatusOr<CascadeConfig> cascade = WithModels((*before)->config, change.stage_models);
  if (!cascade.ok()) return cascade.status();
  // It is to take over everything, so it gets what the old one has.
  cascade->plan = (*before)->engine->Status().plan;
  absl::StatusOr<std::shared_ptr<ServedModel>> after = versions_.Start(*cascade);
  if (!after.ok()) return after.status();
  Next prepared;
  prepared.starts.push_back(std::make_unique<ModelStart>(*after));
  if (absl::Status status = WaitFor(&prepared); !status.ok()) return status;
  Watch(*after);
  state_->SetRollout(std::make_shared<Rollout>(*before, *after, change.terms));
  spdlog::info("rollout begun model={} version={} canary={}", change.name, (*after)->version,
               change.terms.canary);
  return ChangeReport{};
}

absl::StatusOr<ChangeReport> Deployment::EndRollout(const std::string& name, Rollout::State state,
                                                    const std::string& reason) {
  const std::shared_ptr<Rollout> rollout = state_->rollout();
  if (!RollsOut() || (!name.empty() && rollout->model() != name)) {
    return absl::FailedPreconditionError(
        name.empty() ? "no cascade is being rolled out"
                     : absl::StrCat("cascade '", name, "' is not being rolled out"));
  }
  const bool promoted = state == Rollout::State::kPromoted;
  if (promoted) Promote(*rollout);
  rollout->End(state, reason);
  spdlog::info("rollout ended model={} version={} promoted={} reason=\"{}\"", rollout->model(),
               rollout->version_after(), promoted, reason);
  ChangeReport report;
  if (promoted) report.replaced.push_back(rollout->model());
  return report;
}

void Deployment::Promote(const Rollout& rollout) {
  const std::shared_ptr<ServedModel> after = rollout.after();
  Deployed next = deployed_;
  next.profiles.erase(rollout.model());  // it is of the old models
  Next prepared{.table = state_->models(), .fingerprints = fingerprints_};
  for (std::shared_ptr<ServedModel>& model : prepared.table) {
    if (model->cascade().name == rollout.model()) {
      model = after;
    } else {
      prepared.report.unchanged.push_back(model->cascade().name);
    }
  }
  CascadeConfig promoted = after->config;
  for (const CascadeConfig& cascade : deployed_.config.cascades) {
    // As the file would say it: with its plan, not with the one in effect.
    if (cascade.spec.name != rollout.model()) continue;
    promoted.plan = cascade.plan;
    promoted.plan_is_auto = cascade.plan_is_auto;
  }
  promoted_[rollout.model()] = Fingerprint(promoted);
  Switch(std::move(next), std::move(prepared));
}

void Deployment::LookAtRollout() {
  if (!RollsOut()) return;
  const std::shared_ptr<Rollout> rollout = state_->rollout();
  const TimePoint now = Clock::now();
  if (const std::optional<std::string> reason = rollout->ReasonToAbort(now)) {
    EndRollout("", Rollout::State::kAborted, *reason).IgnoreError();
  } else if (rollout->OverAt(now)) {
    EndRollout("", Rollout::State::kPromoted, "its time is over and nothing spoke against it")
        .IgnoreError();
  }
}

bool Deployment::RollsOut() const {
  const std::shared_ptr<Rollout> rollout = state_->rollout();
  return rollout != nullptr && rollout->after() != nullptr;
}

absl::StatusOr<ChangeReport> Deployment::Apply(Deployed next, const CascadeChange& change) {
  absl::Status status = CheckTakesNoRestart(deployed_.config, next.config);
  if (!status.ok()) return status;
  const absl::StatusOr<std::shared_ptr<const ClientRegistry>> clients =
      ReadClientRegistry(next.config.server, state_->clients().get());
  if (!clients.ok()) return clients.status();
  Next prepared;
  status = Prepare(next, change, &prepared);
  if (status.ok()) status = WaitFor(&prepared);
  if (!status.ok()) return status;
  ChangeReport report = prepared.report;
  if (change.kind == CascadeChange::Kind::kReload) state_->SetClients(*clients);
  Switch(std::move(next), std::move(prepared));
  return report;
}

absl::Status Deployment::Prepare(const Deployed& next, const CascadeChange& change,
                                 Next* prepared) {
  const bool all = change.kind == CascadeChange::Kind::kReload;
  if (!all && FindCascade(next.config, change.name) == nullptr) {
    return absl::NotFoundError(
        absl::StrCat("the configuration file has no cascade '", change.name, "'"));
  }
  Config planned = next.config;
  SetFirstPlans(next.profiles, &planned);
  const ModelTable served = state_->models();
  prepared->fingerprints = fingerprints_;
  for (size_t i = 0; i < planned.cascades.size(); ++i) {
    const CascadeConfig& cascade = planned.cascades[i];
    const std::string& name = cascade.spec.name;
    const std::shared_ptr<ServedModel> before = FindModel(served, name);
    if (!all && name != change.name) {
      if (before == nullptr) continue;
      prepared->table.push_back(before);
      prepared->report.unchanged.push_back(name);
      continue;
    }
    const std::string fingerprint = Fingerprint(next.config.cascades[i]);
    if (before != nullptr &&
        (fingerprints_[name] == fingerprint || promoted_[name] == fingerprint)) {
      prepared->table.push_back(before);
      prepared->report.unchanged.push_back(name);
      continue;
    }
    if (const size_t bytes = MaxRequestBytes(cascade.spec); bytes > message_limit_) {
      return absl::FailedPreconditionError(absl::StrCat(
          "cascade '", name, "': its requests may have ", bytes, " bytes, and the server takes ",
          message_limit_, " since its start; a restart takes more"));
    }
    if (absl::Status status = versions_.CheckPrograms(cascade); !status.ok()) return status;
    absl::StatusOr<std::shared_ptr<ServedModel>> model = versions_.Start(cascade);
    if (!model.ok()) return model.status();
    prepared->starts.push_back(std::make_unique<ModelStart>(*model));
    prepared->table.push_back(*std::move(model));
    prepared->fingerprints[name] = fingerprint;
    (before == nullptr ? prepared->report.added : prepared->report.replaced).push_back(name);
  }
  for (const std::shared_ptr<ServedModel>& model : served) {
    const std::string& name = model->cascade().name;
    if (FindModel(prepared->table, name) != nullptr) continue;
    // Loading one leaves alone what the file does not have any more.
    if (all) {
      prepared->report.removed.push_back(name);
      prepared->fingerprints.erase(name);
    } else {
      prepared->table.push_back(model);
    }
  }
  return absl::OkStatus();
}

absl::Status Deployment::WaitFor(Next* prepared) {
  {
    const MutexLock lock(mutex_);
    if (stopped_) return absl::UnavailableError("the daemon is shutting down");
    for (const auto& start : prepared->starts) starting_.push_back(start.get());
  }
  const TimePoint deadline = Clock::now() + kLongestStart;
  absl::Status status;
  for (const auto& start : prepared->starts) {
    if (status = start->Wait(deadline); !status.ok()) break;
  }
  const MutexLock lock(mutex_);
  starting_.clear();
  return status;
}

void Deployment::Switch(Deployed next, Next prepared) {
  std::shared_ptr<ControlLoop> before = state_->controller();
  std::shared_ptr<ControlLoop> loop = MakeControlLoop(next.config, next.profiles, prepared.table);
  CarryFrozen(*before, prepared.table, prepared.report.unchanged, loop.get());
  before->Stop();
  state_->SetModels(prepared.table, loop);
  loop->Start();
  for (const auto& start : prepared.starts) {
    Watch(start->model());
    promoted_.erase(start->model()->cascade().name);
  }
  fingerprints_ = std::move(prepared.fingerprints);
  deployed_ = std::move(next);
  {
    const MutexLock lock(mutex_);
    shutdown_ = deployed_.config.shutdown;
  }
  options_.on_change();
}

absl::StatusOr<ChangeReport> Deployment::Remove(const std::string& name) {
  Next next{.table = state_->models(), .fingerprints = fingerprints_};
  if (FindModel(next.table, name) == nullptr) return state_->Find(name).status();
  std::erase_if(next.table, [&](const auto& model) { return model->cascade().name == name; });
  next.fingerprints.erase(name);
  next.report.removed.push_back(name);
  for (const std::shared_ptr<ServedModel>& model : next.table) {
    next.report.unchanged.push_back(model->cascade().name);
  }
  ChangeReport report = next.report;
  Switch(deployed_, std::move(next));
  return report;
}

void Deployment::Watch(const std::shared_ptr<ServedModel>& model) {
  Engine* const engine = model->engine.get();
  engine->OnReadyChange([this](bool) { options_.on_change(); });
  engine->OnDeviceFault([this, engine](int device) {
    for (const std::shared_ptr<ServedModel>& other : Living()) {
      if (other->engine.get() != engine) other->engine->DeviceFaulted(device);
    }
  });
  options_.on_change();
}

}  // namespace escan
