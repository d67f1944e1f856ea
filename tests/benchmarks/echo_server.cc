// The baseline of the front end benchmark: a bare gRPC callback server, in the form that generated
// code gives it, which answers every ModelInfer at once with zeros. Its answers have the size of
// escand's for a cascade with one output "probabilities", FP32 [N, classes].
#include <grpcpp/grpcpp.h>

#include <CLI/CLI.hpp>
#include <csignal>
#include <cstdint>
#include <cstring>
#include <iostream>
#include <string>
#include <utility>
#include <vector>

#include "inference/grpc_service.grpc.pb.h"

namespace {

using grpc::CallbackServerContext;
using grpc::ServerUnaryReactor;

constexpr int kMaxRows = 128;
constexpr int kMessageLimit = 64 << 20;

class EchoService final : public inference::GRPCInferenceService::CallbackService {
 public:
  EchoService(std::string model, std::vector<int64_t> shape, int classes)
      : model_(std::move(model)), shape_(std::move(shape)), classes_(classes) {}

 private:
  ServerUnaryReactor* ServerLive(CallbackServerContext* context,
                                 const inference::ServerLiveRequest*,
                                 inference::ServerLiveResponse* response) override {
    response->set_live(true);
    return Done(context);
  }

  ServerUnaryReactor* RepositoryIndex(CallbackServerContext* context,
                                      const inference::RepositoryIndexRequest*,
                                      inference::RepositoryIndexResponse* response) override {
    auto* const entry = response->add_models();
    entry->set_name(model_);
    entry->set_version("1");
    entry->set_state("READY");
    return Done(context);
  }

  ServerUnaryReactor* ModelMetadata(CallbackServerContext* context,
                                    const inference::ModelMetadataRequest*,
                                    inference::ModelMetadataResponse* response) override {
    response->set_name(model_);
    response->add_versions("1");
    response->set_platform("echo");
    auto* const input = response->add_inputs();
    input->set_name("image");
    input->set_datatype("UINT8");
    input->add_shape(-1);
    for (const int64_t dimension : shape_) input->add_shape(dimension);
    const auto add_output = [&](const char* name, const char* datatype) {
      auto* const output = response->add_outputs();
      output->set_name(name);
      output->set_datatype(datatype);
      output->add_shape(-1);
      return output;
    };
    add_output("probabilities", "FP32")->add_shape(classes_);
    add_output("exit_stage", "INT32");
    add_output("confidence", "FP32");
    return Done(context);
  }

  ServerUnaryReactor* ModelConfig(CallbackServerContext* context,
                                  const inference::ModelConfigRequest*,
                                  inference::ModelConfigResponse* response) override {
    response->mutable_config()->set_name(model_);
    response->mutable_config()->set_max_batch_size(kMaxRows);
    return Done(context);
  }

  ServerUnaryReactor* ModelInfer(CallbackServerContext* context,
                                 const inference::ModelInferRequest* request,
                                 inference::ModelInferResponse* response) override {
    const int64_t rows = request->inputs_size() > 0 && request->inputs(0).shape_size() > 0
                             ? request->inputs(0).shape(0)
                             : 0;
    if (rows < 1 || rows > kMaxRows) {
      auto* const reactor = context->DefaultReactor();
      reactor->Finish({grpc::StatusCode::INVALID_ARGUMENT, "the first dimension is no row count"});
      return reactor;
    }
    response->set_model_name(request->model_name());
    response->set_model_version("1");
    response->set_id(request->id());
    const auto add_output = [&](const char* name, const char* datatype, int columns) {
      auto* const output = response->add_outputs();
      output->set_name(name);
      output->set_datatype(datatype);
      output->add_shape(rows);
      response->add_raw_output_contents()->resize(static_cast<size_t>(rows * columns) * 4);
      return output;
    };
    add_output("probabilities", "FP32", classes_)->add_shape(classes_);
    add_output("exit_stage", "INT32", 1);
    // Clients check it: everything left at the first stage.
    const std::vector<int32_t> first(static_cast<size_t>(rows), 1);
    std::memcpy(response->mutable_raw_output_contents(1)->data(), first.data(),
                first.size() * sizeof(int32_t));
    add_output("confidence", "FP32", 1);
    return Done(context);
  }

  static ServerUnaryReactor* Done(CallbackServerContext* context) {
    auto* const reactor = context->DefaultReactor();
    reactor->Finish(grpc::Status::OK);
    return reactor;
  }

  const std::string model_;
  const std::vector<int64_t> shape_;
  const int classes_;
};

}  // namespace

int main(int argc, char** argv) {
  CLI::App app("Answers inference requests at once, with zeros: the baseline of a benchmark.");
  std::string listen = "127.0.0.1:0";
  std::string model = "echo";
  std::vector<int64_t> shape = {28, 28};
  int classes = 10;
  app.add_option("--listen", listen, "ADDR:PORT")->capture_default_str();
  app.add_option("--model", model, "Name of the model")->capture_default_str();
  app.add_option("--shape", shape, "Dimensions of a row of the input 'image', UINT8")
      ->delimiter(',')
      ->capture_default_str();
  app.add_option("--classes", classes, "Elements of a row of the output 'probabilities'")
      ->capture_default_str();
  CLI11_PARSE(app, argc, argv);

  // Before gRPC's threads are started, which leave these to sigwait.
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGTERM);
  sigaddset(&signals, SIGINT);
  sigprocmask(SIG_BLOCK, &signals, nullptr);

  EchoService service(model, shape, classes);
  grpc::ServerBuilder builder;
  int port = 0;
  builder.AddChannelArgument(GRPC_ARG_ALLOW_REUSEPORT, 0);
  builder.SetMaxReceiveMessageSize(kMessageLimit);
  builder.AddListeningPort(listen, grpc::InsecureServerCredentials(), &port);
  builder.RegisterService(&service);
  const std::unique_ptr<grpc::Server> server = builder.BuildAndStart();
  if (server == nullptr) {
    std::cerr << "cannot listen on " << listen << '\n';
    return 1;
  }
  std::cout << "listening address=" << listen.substr(0, listen.rfind(':')) << ':' << port
            << std::endl;
  int signal_number = 0;
  sigwait(&signals, &signal_number);
  server->Shutdown(std::chrono::system_clock::now());
  return 0;
}
