#pragma once

#include <grpc/support/time.h>
#include <grpcpp/support/byte_buffer.h>

#include <memory>
#include <utility>

#include "absl/container/inlined_vector.h"
#include "absl/status/status.h"
#include "server/inference/server_state.h"
#include "server/protocol/contract.h"
#include "server/protocol/wire_request.h"

namespace escan {

// One inference request on its way from its bytes to its answer:
//
//   Prepare -> Submit -> Answered      or      Prepare fails
//
// The base of what belongs to a unary call and to one message of a stream, which own it. Nothing
// here blocks.
class InferTask : private Completion {
 public:
  // Starts the request's time; `server` outlives the task. A null `client` has no limits.
  explicit InferTask(ServerState* server, std::shared_ptr<Client> client = nullptr)
      : server_(server), client_(std::move(client)), arrival_(Clock::now()) {}
  InferTask(const InferTask&) = delete;
  InferTask& operator=(const InferTask&) = delete;

  // Checks the request and copies its rows to their slots. On an error the task is over. `message`
  // must live until then or until Answered; `call_deadline` is the gRPC call's.
  absl::Status Prepare(const grpc::ByteBuffer& message, TimePoint call_deadline);

  // Hands the request to the engine. From here on the task may end, and be gone, at any moment.
  void Submit();

  // What it takes to cancel the request; taken before Submit().
  struct Handle {
    std::shared_ptr<ServedModel> model;
    RequestKey key;
    void Cancel() const {
      if (model != nullptr) model->engine->Cancel(key);
    }
  };
  Handle handle() const;

  // After Prepare(), also one that failed.
  const std::string& id() const { return request_.header().id(); }
  bool asks_for_final_mark() const { return AsksForFinalMark(request_.header().parameters()); }

 protected:
  ~InferTask() override = default;

  // The answer's bytes, or why there is none; exactly once after Submit(), on a completer thread.
  // May delete the task.
  virtual void Answered(absl::Status status, grpc::ByteBuffer answer) = 0;
  // The form that the answer is wanted in.
  virtual bool streamed() const = 0;

 private:
  absl::Status Route(const grpc::ByteBuffer& message);
  absl::Status FillSlots();
  TimePoint Deadline(TimePoint call_deadline) const;
  grpc::ByteBuffer FormAnswer() const;
  // Whether the answered classes are compared with labels, now or later.
  bool wants_classes() const;
  // Of an answered request: compares its classes with the labels that came with it, or remembers
  // them.
  void NoteClasses() const;
  void OnComplete(const Outcome& outcome) final;

  ServerState* const server_;
  const std::shared_ptr<Client> client_;
  const TimePoint arrival_;
  TimePoint submitted_{};
  TimePoint deadline_{};
  std::shared_ptr<ServedModel> model_;
  std::shared_ptr<Rollout> rollout_;  // whose new version answers; else null
  Client::Visit visit_;
  WireRequest request_;
  CheckedRequest checked_;
  RequestKey key_;
};

// A gRPC call's deadline on the monotonic clock; one more than about a year ahead is none. Such a
// deadline may lie beyond the year 2262, where the nanoseconds of std::chrono::system_clock end, so
// it is taken as gRPC's raw_deadline().
TimePoint ToMonotonic(gpr_timespec deadline);

}  // namespace escan
