#include "server/inference/inference_server.h"

#include <grpcpp/ext/proto_server_reflection_plugin.h>
#include <grpcpp/health_check_service_interface.h>
#include <grpcpp/resource_quota.h>

#include <algorithm>
#include <limits>

#include "server/inference/inference_service.h"
#include "server/inference/self_probe.h"
#include "server/listening/grpc_listener.h"
#include "server/listening/tls_credentials.h"
#include "server/protocol/contract.h"

namespace escan {
namespace {

constexpr char kServiceName[] = "inference.GRPCInferenceService";

// Memory that gRPC may hold for messages in transit before it reads more slowly.
constexpr size_t kTransportMemory = size_t{1} << 30;
// Calls of one connection beyond those that the slots can take: they are refused at once, where
// further ones would wait unseen in the client's library.
constexpr int kSpareStreams = 1024;
// Of a call's metadata.
constexpr int kMaxHeaderBytes = 16 << 10;

int MessageLimit(const ServerState& state) {
  size_t limit = InferenceServer::kRoomForMessages;
  for (const std::shared_ptr<ServedModel>& model : state.models()) {
    limit = std::max(limit, MaxRequestBytes(model->cascade()));
  }
  return static_cast<int>(std::min<size_t>(limit, std::numeric_limits<int>::max()));
}

int StreamLimit(const ServerState& state) {
  int slots = 0;
  for (const std::shared_ptr<ServedModel>& model : state.models()) {
    slots += model->cascade().slots;
  }
  return slots + kSpareStreams;
}

void SetLimits(const ServerState& state, grpc::ServerBuilder* builder) {
  builder->SetMaxReceiveMessageSize(MessageLimit(state));
  builder->SetMaxSendMessageSize(-1);
  builder->SetResourceQuota(grpc::ResourceQuota("inference").Resize(kTransportMemory));
  builder->AddChannelArgument(GRPC_ARG_MAX_METADATA_SIZE, kMaxHeaderBytes);
  builder->AddChannelArgument(GRPC_ARG_MAX_CONCURRENT_STREAMS, StreamLimit(state));
  // Clients that went away without a word are found.
  builder->AddChannelArgument(GRPC_ARG_KEEPALIVE_TIME_MS, 60'000);
  builder->AddChannelArgument(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, 20'000);
  builder->AddChannelArgument(GRPC_ARG_KEEPALIVE_PERMIT_WITHOUT_CALLS, 1);
}

}  // namespace

absl::StatusOr<std::unique_ptr<InferenceServer>> InferenceServer::Start(ServerState* state,
                                                                        Options options) {
  std::unique_ptr<InferenceServer> server(
      new InferenceServer(state, std::move(options.change_cascades)));
  grpc::EnableDefaultHealthCheckService(true);
  grpc::reflection::InitProtoReflectionServerBuilderPlugin();
  grpc::ServerBuilder builder;
  SetLimits(*state, &builder);
  builder.RegisterService(server->service_.get());
  absl::StatusOr<std::unique_ptr<GrpcListener>> listener =
      GrpcListener::Start(builder, options.listen,
                          {.descriptor_ceiling = options.descriptor_ceiling,
                           .on_refused = [state] { state->CountRefusedConnection(); },
                           .on_accepting =
                               [state, on_change = std::move(options.on_change)](bool accepting) {
                                 state->set_accepting(accepting);
                                 on_change();
                               },
                           .credentials = ServerCredentialsFor(options.tls)});
  if (!listener.ok()) return listener.status();
  server->listener_ = *std::move(listener);
  server->PublishHealth();
  return server;
}

InferenceServer::InferenceServer(ServerState* state, ChangeCascades change_cascades)
    : state_(state),
      service_(std::make_unique<InferenceService>(state, std::move(change_cascades))) {}

// The listener goes first, and with it every call.
InferenceServer::~InferenceServer() = default;

const std::string& InferenceServer::address() const { return listener_->address(); }

bool InferenceServer::Answers(TimePoint deadline) {
  return AnswersClients(listener_->ConnectToSelf(), deadline);
}

void InferenceServer::DrainStreams() { service_->DrainStreams(); }

void InferenceServer::PublishHealth() {
  grpc::HealthCheckServiceInterface* const health = listener_->server().GetHealthCheckService();
  const bool ready = state_->ready();
  health->SetServingStatus("", ready);
  health->SetServingStatus(kServiceName, ready);
  std::set<std::string> gone = std::move(published_);
  published_.clear();
  for (const std::shared_ptr<ServedModel>& model : state_->models()) {
    const std::string& name = model->cascade().name;
    health->SetServingStatus(name, state_->ready(*model));
    published_.insert(name);
    gone.erase(name);
  }
  for (const std::string& name : gone) health->SetServingStatus(name, false);
}

void InferenceServer::Shutdown(TimePoint deadline) { listener_->Shutdown(deadline); }

}  // namespace escan
