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
  Read(Clock::now());
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

// What a reload took away is forgotten, and a version that it brought begins anew, as its counters
// do.
void StatusRecorder::Read(TimePoint now) {
  struct Reading {
    std::shared_ptr<ServedModel> model;
    EngineStatus status;
    RequestCounters::Snapshot requests;
    std::string not_ready;
  };
  std::vector<Reading> readings;
  for (const std::shared_ptr<ServedModel>& model : state_->models()) {
    readings.push_back({.model = model,
                        .status = model->engine->Status(),
                        .requests = model->counters.Read(),
                        .not_ready = state_->NotReadyReason(*model)});
  }
  const MutexLock lock(mutex_);
  Histories histories;
  for (const Reading& reading : readings) {
    const Key key = KeyOf(*reading.model);
    auto known = histories_.extract(key);
    CascadeHistory history =
        known.empty() ? CascadeHistory(reading.model->cascade()) : std::move(known.mapped());
    history.Add(now, reading.requests, reading.status, reading.not_ready);
    histories.emplace(key, std::move(history));
  }
  histories_ = std::move(histories);
}

std::string StatusRecorder::Json() const {
  const Moment now = {Clock::now(), std::chrono::system_clock::now()};
  ordered_json all = {{"time_ms", WallMilliseconds(now.monotonic, now)},
                      {"status", ToJson(DescribeServer(*state_, devices_, started_))},
                      {"cascades", ordered_json::array()}};
  const std::shared_ptr<ControlLoop> controller = state_->controller();
  for (const std::shared_ptr<ServedModel>& served : state_->models()) {
    const ServedModel& model = *served;
    const CascadeSpec& cascade = model.cascade();
    const Plan plan = model.engine->Status().plan;
    ordered_json told = {{"name", cascade.name},
                         {"latency_objective_ms", nullptr},
                         {"not_ready", state_->NotReadyReason(model)},
                         {"plan_yaml", ToYaml(plan, cascade)},
                         {"decisions", Decisions(controller->History(cascade.name), now)}};
    if (cascade.latency_objective.has_value()) {
      told["latency_objective_ms"] = Milliseconds(*cascade.latency_objective);
    }
    const MutexLock lock(mutex_);
    const auto history = histories_.find(KeyOf(model));
    if (history == histories_.end()) continue;  // it has come this moment
    told["history"] = history->second.ToJson(now.monotonic);
    told["events"] = Events(history->second, now);
    all["cascades"].push_back(std::move(told));
  }
  return all.dump(-1, ' ', false, ordered_json::error_handler_t::replace);
}

}  // namespace escan
