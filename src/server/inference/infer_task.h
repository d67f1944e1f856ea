#pragma once

#include <grpc/support/time.h>

#include <memory>
#include <string>
#include <utility>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "server/inference/server_state.h"
#include "server/protocol/answer_writer.h"
#include "server/protocol/contract.h"
#include "server/protocol/wire_request.h"

namespace escan {

// One inference request on its way from its bytes to its answer:
//
//   Prepare -> Submit -> Form -> Answered      or      Prepare fails
//
// The base of what belongs to a unary call, to one message of a stream and to one of HTTP's
// requests, which own it. Nothing here blocks.
class InferTask : private Completion {
 public:
  // Starts the request's time; `server` outlives the task. A null `client` has no limits.
  explicit InferTask(ServerState* server, std::shared_ptr<Client> client = nullptr)
      : server_(server), client_(std::move(client)), arrival_(Clock::now()) {}
  InferTask(const InferTask&) = delete;
  InferTask& operator=(const InferTask&) = delete;

  // Reads the request from where it came, checks it and copies its rows to their slots. On an error
  // the task is over. What `read` leaves views of must live until then or until Answered;
  // `call_deadline` is that of the call which the request belongs to.
  absl::Status Prepare(absl::FunctionRef<absl::Status(WireRequest*)> read, TimePoint call_deadline);

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

  // Makes of the answer, which lasts for the call only, what the client gets. Right before
  // Answered() with OK.
  virtual void Form(const ServedModel& model, Answer answer) = 0;
  // The request was answered, or why not; exactly once after Submit(), on a completer thread. May
  // delete the task.
  virtual void Answered(absl::Status status) = 0;

 private:
  absl::Status Route(absl::FunctionRef<absl::Status(WireRequest*)> read);
  absl::Status FillSlots();
  TimePoint Deadline(TimePoint call_deadline) const;
  void FormAnswer();
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
