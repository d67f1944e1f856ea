// escan-make-test-models DIR: writes the models that worker/torch/test_models.h describes.

#include <cstdlib>
#include <exception>
#include <filesystem>
#include <iostream>

#include "worker/torch/test_models.h"

int main(int argc, char** argv) {
  if (argc != 2) {
    std::cerr << "usage: escan-make-test-models DIR\n";
    return 2;
  }
  try {
    std::filesystem::create_directories(argv[1]);
    escan::SaveTestModels(argv[1]);
  } catch (const std::exception& error) {
    std::cerr << "escan-make-test-models: " << argv[1] << ": " << error.what() << "\n";
    return EXIT_FAILURE;
  }
  return EXIT_SUCCESS;
}
