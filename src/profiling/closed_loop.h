#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <vector>

#include "absl/status/status.h"
#include "contracts/mutex.h"
#include "engine/engine.h"
#include "escan/time.h"
#include "profiling/slot_rotation.h"

namespace escan {

// Clients of an engine, each with one request under way: an answer lets the next one go. One that
// finds no free slots waits for others to give theirs back. Used by one thread; answers come on the
// engine's completer threads. The destructor waits for the last ones.
class ClosedLoop {
 public:
  struct Options {
    int clients = 1;
    int rows = 1;  // of a request
    // Writes the inputs of one row. Any thread.
    std::function<void(SlotId slot)> fill;
    bool rotate_slots = false;  // use all of them in turn, not the ones that became free last
  };

  // `engine` outlives this.
  ClosedLoop(Engine* engine, Options options);
  ~ClosedLoop();

  // Blocks until `total` requests have been answered since the start, at most until `deadline`. The
  // first failure of a request is returned from then on.
  absl::Status WaitForAnswers(int64_t total, TimePoint deadline = TimePoint::max())
      ESCAN_EXCLUDES(mutex_);
  // Blocks until `deadline`, under the same conditions.
  absl::Status WaitUntil(TimePoint deadline) ESCAN_EXCLUDES(mutex_);

  int64_t answered() const ESCAN_EXCLUDES(mutex_);
  // From submission to answer, of the requests that were answered since the last call.
  std::vector<Duration> TakeLatencies() ESCAN_EXCLUDES(mutex_);

 private:
  class Client;

  void OnAnswer(Client* client, const Outcome& outcome) ESCAN_EXCLUDES(mutex_);
  // Lets waiting clients send as far as there are free slots.
  void SendWaiting() ESCAN_EXCLUDES(mutex_);
  bool Send(Client* client);
  std::optional<RequestKey> TakeSlots();
  void ReturnSlots(const RequestKey& key);

  Engine* const engine_;
  const Options options_;
  std::optional<SlotRotation> rotation_;  // with options_.rotate_slots
  std::vector<std::unique_ptr<Client>> clients_;
  mutable Mutex mutex_;
  CondVar changed_;
  std::vector<Client*> waiting_ ESCAN_GUARDED_BY(mutex_);  // those with no request under way
  std::vector<Duration> latencies_ ESCAN_GUARDED_BY(mutex_);
  int64_t answered_ ESCAN_GUARDED_BY(mutex_) = 0;
  int64_t wanted_ ESCAN_GUARDED_BY(mutex_) = 0;
  absl::Status failure_ ESCAN_GUARDED_BY(mutex_);
  int answering_ ESCAN_GUARDED_BY(mutex_) = 0;  // threads inside OnAnswer()
  bool stopping_ ESCAN_GUARDED_BY(mutex_) = false;
};

}  // namespace escan
