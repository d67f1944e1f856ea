#pragma once

#include <grpcpp/grpcpp.h>

#include <utility>

#include "inference/grpc_service.grpc.pb.h"
#include "server/deployment/cascade_change.h"
#include "server/inference/infer_stream.h"
#include "server/inference/server_state.h"

namespace escan {

namespace internal {

// Layers<Base, A, B> is A<B<Base>>: how generated code gives each method its form.
template <typename Base, template <typename> typename... Methods>
struct LayersOf {
  using Type = Base;
};
template <typename Base, template <typename> typename First, template <typename> typename... Rest>
struct LayersOf<Base, First, Rest...> {
  using Type = First<typename LayersOf<Base, Rest...>::Type>;
};
template <typename Base, template <typename> typename... Methods>
using Layers = typename LayersOf<Base, Methods...>::Type;

// All methods in callback form; the two that infer exchange bytes.
using Rpc = inference::GRPCInferenceService;
using ProtocolMethods =
    Layers<Rpc::Service, Rpc::WithRawCallbackMethod_ModelInfer,
           Rpc::WithRawCallbackMethod_ModelStreamInfer, Rpc::WithCallbackMethod_ServerLive,
           Rpc::WithCallbackMethod_ServerReady, Rpc::WithCallbackMethod_ModelReady,
           Rpc::WithCallbackMethod_ServerMetadata, Rpc::WithCallbackMethod_ModelMetadata,
           Rpc::WithCallbackMethod_ModelConfig, Rpc::WithCallbackMethod_ModelStatistics,
           Rpc::WithCallbackMethod_RepositoryIndex, Rpc::WithCallbackMethod_RepositoryModelLoad,
           Rpc::WithCallbackMethod_RepositoryModelUnload,
           Rpc::WithCallbackMethod_SystemSharedMemoryStatus,
           Rpc::WithCallbackMethod_SystemSharedMemoryRegister,
           Rpc::WithCallbackMethod_SystemSharedMemoryUnregister,
           Rpc::WithCallbackMethod_CudaSharedMemoryStatus,
           Rpc::WithCallbackMethod_CudaSharedMemoryRegister,
           Rpc::WithCallbackMethod_CudaSharedMemoryUnregister, Rpc::WithCallbackMethod_TraceSetting,
           Rpc::WithCallbackMethod_LogSettings>;

}  // namespace internal

// The Open Inference Protocol. The two inference methods take and give their messages as bytes, so
// that tensors are copied once; see InferTask and InferStream. What is not supported answers
// UNIMPLEMENTED with the reason. Outlives the gRPC server; gRPC's threads call it.
class InferenceService final : public internal::ProtocolMethods {
 public:
  // A null `change_cascades` refuses clients that load or unload.
  explicit InferenceService(ServerState* state, ChangeCascades change_cascades = nullptr)
      : state_(state), change_cascades_(std::move(change_cascades)) {}

  // Ends streams that only wait for more requests, and others once they have no open ones.
  void DrainStreams() { streams_.Drain(); }

 private:
  using Context = grpc::CallbackServerContext;
  using Reactor = grpc::ServerUnaryReactor;

  Reactor* ServerLive(Context* context, const inference::ServerLiveRequest* request,
                      inference::ServerLiveResponse* response) override;
  Reactor* ServerReady(Context* context, const inference::ServerReadyRequest* request,
                       inference::ServerReadyResponse* response) override;
  Reactor* ModelReady(Context* context, const inference::ModelReadyRequest* request,
                      inference::ModelReadyResponse* response) override;
  Reactor* ServerMetadata(Context* context, const inference::ServerMetadataRequest* request,
                          inference::ServerMetadataResponse* response) override;
  Reactor* ModelMetadata(Context* context, const inference::ModelMetadataRequest* request,
                         inference::ModelMetadataResponse* response) override;
  Reactor* ModelInfer(Context* context, const grpc::ByteBuffer* request,
                      grpc::ByteBuffer* response) override;
  grpc::ServerBidiReactor<grpc::ByteBuffer, grpc::ByteBuffer>* ModelStreamInfer(
      Context* context) override;
  Reactor* ModelConfig(Context* context, const inference::ModelConfigRequest* request,
                       inference::ModelConfigResponse* response) override;
  Reactor* ModelStatistics(Context* context, const inference::ModelStatisticsRequest* request,
                           inference::ModelStatisticsResponse* response) override;
  Reactor* RepositoryIndex(Context* context, const inference::RepositoryIndexRequest* request,
                           inference::RepositoryIndexResponse* response) override;

  Reactor* RepositoryModelLoad(Context* context,
                               const inference::RepositoryModelLoadRequest* request,
                               inference::RepositoryModelLoadResponse* response) override;
  Reactor* RepositoryModelUnload(Context* context,
                                 const inference::RepositoryModelUnloadRequest* request,
                                 inference::RepositoryModelUnloadResponse* response) override;
  Reactor* SystemSharedMemoryStatus(Context* context,
                                    const inference::SystemSharedMemoryStatusRequest* request,
                                    inference::SystemSharedMemoryStatusResponse* response) override;
  Reactor* SystemSharedMemoryRegister(
      Context* context, const inference::SystemSharedMemoryRegisterRequest* request,
      inference::SystemSharedMemoryRegisterResponse* response) override;
  Reactor* SystemSharedMemoryUnregister(
      Context* context, const inference::SystemSharedMemoryUnregisterRequest* request,
      inference::SystemSharedMemoryUnregisterResponse* response) override;
  Reactor* CudaSharedMemoryStatus(Context* context,
                                  const inference::CudaSharedMemoryStatusRequest* request,
                                  inference::CudaSharedMemoryStatusResponse* response) override;
  Reactor* CudaSharedMemoryRegister(Context* context,
                                    const inference::CudaSharedMemoryRegisterRequest* request,
                                    inference::CudaSharedMemoryRegisterResponse* response) override;
  Reactor* CudaSharedMemoryUnregister(
      Context* context, const inference::CudaSharedMemoryUnregisterRequest* request,
      inference::CudaSharedMemoryUnregisterResponse* response) override;
  Reactor* TraceSetting(Context* context, const inference::TraceSettingRequest* request,
                        inference::TraceSettingResponse* response) override;
  Reactor* LogSettings(Context* context, const inference::LogSettingsRequest* request,
                       inference::LogSettingsResponse* response) override;

  Reactor* Change(Context* context, CascadeChange change);

  ServerState* const state_;
  const ChangeCascades change_cascades_;
  OpenStreams streams_;
};

}  // namespace escan
