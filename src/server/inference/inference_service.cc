#include "server/inference/inference_service.h"

#include <array>
#include <string>

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
constexpr absl::string_view kRepository =
    "models cannot be loaded or unloaded by clients: the server serves the cascades of its "
    "configuration file";
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
    found = true;
  }
  for (size_t i = 0; i < status.stages.size(); ++i) {
    if (!name.empty() && name != absl::StrCat(cascade.name, "/", cascade.stages[i].name)) continue;
    *response->add_model_stats() =
        StageEntry(cascade, static_cast<int>(i), status.stages[i].statistics, now);
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
  absl::StatusOr<ServedModel*> model = state_->Find(request->name(), request->version());
  if (!model.ok()) return Reply(context, model.status());
  response->set_ready(state_->ready(**model));
  return Reply(context);
}

grpc::ServerUnaryReactor* InferenceService::ServerMetadata(
    Context* context, const inference::ServerMetadataRequest*,
    inference::ServerMetadataResponse* response) {
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
  absl::StatusOr<ServedModel*> model = state_->Find(request->name(), request->version());
  if (!model.ok()) return Reply(context, model.status());
  *response = DescribeModel((*model)->cascade());
  return Reply(context);
}

grpc::ServerUnaryReactor* InferenceService::ModelInfer(Context* context,
                                                       const grpc::ByteBuffer* request,
                                                       grpc::ByteBuffer* response) {
  return InferCall::Start(state_, *context, *request, response);
}

grpc::ServerBidiReactor<grpc::ByteBuffer, grpc::ByteBuffer>* InferenceService::ModelStreamInfer(
    Context* context) {
  return InferStream::Start(state_, &streams_, *context);
}

grpc::ServerUnaryReactor* InferenceService::ModelConfig(
    Context* context, const inference::ModelConfigRequest* request,
    inference::ModelConfigResponse* response) {
  absl::StatusOr<ServedModel*> model = state_->Find(request->name(), request->version());
  if (!model.ok()) return Reply(context, model.status());
  *response->mutable_config() = DescribeConfig((*model)->cascade(), (*model)->engine->Status().plan,
                                               (*model)->engine->devices());
  return Reply(context);
}

grpc::ServerUnaryReactor* InferenceService::ModelStatistics(
    Context* context, const inference::ModelStatisticsRequest* request,
    inference::ModelStatisticsResponse* response) {
  const std::string& name = request->name();
  bool found = false;
  for (const std::unique_ptr<ServedModel>& model : state_->models()) {
    found = AddStatistics(*model, name, response) || found;
  }
  if (!found) {
    const absl::Status unknown = state_->Find(name).status();
    return Reply(context, absl::NotFoundError(absl::StrCat(
                              unknown.message(), "; its stages are named MODEL/STAGE here")));
  }
  return Reply(context, CheckVersion(name, request->version()));
}

grpc::ServerUnaryReactor* InferenceService::RepositoryIndex(
    Context* context, const inference::RepositoryIndexRequest* request,
    inference::RepositoryIndexResponse* response) {
  if (!request->repository_name().empty()) {
    return Reply(context, absl::NotFoundError(absl::StrCat("unknown repository '",
                                                           request->repository_name(),
                                                           "': repositories have no names here")));
  }
  for (const std::unique_ptr<ServedModel>& model : state_->models()) {
    const bool ready = state_->ready(*model);
    if (request->ready() && !ready) continue;
    auto* const entry = response->add_models();
    entry->set_name(model->cascade().name);
    entry->set_version(std::string(kModelVersion));
    entry->set_state(ready ? "READY" : "UNAVAILABLE");
    if (!ready) entry->set_reason(state_->NotReadyReason(*model));
  }
  return Reply(context);
}

grpc::ServerUnaryReactor* InferenceService::RepositoryModelLoad(
    Context* context, const inference::RepositoryModelLoadRequest*,
    inference::RepositoryModelLoadResponse*) {
  return Refuse(context, kRepository);
}

grpc::ServerUnaryReactor* InferenceService::RepositoryModelUnload(
    Context* context, const inference::RepositoryModelUnloadRequest*,
    inference::RepositoryModelUnloadResponse*) {
  return Refuse(context, kRepository);
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
