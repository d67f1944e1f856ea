#pragma once

#include <grpcpp/grpcpp.h>

#include <memory>
#include <utility>

#include "server/inference/infer_task.h"

namespace escan {

// One ModelInfer call. Owns itself: gRPC calls OnDone last. Finish is called exactly once, by
// Start() or by Answered(), and nothing of the object is touched after it.
class InferCall final : public grpc::ServerUnaryReactor, private InferTask {
 public:
  // `request` and `response` belong to the call and live until OnDone.
  static grpc::ServerUnaryReactor* Start(ServerState* server, std::shared_ptr<Client> client,
                                         const grpc::CallbackServerContext& context,
                                         const grpc::ByteBuffer& request,
                                         grpc::ByteBuffer* response);

 private:
  InferCall(ServerState* server, std::shared_ptr<Client> client, grpc::ByteBuffer* response)
      : InferTask(server, std::move(client)), response_(response) {}
  ~InferCall() override = default;

  void OnCancel() override { handle_.Cancel(); }
  void OnDone() override { delete this; }
  // The reactions are short and never block, so gRPC need not move each to its executor's threads:
  // that costs a switch of threads per call.
  bool InternalInlineable() override { return true; }

  void Form(const ServedModel& model, Answer answer) override;
  void Answered(absl::Status status) override;

  grpc::ByteBuffer* const response_;
  Handle handle_;  // written before gRPC may call OnCancel
};

}  // namespace escan
