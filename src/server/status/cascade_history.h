#pragma once

#include <cstdint>
#include <deque>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "engine/engine.h"
#include "escan/cascade.h"
#include "server/protocol/request_counters.h"

namespace escan {

// What happened to a cascade, for people.
struct StatusEvent {
  TimePoint time;
  bool bad = false;
  std::string text;
};

// How a cascade did in the last minutes, and what happened to it, from readings that are taken
// every few seconds. Bounded. Not thread-safe.
class CascadeHistory {
 public:
  static constexpr size_t kPoints = 150;
  static constexpr size_t kEvents = 50;

  explicit CascadeHistory(const CascadeSpec& cascade) : cascade_(cascade) {}

  // What is read at one moment; `not_ready` is the reason, empty: it is ready.
  void Add(TimePoint now, const RequestCounters::Snapshot& requests, const EngineStatus& status,
           const std::string& not_ready);

  // Rates and latencies between two readings each, oldest first, as arrays of one length: age_s,
  // requests_per_second, failed_per_second, p50_ms, p99_ms (null: nothing was answered), and for
  // each stage samples_per_second, exits_per_second and queued.
  nlohmann::ordered_json ToJson(TimePoint now) const;
  const std::deque<StatusEvent>& events() const { return events_; }  // oldest first

 private:
  struct StagePoint {
    double samples_per_second = 0;
    double exits_per_second = 0;
    int queued = 0;
  };
  struct Point {
    TimePoint time;
    double requests_per_second = 0;
    double failed_per_second = 0;
    std::optional<double> p50;  // seconds
    std::optional<double> p99;
    std::vector<StagePoint> stages;
  };
  struct Reading {
    TimePoint time;
    RequestCounters::Snapshot requests;
    EngineStatus status;
    std::string not_ready;
  };

  void AddPoint(const Reading& before, const Reading& now);
  void AddEvents(const Reading& before, const Reading& now);
  void AddWorkerEvents(const Reading& before, const Reading& now);
  void AddEvent(TimePoint time, bool bad, std::string text);

  CascadeSpec cascade_;
  std::optional<Reading> latest_;
  std::deque<Point> points_;
  std::deque<StatusEvent> events_;
};

}  // namespace escan
