#pragma once

#include <string>
#include <vector>

#include "escan/tensor.h"
#include "loadgen/tally.h"

namespace inference {
class ModelInferResponse;
}

namespace escan::loadgen {

// Finds a model's outputs in its answers, and checks them against what the model's metadata says.
// Immutable, so any thread may use it.
class AnswerReader {
 public:
  // `label_output` is the output whose scores are read; may be empty.
  AnswerReader(std::vector<TensorSpec> outputs, std::string label_output);

  // Refers to `response`. An output that is missing, has no raw contents, or has another datatype
  // or size than `rows` rows of it is a defect of the answer.
  AnswerTensors Read(const inference::ModelInferResponse& response, int rows) const;

 private:
  const std::vector<TensorSpec> outputs_;
  const std::string label_output_;
};

}  // namespace escan::loadgen
