// client ADDR:PORT: asks the Fashion-MNIST cascade for two images.

#include <grpcpp/grpcpp.h>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstring>
#include <iostream>
#include <iterator>
#include <string>
#include <vector>

#include "inference/grpc_service.grpc.pb.h"

namespace {

constexpr int kImages = 2;

// The elements of an output; raw bytes come in the order of the outputs.
template <typename T>
std::vector<T> Output(const inference::ModelInferResponse& answer, const std::string& name) {
  for (int i = 0; i < answer.outputs_size(); ++i) {
    if (answer.outputs(i).name() != name) continue;
    const std::string& bytes = answer.raw_output_contents(i);
    std::vector<T> values(bytes.size() / sizeof(T));
    std::memcpy(values.data(), bytes.data(), bytes.size());
    return values;
  }
  return {};
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) {
    std::cerr << "usage: client ADDR:PORT\n";
    return 2;
  }
  auto stub = inference::GRPCInferenceService::NewStub(
      grpc::CreateChannel(argv[1], grpc::InsecureChannelCredentials()));

  inference::ModelInferRequest request;
  request.set_model_name("fashion_mnist");
  auto* image = request.add_inputs();
  image->set_name("image");
  image->set_datatype("UINT8");
  for (int size : {kImages, 28, 28}) image->add_shape(size);
  request.add_raw_input_contents(std::string(kImages * 28 * 28, '\0'));

  grpc::ClientContext context;
  context.set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(10));
  inference::ModelInferResponse answer;
  const grpc::Status status = stub->ModelInfer(&context, request, &answer);
  if (!status.ok()) {
    std::cerr << status.error_message() << "\n";
    return 1;
  }
  const std::vector<float> probabilities = Output<float>(answer, "probabilities");
  const std::vector<int32_t> stages = Output<int32_t>(answer, "exit_stage");
  const size_t classes = probabilities.size() / kImages;
  for (size_t i = 0; i < stages.size(); ++i) {
    const auto row = probabilities.begin() + static_cast<std::ptrdiff_t>(i * classes);
    const auto best = std::max_element(row, row + static_cast<std::ptrdiff_t>(classes));
    std::cout << "class " << std::distance(row, best) << " from stage " << stages[i] << "\n";
  }
}
