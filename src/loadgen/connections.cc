#include "loadgen/connections.h"

#include <grpcpp/channel.h>
#include <grpcpp/client_context.h>

#include <chrono>
#include <optional>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/time/time.h"
#include "inference/grpc_service.grpc.pb.h"

namespace escan::loadgen {
namespace {

using inference::GRPCInferenceService;
using TensorMetadata = inference::ModelMetadataResponse::TensorMetadata;

std::chrono::system_clock::time_point After(Duration timeout) {
  return std::chrono::system_clock::now() +
         std::chrono::duration_cast<std::chrono::system_clock::duration>(timeout);
}

absl::Status FromGrpc(const grpc::Status& status, const std::string& what) {
  return absl::Status(static_cast<absl::StatusCode>(status.error_code()),
                      absl::StrCat(what, ": ", status.error_message()));
}

absl::StatusOr<std::string> OnlyModel(GRPCInferenceService::Stub& stub, Duration timeout) {
  grpc::ClientContext context;
  context.set_deadline(After(timeout));
  inference::RepositoryIndexResponse index;
  const grpc::Status status = stub.RepositoryIndex(&context, {}, &index);
  if (!status.ok()) return FromGrpc(status, "RepositoryIndex");
  if (index.models_size() == 1) return index.models(0).name();
  if (index.models_size() == 0) return absl::FailedPreconditionError("the server has no model");
  return absl::FailedPreconditionError(
      absl::StrCat("the server has ", index.models_size(), " models, name one: ",
                   absl::StrJoin(index.models(), ", ", [](std::string* out, const auto& model) {
                     absl::StrAppend(out, model.name());
                   })));
}

absl::StatusOr<TensorSpec> RowSpec(const TensorMetadata& tensor) {
  const std::vector<int64_t> shape(tensor.shape().begin(), tensor.shape().end());
  const std::optional<Datatype> datatype = ParseDatatype(tensor.datatype());
  if (!datatype) {
    return absl::FailedPreconditionError(absl::StrCat(
        "tensor '", tensor.name(), "' is ", tensor.datatype(), ", which has no fixed size"));
  }
  bool fixed = !shape.empty() && shape[0] == -1;
  for (size_t i = 1; i < shape.size(); ++i) fixed = fixed && shape[i] > 0;
  if (!fixed) {
    return absl::FailedPreconditionError(
        absl::StrCat("tensor '", tensor.name(), "' has the shape ", ShapeString(shape),
                     ", expected -1 for the rows and then fixed dimensions"));
  }
  TensorSpec spec;
  spec.name = tensor.name();
  spec.datatype = *datatype;
  spec.shape.assign(shape.begin() + 1, shape.end());
  return spec;
}

}  // namespace

absl::StatusOr<Channels> Connect(const std::string& target, int count, Duration timeout,
                                 const ChannelSecurity& security) {
  grpc::ChannelArguments arguments;
  arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
  arguments.SetInt(GRPC_ARG_INITIAL_RECONNECT_BACKOFF_MS, 100);
  arguments.SetInt(GRPC_ARG_MIN_RECONNECT_BACKOFF_MS, 100);
  arguments.SetInt(GRPC_ARG_MAX_RECONNECT_BACKOFF_MS, 1000);
  arguments.SetMaxReceiveMessageSize(-1);
  arguments.SetMaxSendMessageSize(-1);
  Channels channels;
  for (int i = 0; i < count; ++i) {
    channels.push_back(OpenDirectChannel(target, arguments, security));
    channels.back()->GetState(/*try_to_connect=*/true);
  }
  const auto deadline = After(timeout);
  for (const auto& channel : channels) {
    if (!channel->WaitForConnected(deadline)) {
      return absl::UnavailableError(absl::StrCat("no connection to ", target, " within ",
                                                 absl::FormatDuration(absl::FromChrono(timeout)),
                                                 ": is a server listening there?"));
    }
  }
  return channels;
}

absl::StatusOr<ModelInfo> DescribeModel(const std::shared_ptr<grpc::Channel>& channel,
                                        const std::string& model, Duration timeout) {
  const std::unique_ptr<GRPCInferenceService::Stub> stub = GRPCInferenceService::NewStub(channel);
  ModelInfo info{.name = model, .inputs = {}, .outputs = {}};
  if (model.empty()) {
    absl::StatusOr<std::string> only = OnlyModel(*stub, timeout);
    if (!only.ok()) return only.status();
    info.name = *std::move(only);
  }
  grpc::ClientContext context;
  context.set_deadline(After(timeout));
  inference::ModelMetadataRequest request;
  request.set_name(info.name);
  inference::ModelMetadataResponse metadata;
  const grpc::Status status = stub->ModelMetadata(&context, request, &metadata);
  if (!status.ok()) return FromGrpc(status, absl::StrCat("ModelMetadata of '", info.name, "'"));
  for (const auto& [tensors, specs] : {std::pair(&metadata.inputs(), &info.inputs),
                                       std::pair(&metadata.outputs(), &info.outputs)}) {
    for (const TensorMetadata& tensor : *tensors) {
      absl::StatusOr<TensorSpec> spec = RowSpec(tensor);
      if (!spec.ok()) return spec.status();
      specs->push_back(*std::move(spec));
    }
  }
  return info;
}

}  // namespace escan::loadgen
