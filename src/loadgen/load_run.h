#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <thread>
#include <variant>
#include <vector>

#include "absl/types/span.h"
#include "contracts/mutex.h"
#include "escan/time.h"
#include "loadgen/difficulties.h"
#include "loadgen/exit_schedule.h"
#include "loadgen/latency.h"
#include "loadgen/tally.h"
#include "loadgen/transport.h"
#include "loadgen/workload.h"
#include "traffic/arrivals.h"

namespace escan::loadgen {

// Requests come at times fixed beforehand, whatever the server does.
struct OpenLoop {
  Arrivals arrivals = Arrivals::kPoisson;
  double rate = 0;  // requests per second
  uint64_t seed = 1;
  int64_t max_outstanding = 0;  // requests; one that is due while so many wait is not sent
  Duration max_lateness{};      // a request that is due for longer is not sent
};

// A fixed number of requests is under way; each answer lets the next one go.
struct ClosedLoop {
  int concurrency = 1;
};

using Pace = std::variant<OpenLoop, ClosedLoop>;

// Requests of an open loop that were due in the measurement and not sent.
struct NotSent {
  int64_t outstanding = 0;  // too many were waiting for their answers
  int64_t late = 0;         // the generator was too far behind
};

// What a run measured. Everything but how it ended excludes the warm-up.
struct Outcome {
  Tally tally;
  NotSent not_sent;
  std::vector<Duration> lateness;  // actual minus scheduled sending; open loop only
  Duration schedule_span{};        // over which the requests were to be sent
  Duration elapsed{};              // up to the last answer, at least schedule_span
  Duration cpu{};                  // of this process
  bool interrupted = false;
  bool gave_up = false;  // its limit of misses was reached
};

// Everything so far, the warm-up included but for `not_sent`.
struct RunProgress {
  Duration elapsed{};
  int64_t answered = 0;  // failures included
  int64_t failed = 0;
  int64_t in_flight = 0;
  int64_t not_sent = 0;
  Duration p99{};  // of successes; within 13 %
};

// What answers are held against; each may be missing. Outlives the run.
struct Expectations {
  absl::Span<const int64_t> labels;  // one class a sample
  const RightAnswers* answers = nullptr;
  const Difficulties* difficulties = nullptr;  // those that the transport sends
};

// One run of load against a transport. Latency counts from the time at which a request was due: in
// an open loop the scheduled one. An open loop has as many sending threads of its own as the
// transport has lanes, because to send a large request takes a while; a closed one sends from the
// transport's threads.
//
// Owned by main, used by one thread. Start() once; Finish() after WaitUntil() said true, and only
// then the end of its life.
class LoadRun : private AnswerListener {
 public:
  // `transport` outlives this object.
  LoadRun(const RowChunks& chunks, const LoadLimits& limits, const Pace& pace,
          const Expectations& expected, Transport* transport, const ExitSchedule& exits = {});
  ~LoadRun() override;

  LoadRun(const LoadRun&) = delete;
  LoadRun& operator=(const LoadRun&) = delete;

  void Start();

  // No further request is sent; those under way are still answered.
  void Stop();

  // Blocks until all requests are sent and answered (true) or `deadline` passed (false).
  bool WaitUntil(TimePoint deadline);

  RunProgress progress() const;
  Outcome Finish();

 private:
  // What one thread of the transport fills.
  struct alignas(64) Lane {
    Tally tally;
    TimePoint last_answer{};
  };

  // What one sending thread of an open loop fills.
  struct Sender {
    std::thread thread;
    std::vector<Duration> lateness;
  };

  void OnAnswer(int lane, const OutgoingRequest& request, const absl::Status& status,
                const AnswerTensors& tensors) override;
  std::optional<Ticket> Take(Duration at);
  void SendOnSchedule(const OpenLoop& pace, Sender* sender);
  // The next request of the schedule; nullopt when the run is over.
  std::optional<OutgoingRequest> TakeScheduled() ESCAN_EXCLUDES(schedule_mutex_);
  void SendOrRefuse(const OpenLoop& pace, const OutgoingRequest& request, Sender* sender);
  bool SleepUntil(TimePoint due) ESCAN_EXCLUDES(mutex_);
  bool SendNext(int connection);
  void Send(const OutgoingRequest& request);
  AnsweredRequest Describe(const OutgoingRequest& request, Duration latency) const;
  void CountMiss();
  void JoinSenders();
  void Release() ESCAN_EXCLUDES(mutex_);

  const Pace pace_;
  const std::optional<MissLimit> miss_limit_;
  const Expectations expected_;
  Transport* const transport_;
  Workload workload_;
  TimePoint start_{};
  std::vector<std::unique_ptr<Lane>> lanes_;

  // Written by the thread that takes the first measured request.
  std::atomic<int64_t> cpu_at_start_ns_{0};

  // Requests under way, and one for each thread that may still send; the run is over at 0.
  std::atomic<int64_t> active_{1};
  std::atomic<int64_t> in_flight_{0};
  std::atomic<int64_t> answered_{0};
  std::atomic<int64_t> failed_{0};
  std::atomic<int64_t> misses_{0};
  std::atomic<bool> gave_up_{false};
  LatencyHistogram histogram_;

  std::atomic<int64_t> not_sent_outstanding_{0};
  std::atomic<int64_t> not_sent_late_{0};

  Mutex schedule_mutex_;
  std::optional<ArrivalSchedule> schedule_ ESCAN_GUARDED_BY(schedule_mutex_);
  int next_connection_ ESCAN_GUARDED_BY(schedule_mutex_) = 0;

  Mutex mutex_;
  CondVar changed_;
  bool stopping_ ESCAN_GUARDED_BY(mutex_) = false;
  bool over_ ESCAN_GUARDED_BY(mutex_) = false;

  std::vector<std::unique_ptr<Sender>> senders_;
};

}  // namespace escan::loadgen
