#include "loadgen/grpc_transport.h"

#include <grpcpp/channel.h>
#include <grpcpp/client_context.h>
#include <grpcpp/completion_queue.h>
#include <grpcpp/generic/generic_stub.h>

#include <algorithm>
#include <chrono>
#include <thread>
#include <utility>
#include <vector>

#include "inference/grpc_service.grpc.pb.h"
#include "loadgen/answer_reader.h"

namespace escan::loadgen {
namespace {

// The request is sent as the bytes that the encoder made; only answers are parsed.
using Stub = grpc::TemplatedGenericStub<grpc::ByteBuffer, inference::ModelInferResponse>;

// One request under way: the tag of its completion, which deletes it.
struct Call {
  OutgoingRequest request;
  grpc::ClientContext context;
  std::unique_ptr<grpc::ClientAsyncResponseReader<inference::ModelInferResponse>> reader;
  inference::ModelInferResponse response;
  grpc::Status status;
};

}  // namespace

class GrpcTransport::Impl {
 public:
  Impl(Channels channels, const ModelInfo& model, const SampleSet* samples,
       const Delivery& delivery)
      : encoder_(model, samples, delivery.exits, delivery.rows_per_request),
        deadline_(
            std::chrono::duration_cast<std::chrono::system_clock::duration>(delivery.deadline)),
        reader_(model.outputs, delivery.label_output),
        queues_(std::min(static_cast<size_t>(delivery.threads), channels.size())) {
    for (auto& channel : channels) stubs_.push_back(std::make_unique<Stub>(std::move(channel)));
  }

  ~Impl() {
    for (grpc::CompletionQueue& queue : queues_) queue.Shutdown();
    for (std::thread& thread : threads_) thread.join();
  }

  int connections() const { return static_cast<int>(stubs_.size()); }
  int lanes() const { return static_cast<int>(queues_.size()); }

  void SetListener(AnswerListener* listener) {
    for (int lane = 0; lane < lanes(); ++lane) {
      threads_.emplace_back([this, lane, listener] { ReceiveAnswers(lane, listener); });
    }
  }

  void Send(const OutgoingRequest& request) {
    const auto connection = static_cast<size_t>(request.connection);
    auto* call = new Call;
    call->request = request;
    call->context.set_deadline(std::chrono::system_clock::now() + deadline_);
    call->reader = stubs_[connection]->PrepareUnaryCall(&call->context, method_,
                                                        encoder_.Encode(request.ticket),
                                                        &queues_[connection % queues_.size()]);
    call->reader->StartCall();
    call->reader->Finish(&call->response, &call->status, call);
  }

 private:
  void ReceiveAnswers(int lane, AnswerListener* listener) {
    void* tag = nullptr;
    bool ok = false;
    while (queues_[static_cast<size_t>(lane)].Next(&tag, &ok)) {
      const std::unique_ptr<Call> call(static_cast<Call*>(tag));
      AnswerTensors tensors;
      if (call->status.ok()) tensors = reader_.Read(call->response, call->request.ticket.rows);
      const auto code = static_cast<absl::StatusCode>(call->status.error_code());
      listener->OnAnswer(lane, call->request, absl::Status(code, call->status.error_message()),
                         tensors);
    }
  }

  const std::string method_ = "/inference.GRPCInferenceService/ModelInfer";
  const RequestEncoder encoder_;
  const std::chrono::system_clock::duration deadline_;
  const AnswerReader reader_;
  std::vector<std::unique_ptr<Stub>> stubs_;
  std::vector<grpc::CompletionQueue> queues_;
  std::vector<std::thread> threads_;
};

GrpcTransport::GrpcTransport(Channels channels, const ModelInfo& model, const SampleSet* samples,
                             const Delivery& delivery)
    : impl_(std::make_unique<Impl>(std::move(channels), model, samples, delivery)) {}

GrpcTransport::~GrpcTransport() = default;

int GrpcTransport::connections() const { return impl_->connections(); }
int GrpcTransport::lanes() const { return impl_->lanes(); }
void GrpcTransport::SetListener(AnswerListener* listener) { impl_->SetListener(listener); }
void GrpcTransport::Send(const OutgoingRequest& request) { impl_->Send(request); }

}  // namespace escan::loadgen
