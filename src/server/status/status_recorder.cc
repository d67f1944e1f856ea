#include "server/status/status_recorder.h"

#include <google/protobuf/util/json_util.h>
#include <pthread.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <utility>

#include "server/admin/decision_status.h"
#include "server/admin/server_status.h"

namespace escan {
namespace {

using nlohmann::ordered_json;

constexpr Duration kPeriod = std::chrono::seconds(2);
// Of the controller's, the latest ones.
constexpr size_t kDecisions = 10;

ordered_json ToJson(const google::protobuf::Message& message) {
  google::protobuf::util::JsonPrintOptions options;
  options.always_print_primitive_fields = true;
  options.preserve_proto_field_names = true;
  std::string text;
  if (!google::protobuf::util::MessageToJsonString(message, &text, options).ok()) return {};
  return ordered_json::parse(text);
}

double Milliseconds(Duration duration) { return Seconds(duration).count() * 1000; }

int64_t WallMilliseconds(TimePoint time, const Moment& now) {
  const Duration date = now.wall.time_since_epoch() - (now.monotonic - time);
  return std::chrono::duration_cast<std::chrono::milliseconds>(date).count();
}

ordered_json Decisions(const std::vector<PlanDecision>& history, const Moment& now) {
  ordered_json decisions = ordered_json::array();
  const size_t first = history.size() - std::min(history.size(), kDecisions);
  for (size_t i = first; i < history.size(); ++i) {
    decisions.push_back(ToJson(Describe(history[i], now)));
  }
  return decisions;
}

ordered_json Events(const CascadeHistory& history, const Moment& now) {
  ordered_json events = ordered_json::array();
  for (const StatusEvent& event : history.events()) {
    events.push_back(
        {{"time_ms", WallMilliseconds(event.time, now)}, {"bad", event.bad}, {"text", event.text}});
  }
  return events;
}

}  // namespace

StatusRecorder::StatusRecorder(const ServerState* state, std::vector<Device> devices)
    : state_(state), devices_(std::move(devices)) {
  for (const std::unique_ptr<ServedModel>& model : state->models()) {
    histories_.emplace_back(model->cascade());
  }
  thread_ = std::thread([this] { Run(); });
  pthread_setname_np(thread_.native_handle(), "status");
}

StatusRecorder::~StatusRecorder() {
  {
    const MutexLock lock(mutex_);
    ended_ = true;
    changed_.NotifyAll();
  }
  thread_.join();
}

void StatusRecorder::Run() {
  TimePoint next = Clock::now();
  while (true) {
    Read(Clock::now());
    next = std::max(next + kPeriod, Clock::now());
    const MutexLock lock(mutex_);
    while (!ended_ && Clock::now() < next) changed_.WaitUntil(mutex_, next);
    if (ended_) return;
  }
}

void StatusRecorder::Read(TimePoint now) {
  for (size_t i = 0; i < state_->models().size(); ++i) {
    const ServedModel& model = *state_->models()[i];
    const EngineStatus status = model.engine->Status();
    const MutexLock lock(mutex_);
    histories_[i].Add(now, model.counters.Read(), status, state_->NotReadyReason(model));
  }
}

std::string StatusRecorder::Json() const {
  const Moment now = {Clock::now(), std::chrono::system_clock::now()};
  ordered_json all = {{"time_ms", WallMilliseconds(now.monotonic, now)},
                      {"status", ToJson(DescribeServer(*state_, devices_, started_))},
                      {"cascades", ordered_json::array()}};
  for (size_t i = 0; i < state_->models().size(); ++i) {
    const ServedModel& model = *state_->models()[i];
    const CascadeSpec& cascade = model.cascade();
    const Plan plan = model.engine->Status().plan;
    ordered_json told = {{"name", cascade.name},
                         {"latency_objective_ms", nullptr},
                         {"not_ready", state_->NotReadyReason(model)},
                         {"plan_yaml", ToYaml(plan, cascade)},
                         {"decisions", Decisions(state_->controller().History(cascade.name), now)}};
    if (cascade.latency_objective.has_value()) {
      told["latency_objective_ms"] = Milliseconds(*cascade.latency_objective);
    }
    const MutexLock lock(mutex_);
    told["history"] = histories_[i].ToJson(now.monotonic);
    told["events"] = Events(histories_[i], now);
    all["cascades"].push_back(std::move(told));
  }
  return all.dump(-1, ' ', false, ordered_json::error_handler_t::replace);
}

}  // namespace escan
