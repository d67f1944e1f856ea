#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "engine/engine.h"

namespace escan {

// A cascade of `stages` stages that the misbehaving worker's modes can serve: input UINT8 [4],
// output FP32 [1], the score of a row is its first byte / 255, and every threshold is 0.5.
CascadeSpec TestCascade(int stages, int slots = 256);

// `workers` equal workers that host every stage of TestCascade.
Plan TestPlan(int workers, int stages, int max_batch = 8);

// The end of one request, waited for with Wait().
class TestCall : public Completion {
 public:
  void OnComplete(const Outcome& outcome) override;
  const Outcome& Wait();
  bool done() const;
  int completions() const;

 private:
  mutable std::mutex mutex_;
  std::condition_variable condition_;
  Outcome outcome_;
  int completions_ = 0;
};

// An engine whose workers run escan-misbehaving-worker, unless options.host says otherwise, and
// short ways to ask it.
class EngineHarness {
 public:
  EngineHarness(const CascadeSpec& cascade, const Plan& plan, const std::string& mode,
                const EngineOptions& options = {});

  Engine& engine() { return *engine_; }
  // Ends the test program's patience, not a measurement: a minute.
  void WaitReady();
  void WaitFor(const std::function<bool(const EngineStatus&)>& condition);

  struct Request {
    RequestKey key;
    TestCall call;
    int rows = 0;
  };
  // One request of a row for each first byte. Null when no slots are free.
  std::unique_ptr<Request> Submit(const std::vector<uint8_t>& first_bytes,
                                  Duration deadline = std::chrono::minutes(1));
  // The stage that answered each row, after Wait().
  std::vector<int> ExitStages(const Request& request) const;
  // Waits, checks that all is well and that row n left at the stage that its byte asks for, and
  // releases the slots.
  void ExpectAnswered(Request& request, const std::vector<uint8_t>& first_bytes);

 private:
  std::unique_ptr<Engine> engine_;
};

}  // namespace escan
