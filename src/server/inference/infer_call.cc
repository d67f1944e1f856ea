#include "server/inference/infer_call.h"

#include <utility>

#include "server/inference/grpc_message.h"
#include "server/protocol/grpc_status.h"

namespace escan {

grpc::ServerUnaryReactor* InferCall::Start(ServerState* server, std::shared_ptr<Client> client,
                                           const grpc::CallbackServerContext& context,
                                           const grpc::ByteBuffer& request,
                                           grpc::ByteBuffer* response) {
  auto* const call = new InferCall(server, std::move(client), response);
  const absl::Status status =
      call->Prepare([&](WireRequest* wire) { return ReadMessage(request, wire); },
                    ToMonotonic(context.raw_deadline()));
  if (status.ok()) {
    call->handle_ = call->handle();
    call->Submit();
  } else {
    call->Finish(ToGrpc(status));
  }
  // The call cannot be done before gRPC has been given its reactor.
  return call;
}

void InferCall::Form(const ServedModel& model, Answer answer) {
  *response_ = FormMessage(model.answers, answer);
}

void InferCall::Answered(absl::Status status) { Finish(ToGrpc(status)); }

}  // namespace escan
