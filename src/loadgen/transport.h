#pragma once

#include <cstdint>

#include "absl/status/status.h"
#include "escan/time.h"
#include "loadgen/tally.h"
#include "loadgen/workload.h"

namespace escan::loadgen {

// A request on its way: what is sent, and since when it has been due.
struct OutgoingRequest {
  Ticket ticket;
  int connection = 0;
  TimePoint due;
};

// Receives every request's answer exactly once, on a thread of the transport. Answers of one lane
// come one after the other, those of different lanes at the same time.
class AnswerListener {
 public:
  virtual ~AnswerListener() = default;

  // `tensors` is valid during the call, and empty unless `status` is OK. May send.
  virtual void OnAnswer(int lane, const OutgoingRequest& request, const absl::Status& status,
                        const AnswerTensors& tensors) = 0;
};

// Carries requests to the server. Owned by main; outlives its listener's use of it.
class Transport {
 public:
  virtual ~Transport() = default;

  virtual int connections() const = 0;
  virtual int lanes() const = 0;

  // Where answers go; called once, before the first Send().
  virtual void SetListener(AnswerListener* listener) = 0;

  // Sends on the connection that the request names. Never blocks on the server. Any thread.
  virtual void Send(const OutgoingRequest& request) = 0;
};

}  // namespace escan::loadgen
