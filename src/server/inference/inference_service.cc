#include "server/inference/inference_service.h"

#include <array>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "server/inference/infer_call.h"
#include "server/protocol/contract.h"
#include "server/protocol/grpc_status.h"
#include "server/protocol/model_description.h"
#include "server/protocol/model_statistics.h"

namespace escan {
namespace {

// Extensions of the protocol: only those that work. schedule_policy stands for the parameters
// priority and timeout.
constexpr std::array<absl::string_view, 3> kExtensions = {"model_configuration", "schedule_policy",
                                                          "statistics"};

// Why methods are refused.
constexpr absl::string_view kRepositoryNames = "repositories have no names here";
constexpr absl::string_view kLoadParameters =
    "loading takes no parameters: what is loaded is what the configuration file says";
constexpr absl::string_view kSharedMemory =
    "shared memory is not supported: tensors travel inside the messages";
constexpr absl::string_view kTrace = "tracing is not supported";
constexpr absl::string_view kLog =
    "log settings cannot be read or changed by clients: see escand --log-level";

grpc::ServerUnaryReactor* Reply(grpc::CallbackServerContext* context,
                                const absl::Status& status = absl::OkStatus()) {
  grpc::ServerUnaryReactor* const reactor = context->DefaultReactor();
  reactor->Finish(ToGrpc(status));
  return reactor;
}

grpc::ServerUnaryReactor* Refuse(grpc::CallbackServerContext* context, absl::string_view why) {
  return Reply(context, absl::UnimplementedError(why));
}

// See ServerState::CallerOf.
absl::StatusOr<std::shared_ptr<Client>> CallerOf(ServerState& state,
                                                 const grpc::CallbackServerContext& context) {
  const auto sent = context.client_metadata().find("authorization");
  const bool none = sent == context.client_metadata().end();
  return state.CallerOf(none ? "" : absl::string_view(sent->second.data(), sent->second.size()));
}

// A stream that is refused at once.
class RefusedStream final : public grpc::ServerBidiReactor<grpc::ByteBuffer, grpc::ByteBuffer> {
 public:
  explicit RefusedStream(const absl::Status& status) { Finish(ToGrpc(status)); }

 private:
  void OnDone() override { delete this; }
};

// Adds the entries that `name` selects, all when it is empty; false when it selects none of them.
bool AddStatistics(ServedModel& model, const std::string& name,
                   inference::ModelStatisticsResponse* response) {
  const CascadeSpec& cascade = model.cascade();
  const EngineStatus status = model.engine->Status();
  const Moment now = {Clock::now(), std::chrono::system_clock::now()};
  bool found = false;
  if (name.empty() || name == cascade.name) {
    const RequestCounters::Snapshot requests = model.counters.Read();
    const TimeSplit::Sums samples = SampleTimes(status);
    const TimeSplit::Sums times =
        model.time_split.Update(requests.answered.engine, samples.queue, samples.compute);
    *response->add_model_stats() = CascadeStatistics(cascade, requests, status, times, now);
    response->mutable_model_stats()->rbegin()->set_version(model.version);
    found = true;
  }
  for (size_t i = 0; i < status.stages.size(); ++i) {
    if (!name.empty() && name != absl::StrCat(cascade.name, "/", cascade.stages[i].name)) continue;
    *response->add_model_stats() =
        StageEntry(cascade, static_cast<int>(i), status.stages[i].statistics, now);
    response->mutable_model_stats()->rbegin()->set_version(model.version);
    found = true;
  }
  return found;
}

}  // namespace

grpc::ServerUnaryReactor* InferenceService::ServerLive(Context* context,
                                                       const inference::ServerLiveRequest*,
                                                       inference::ServerLiveResponse* response) {
  response->set_live(true);
  return Reply(context);
}

grpc::ServerUnaryReactor* InferenceService::ServerReady(Context* context,
                                                        const inference::ServerReadyRequest*,
                                                        inference::ServerReadyResponse* response) {
  response->set_ready(state_->ready());
  return Reply(context);
}

grpc::ServerUnaryReactor* InferenceService::ModelReady(Context* context,
                                                       const inference::ModelReadyRequest* request,
                                                       inference::ModelReadyResponse* response) {
  absl::StatusOr<std::shared_ptr<ServedModel>> model =
      state_->Find(request->name(), request->version());
  if (!model.ok()) return Reply(context, model.status());
  response->set_ready(state_->ready(**model));
  return Reply(context);
}

grpc::ServerUnaryReactor* InferenceService::ServerMetadata(
    Context* context, const inference::ServerMetadataRequest*,
    inference::ServerMetadataResponse* response) {
  if (absl::Status status = CallerOf(*state_, *context).status(); !status.ok()) {
    return Reply(context, status);
  }
  response->set_name("escan");
  response->set_version(ESCAN_VERSION);
  for (const absl::string_view extension : kExtensions) {
    response->add_extensions(std::string(extension));
  }
  return Reply(context);
}

grpc::ServerUnaryReactor* InferenceService::ModelMetadata(
    Context* context, const inference::ModelMetadataRequest* request,
    inference::ModelMetadataResponse* response) {
  if (absl::Status status = CallerOf(*state_, *context).status(); !status.ok()) {
    return Reply(context, status);
  }
  absl::StatusOr<std::shared_ptr<ServedModel>> model =
      state_->Find(request->name(), request->version());
  if (!model.ok()) return Reply(context, model.status());
  *response = DescribeModel((*model)->cascade());
  response->set_versions(0, (*model)->version);
  return Reply(context);
}

grpc::ServerUnaryReactor* InferenceService::ModelInfer(Context* context,
                                                       const grpc::ByteBuffer* request,
                                                       grpc::ByteBuffer* response) {
  absl::StatusOr<std::shared_ptr<Client>> client = CallerOf(*state_, *context);
  if (!client.ok()) return Reply(context, client.status());
  return InferCall::Start(state_, *std::move(client), *context, *request, response);
}

grpc::ServerBidiReactor<grpc::ByteBuffer, grpc::ByteBuffer>* InferenceService::ModelStreamInfer(
    Context* context) {
  absl::StatusOr<std::shared_ptr<Client>> client = CallerOf(*state_, *context);
  if (!client.ok()) return new RefusedStream(client.status());
  return InferStream::Start(state_, &streams_, *std::move(client), *context);
}

grpc::ServerUnaryReactor* InferenceService::ModelConfig(
    Context* context, const inference::ModelConfigRequest* request,
    inference::ModelConfigResponse* response) {
  if (absl::Status status = CallerOf(*state_, *context).status(); !status.ok()) {
    return Reply(context, status);
  }
  absl::StatusOr<std::shared_ptr<ServedModel>> model =
      state_->Find(request->name(), request->version());
  if (!model.ok()) return Reply(context, model.status());
  *response->mutable_config() = DescribeConfig((*model)->cascade(), (*model)->engine->Status().plan,
                                               (*model)->engine->devices());
  response->mutable_config()->mutable_version_policy()->mutable_specific()->set_versions(
      0, std::stoll((*model)->version));
  return Reply(context);
}

grpc::ServerUnaryReactor* InferenceService::ModelStatistics(
    Context* context, const inference::ModelStatisticsRequest* request,
    inference::ModelStatisticsResponse* response) {
  if (absl::Status status = CallerOf(*state_, *context).status(); !status.ok()) {
    return Reply(context, status);
  }
  const std::string& name = request->name();
  bool found = false;
  for (const std::shared_ptr<ServedModel>& model : state_->models()) {
    found = AddStatistics(*model, name, response) || found;
  }
  if (!found) {
    const absl::Status unknown = state_->Find(name).status();
    return Reply(context, absl::NotFoundError(absl::StrCat(
                              unknown.message(), "; its stages are named MODEL/STAGE here")));
  }
  const std::shared_ptr<ServedModel> named = state_->FindOrNull(name);
  return Reply(context, CheckVersion(name, request->version(),
                                     named == nullptr ? kModelVersion : named->version));
}

grpc::ServerUnaryReactor* InferenceService::RepositoryIndex(
    Context* context, const inference::RepositoryIndexRequest* request,
    inference::RepositoryIndexResponse* response) {
  if (absl::Status status = CallerOf(*state_, *context).status(); !status.ok()) {
    return Reply(context, status);
  }
  if (!request->repository_name().empty()) {
    return Reply(context, absl::NotFoundError(absl::StrCat("unknown repository '",
                                                           request->repository_name(),
                                                           "': repositories have no names here")));
  }
  for (const std::shared_ptr<ServedModel>& model : state_->models()) {
    const bool ready = state_->ready(*model);
    if (request->ready() && !ready) continue;
    auto* const entry = response->add_models();
    entry->set_name(model->cascade().name);
    entry->set_version(model->version);
    entry->set_state(ready ? "READY" : "UNAVAILABLE");
    if (!ready) entry->set_reason(state_->NotReadyReason(*model));
  }
  return Reply(context);
}

grpc::ServerUnaryReactor* InferenceService::RepositoryModelLoad(
    Context* context, const inference::RepositoryModelLoadRequest* request,
    inference::RepositoryModelLoadResponse*) {
  if (!request->repository_name().empty()) {
    return Reply(context, absl::NotFoundError(kRepositoryNames));
  }
  if (!request->parameters().empty()) {
    return Reply(context, absl::InvalidArgumentError(kLoadParameters));
  }
  return Change(context, {.kind = CascadeChange::Kind::kLoad, .name = request->model_name()});
}

grpc::ServerUnaryReactor* InferenceService::RepositoryModelUnload(
    Context* context, const inference::RepositoryModelUnloadRequest* request,
    inference::RepositoryModelUnloadResponse*) {
  if (!request->repository_name().empty()) {
    return Reply(context, absl::NotFoundError(kRepositoryNames));
  }
  return Change(context, {.kind = CascadeChange::Kind::kUnload, .name = request->model_name()});
}

grpc::ServerUnaryReactor* InferenceService::Change(Context* context, CascadeChange change) {
  if (absl::Status status = CallerOf(*state_, *context).status(); !status.ok()) {
    return Reply(context, status);
  }
  if (change_cascades_ == nullptr) return Refuse(context, "cascades cannot be changed here");
  grpc::ServerUnaryReactor* const reactor = context->DefaultReactor();
  change.by_client = true;
  change_cascades_(std::move(change), [reactor](const absl::StatusOr<ChangeReport>& report) {
    reactor->Finish(ToGrpc(report.status()));
  });
  return reactor;
}

grpc::ServerUnaryReactor* InferenceService::SystemSharedMemoryStatus(
    Context* context, const inference::SystemSharedMemoryStatusRequest*,
    inference::SystemSharedMemoryStatusResponse*) {
  return Refuse(context, kSharedMemory);
}

grpc::ServerUnaryReactor* InferenceService::SystemSharedMemoryRegister(
    Context* context, const inference::SystemSharedMemoryRegisterRequest*,
    inference::SystemSharedMemoryRegisterResponse*) {
  return Refuse(context, kSharedMemory);
}

grpc::ServerUnaryReactor* InferenceService::SystemSharedMemoryUnregister(
    Context* context, const inference::SystemSharedMemoryUnregisterRequest*,
    inference::SystemSharedMemoryUnregisterResponse*) {
  return Refuse(context, kSharedMemory);
}

grpc::ServerUnaryReactor* InferenceService::CudaSharedMemoryStatus(
    Context* context, const inference::CudaSharedMemoryStatusRequest*,
    inference::CudaSharedMemoryStatusResponse*) {
  return Refuse(context, kSharedMemory);
}

grpc::ServerUnaryReactor* InferenceService::CudaSharedMemoryRegister(
    Context* context, const inference::CudaSharedMemoryRegisterRequest*,
    inference::CudaSharedMemoryRegisterResponse*) {
  return Refuse(context, kSharedMemory);
}

grpc::ServerUnaryReactor* InferenceService::CudaSharedMemoryUnregister(
    Context* context, const inference::CudaSharedMemoryUnregisterRequest*,
    inference::CudaSharedMemoryUnregisterResponse*) {
  return Refuse(context, kSharedMemory);
}

grpc::ServerUnaryReactor* InferenceService::TraceSetting(Context* context,
                                                         const inference::TraceSettingRequest*,
                                                         inference::TraceSettingResponse*) {
  return Refuse(context, kTrace);
}

grpc::ServerUnaryReactor* InferenceService::LogSettings(Context* context,
                                                        const inference::LogSettingsRequest*,
                                                        inference::LogSettingsResponse*) {
  return Refuse(context, kLog);
}

}  // namespace escan
