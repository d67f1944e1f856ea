#pragma once

#include <grpcpp/server.h>

#include <atomic>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "inference/grpc_service.grpc.pb.h"

namespace escan::loadgen {

// A server inside the test with one model, "digits": input `image` UINT8 [N,4], outputs
// `probabilities` FP32 [N,3] and `exit_stage` INT32 [N]. A row's class is its first byte, its stage
// the second. There is another one that the index leaves out, "graded", with a second input
// `difficulty` FP32 [N,1]: with one in [k, k + 1) a row's stage is k + 1. Requests are answered at
// once unless Hold() was called.
class FakeInferenceServer : public inference::GRPCInferenceService::CallbackService {
 public:
  using Verdict = std::function<grpc::Status(const inference::ModelInferRequest&)>;
  using Falsify = std::function<void(inference::ModelInferResponse*)>;

  // `verdict` decides which requests are answered with an error; any thread calls it.
  explicit FakeInferenceServer(Verdict verdict = [](const auto&) { return grpc::Status::OK; });
  ~FakeInferenceServer() override;

  const std::string& target() const { return target_; }

  // Changes all answers from now on; any thread calls it. Before the first request.
  void set_falsify(Falsify falsify) { falsify_ = std::move(falsify); }

  int64_t requests() const { return requests_; }

  // Requests from now on are kept until Release().
  void Hold();
  void Release();

  grpc::ServerUnaryReactor* RepositoryIndex(grpc::CallbackServerContext* context,
                                            const inference::RepositoryIndexRequest* request,
                                            inference::RepositoryIndexResponse* response) override;
  grpc::ServerUnaryReactor* ModelMetadata(grpc::CallbackServerContext* context,
                                          const inference::ModelMetadataRequest* request,
                                          inference::ModelMetadataResponse* response) override;
  grpc::ServerUnaryReactor* ModelInfer(grpc::CallbackServerContext* context,
                                       const inference::ModelInferRequest* request,
                                       inference::ModelInferResponse* response) override;

 private:
  const Verdict verdict_;
  Falsify falsify_ = [](auto*) {};
  std::atomic<int64_t> requests_{0};
  std::mutex mutex_;
  bool holding_ = false;
  std::vector<std::function<void()>> held_;
  std::string target_;
  std::unique_ptr<grpc::Server> server_;
};

}  // namespace escan::loadgen
