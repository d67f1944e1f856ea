#include "loadgen/fake_inference_server.h"

#include <grpcpp/security/server_credentials.h>
#include <grpcpp/server_builder.h>

#include <cstring>
#include <utility>

namespace escan::loadgen {
namespace {

constexpr int kRowBytes = 4;
constexpr int kClasses = 3;
constexpr const char* kGraded = "graded";

void Answer(const inference::ModelInferRequest& request, inference::ModelInferResponse& response) {
  const std::string& rows = request.raw_input_contents(0);
  const size_t count = rows.size() / kRowBytes;
  std::vector<float> probabilities(count * kClasses, 0.1f);
  std::vector<int32_t> stages;
  for (size_t row = 0; row < count; ++row) {
    probabilities[row * kClasses + static_cast<size_t>(rows[row * kRowBytes])] = 0.8f;
    stages.push_back(rows[row * kRowBytes + 1]);
  }
  if (request.model_name() == kGraded) {
    std::vector<float> difficulties(count);
    std::memcpy(difficulties.data(), request.raw_input_contents(1).data(), count * sizeof(float));
    for (size_t row = 0; row < count; ++row) {
      stages[row] = static_cast<int32_t>(difficulties[row]) + 1;
    }
  }
  response.set_model_name(request.model_name());
  const auto add = [&](const std::string& name, const std::string& datatype, const void* data,
                       size_t size) {
    auto* output = response.add_outputs();
    output->set_name(name);
    output->set_datatype(datatype);
    response.add_raw_output_contents(data, size);
  };
  add("probabilities", "FP32", probabilities.data(), probabilities.size() * sizeof(float));
  add("exit_stage", "INT32", stages.data(), stages.size() * sizeof(int32_t));
}

template <typename Tensor>
void Describe(Tensor* tensor, const std::string& name, const std::string& datatype,
              std::initializer_list<int64_t> shape) {
  tensor->set_name(name);
  tensor->set_datatype(datatype);
  for (const int64_t dimension : shape) tensor->add_shape(dimension);
}

}  // namespace

FakeInferenceServer::FakeInferenceServer(Verdict verdict) : verdict_(std::move(verdict)) {
  int port = 0;
  grpc::ServerBuilder builder;
  builder.AddListeningPort("127.0.0.1:0", grpc::InsecureServerCredentials(), &port);
  builder.RegisterService(this);
  server_ = builder.BuildAndStart();
  target_ = "127.0.0.1:" + std::to_string(port);
}

FakeInferenceServer::~FakeInferenceServer() {
  Release();
  server_->Shutdown();
}

void FakeInferenceServer::Hold() {
  const std::lock_guard lock(mutex_);
  holding_ = true;
}

void FakeInferenceServer::Release() {
  std::vector<std::function<void()>> held;
  {
    const std::lock_guard lock(mutex_);
    holding_ = false;
    held.swap(held_);
  }
  for (const auto& finish : held) finish();
}

grpc::ServerUnaryReactor* FakeInferenceServer::RepositoryIndex(
    grpc::CallbackServerContext* context, const inference::RepositoryIndexRequest*,
    inference::RepositoryIndexResponse* response) {
  response->add_models()->set_name("digits");
  auto* reactor = context->DefaultReactor();
  reactor->Finish(grpc::Status::OK);
  return reactor;
}

grpc::ServerUnaryReactor* FakeInferenceServer::ModelMetadata(
    grpc::CallbackServerContext* context, const inference::ModelMetadataRequest* request,
    inference::ModelMetadataResponse* response) {
  auto* reactor = context->DefaultReactor();
  if (request->name() != "digits" && request->name() != kGraded) {
    reactor->Finish({grpc::StatusCode::NOT_FOUND, "no model '" + request->name() + "'"});
    return reactor;
  }
  response->set_name(request->name());
  Describe(response->add_inputs(), "image", "UINT8", {-1, kRowBytes});
  if (request->name() == kGraded) {
    Describe(response->add_inputs(), "difficulty", "FP32", {-1, 1});
  }
  Describe(response->add_outputs(), "probabilities", "FP32", {-1, kClasses});
  Describe(response->add_outputs(), "exit_stage", "INT32", {-1});
  reactor->Finish(grpc::Status::OK);
  return reactor;
}

grpc::ServerUnaryReactor* FakeInferenceServer::ModelInfer(
    grpc::CallbackServerContext* context, const inference::ModelInferRequest* request,
    inference::ModelInferResponse* response) {
  auto* reactor = context->DefaultReactor();
  ++requests_;
  const auto finish = [this, reactor, request, response] {
    const grpc::Status status = verdict_(*request);
    if (status.ok()) {
      Answer(*request, *response);
      falsify_(response);
    }
    reactor->Finish(status);
  };
  {
    const std::lock_guard lock(mutex_);
    if (holding_) {
      held_.push_back(finish);
      return reactor;
    }
  }
  finish();
  return reactor;
}

}  // namespace escan::loadgen
