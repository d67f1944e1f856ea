#pragma once

#include <grpcpp/grpcpp.h>

#include <deque>
#include <memory>
#include <unordered_set>

#include "contracts/mutex.h"
#include "server/inference/server_state.h"

namespace escan {

class InferStream;

// The streams that are open, so that a drain can end those that only wait for more requests. Any
// thread.
class OpenStreams {
 public:
  void Add(InferStream* stream);
  void Remove(InferStream* stream);
  // Every stream is finished with UNAVAILABLE as soon as it has answered what it received.
  void Drain();

 private:
  Mutex mutex_;
  std::unordered_set<InferStream*> streams_ ESCAN_GUARDED_BY(mutex_);
};

// One ModelStreamInfer call: its requests are processed at the same time and answered as they end.
// A request's error is its answer's error_message, and the stream stays open. Reading stops while
// kMaxUnanswered requests have no answer on the wire. Owns itself: gRPC calls OnDone last.
class InferStream final : public grpc::ServerBidiReactor<grpc::ByteBuffer, grpc::ByteBuffer> {
 public:
  static constexpr size_t kMaxUnanswered = 256;

  // `client` is null where everybody may ask.
  static InferStream* Start(ServerState* server, OpenStreams* streams,
                            std::shared_ptr<Client> client,
                            const grpc::CallbackServerContext& context);

  void Drain();

 private:
  class Item;
  enum class Action { kNone, kRead, kWrite, kFinish };

  InferStream(ServerState* server, OpenStreams* streams, std::shared_ptr<Client> client,
              TimePoint deadline);
  ~InferStream() override = default;

  void OnReadDone(bool ok) override;
  void OnWriteDone(bool ok) override;
  void OnCancel() override;
  void OnDone() override;

  void Process(std::unique_ptr<grpc::ByteBuffer> message);
  // The answer of `item`, which is over.
  void Deliver(Item* item, grpc::ByteBuffer answer);
  // Starts every operation that can be started. One thread at a time does so, and Finish is its
  // last; all others leave the stream with this call, so nothing touches it once gRPC may delete
  // it.
  void PumpAndUnlock() ESCAN_RELEASE(mutex_);
  Action NextAction() ESCAN_REQUIRES(mutex_);
  grpc::Status FinalStatus() const ESCAN_REQUIRES(mutex_);

  ServerState* const server_;
  OpenStreams* const streams_;
  const std::shared_ptr<Client> client_;
  const TimePoint deadline_;

  std::unique_ptr<grpc::ByteBuffer> incoming_;  // between StartRead and OnReadDone
  grpc::ByteBuffer outgoing_;                   // between StartWrite and OnWriteDone

  Mutex mutex_;
  std::unordered_set<Item*> items_ ESCAN_GUARDED_BY(mutex_);       // not answered
  std::deque<grpc::ByteBuffer> answers_ ESCAN_GUARDED_BY(mutex_);  // not yet written
  bool pumping_ ESCAN_GUARDED_BY(mutex_) = false;
  bool reading_ ESCAN_GUARDED_BY(mutex_) = false;
  bool processing_ ESCAN_GUARDED_BY(mutex_) = false;  // a message that was read
  bool writing_ ESCAN_GUARDED_BY(mutex_) = false;
  bool half_closed_ ESCAN_GUARDED_BY(mutex_) = false;
  bool broken_ ESCAN_GUARDED_BY(mutex_) = false;  // cancelled, or a write failed
  bool draining_ ESCAN_GUARDED_BY(mutex_) = false;
  bool finished_ ESCAN_GUARDED_BY(mutex_) = false;
};

}  // namespace escan
