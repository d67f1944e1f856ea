#include "server/inference/infer_stream.h"

#include <utility>
#include <vector>

#include "server/inference/grpc_message.h"
#include "server/inference/infer_task.h"

namespace escan {
namespace {

grpc::ByteBuffer FormError(const absl::Status& status, const std::string& id, bool mark_final) {
  inference::ModelStreamInferResponse response;
  response.set_error_message(std::string(status.message()));
  // The id tells the client which of its requests failed.
  response.mutable_infer_response()->set_id(id);
  if (mark_final) {
    auto& parameters = *response.mutable_infer_response()->mutable_parameters();
    parameters["triton_final_response"].set_bool_param(true);
  }
  const grpc::Slice slice(response.SerializeAsString());
  return grpc::ByteBuffer(&slice, 1);
}

}  // namespace

// One request of the stream. Owned by the stream's set of items; ends in Answered().
class InferStream::Item final : public InferTask {
 public:
  Item(ServerState* server, InferStream* stream, std::unique_ptr<grpc::ByteBuffer> message)
      : InferTask(server, stream->client_), stream_(stream), message_(std::move(message)) {}

  absl::Status PrepareUntil(TimePoint deadline) {
    return Prepare([this](WireRequest* wire) { return ReadMessage(*message_, wire); }, deadline);
  }
  grpc::ByteBuffer Error(const absl::Status& status) const {
    return FormError(status, id(), asks_for_final_mark());
  }

 private:
  void Form(const ServedModel& model, Answer answer) override {
    answer.mark_final = asks_for_final_mark();
    answer_ = FormStreamMessage(model.answers, answer);
  }
  void Answered(absl::Status status) override {
    if (!status.ok()) answer_ = Error(status);
    stream_->Deliver(this, std::move(answer_));
  }

  InferStream* const stream_;
  const std::unique_ptr<grpc::ByteBuffer> message_;
  grpc::ByteBuffer answer_;
};

void OpenStreams::Add(InferStream* stream) {
  MutexLock lock(mutex_);
  streams_.insert(stream);
}

void OpenStreams::Remove(InferStream* stream) {
  MutexLock lock(mutex_);
  streams_.erase(stream);
}

void OpenStreams::Drain() {
  // A stream cannot go while the lock is held: it leaves the set in OnDone, on another thread.
  MutexLock lock(mutex_);
  for (InferStream* stream : streams_) stream->Drain();
}

InferStream* InferStream::Start(ServerState* server, OpenStreams* streams,
                                std::shared_ptr<Client> client,
                                const grpc::CallbackServerContext& context) {
  auto* const stream =
      new InferStream(server, streams, std::move(client), ToMonotonic(context.raw_deadline()));
  streams->Add(stream);
  stream->mutex_.Lock();
  // Added after the drain began, when nobody will drain it.
  if (server->phase() == Phase::kDraining) {
    server->NoteRefusal(Clock::now());
    stream->draining_ = true;
  }
  stream->PumpAndUnlock();
  return stream;
}

InferStream::InferStream(ServerState* server, OpenStreams* streams, std::shared_ptr<Client> client,
                         TimePoint deadline)
    : server_(server), streams_(streams), client_(std::move(client)), deadline_(deadline) {}

void InferStream::Drain() {
  mutex_.Lock();
  draining_ = true;
  PumpAndUnlock();
}

void InferStream::OnReadDone(bool ok) {
  std::unique_ptr<grpc::ByteBuffer> message;
  {
    MutexLock lock(mutex_);
    reading_ = false;
    if (!ok) half_closed_ = true;
    if (ok && !finished_) {
      processing_ = true;
      message = std::move(incoming_);
    }
  }
  if (message != nullptr) Process(std::move(message));
  mutex_.Lock();
  processing_ = false;
  PumpAndUnlock();
}

void InferStream::OnWriteDone(bool ok) {
  mutex_.Lock();
  outgoing_.Clear();
  writing_ = false;
  if (!ok) broken_ = true;
  PumpAndUnlock();
}

void InferStream::OnCancel() {
  std::vector<InferTask::Handle> handles;
  {
    MutexLock lock(mutex_);
    broken_ = true;
    for (const Item* item : items_) handles.push_back(item->handle());
  }
  for (const InferTask::Handle& handle : handles) handle.Cancel();
  mutex_.Lock();
  PumpAndUnlock();
}

void InferStream::OnDone() {
  streams_->Remove(this);
  delete this;
}

void InferStream::Process(std::unique_ptr<grpc::ByteBuffer> message) {
  auto item = std::make_unique<Item>(server_, this, std::move(message));
  const absl::Status status = item->PrepareUntil(deadline_);
  if (!status.ok()) {
    MutexLock lock(mutex_);
    answers_.push_back(item->Error(status));
    return;
  }
  // Once submitted the item may be gone.
  const InferTask::Handle handle = item->handle();
  Item* const submitted = item.release();
  {
    MutexLock lock(mutex_);
    items_.insert(submitted);
  }
  submitted->Submit();
  bool cancel = false;
  {
    MutexLock lock(mutex_);
    cancel = broken_;
  }
  // The stream may have been cancelled before there was anything to cancel.
  if (cancel) handle.Cancel();
}

void InferStream::Deliver(Item* item, grpc::ByteBuffer answer) {
  const std::unique_ptr<Item> owner(item);
  mutex_.Lock();
  answers_.push_back(std::move(answer));
  items_.erase(item);
  PumpAndUnlock();
}

void InferStream::PumpAndUnlock() {
  if (pumping_ || finished_) {
    mutex_.Unlock();
    return;
  }
  pumping_ = true;
  while (true) {
    const Action action = NextAction();
    if (action == Action::kNone) break;
    const grpc::Status status = FinalStatus();
    mutex_.Unlock();
    if (action == Action::kFinish) {
      Finish(status);
      return;
    }
    if (action == Action::kRead) StartRead(incoming_.get());
    if (action == Action::kWrite) StartWrite(&outgoing_);
    mutex_.Lock();
  }
  pumping_ = false;
  mutex_.Unlock();
}

InferStream::Action InferStream::NextAction() {
  if (broken_) answers_.clear();
  if (!writing_ && !answers_.empty()) {
    outgoing_.Swap(&answers_.front());
    answers_.pop_front();
    writing_ = true;
    return Action::kWrite;
  }
  const bool ending = half_closed_ || broken_ || draining_;
  if (!ending && !reading_ && !processing_ && items_.size() + answers_.size() < kMaxUnanswered) {
    incoming_ = std::make_unique<grpc::ByteBuffer>();
    reading_ = true;
    return Action::kRead;
  }
  if (ending && !processing_ && items_.empty() && answers_.empty() && !writing_) {
    finished_ = true;
    return Action::kFinish;
  }
  return Action::kNone;
}

grpc::Status InferStream::FinalStatus() const {
  if (broken_) return grpc::Status::CANCELLED;
  if (half_closed_) return grpc::Status::OK;
  return {grpc::StatusCode::UNAVAILABLE, "the server is draining and takes no new requests"};
}

}  // namespace escan
