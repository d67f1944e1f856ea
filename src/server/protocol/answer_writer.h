#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/strings/string_view.h"
#include "escan/cascade.h"
#include "scheduling/brown_out.h"
#include "scheduling/scheduler.h"
#include "server/protocol/contract.h"

namespace escan {

// One answered request, as AnswerWriter needs it.
struct Answer {
  absl::string_view id;
  std::span<const SampleAnswer> rows;  // where each row left
  std::span<const int> outputs;        // which of AnswerTensors(), in the order to answer in
  bool mark_final = false;             // adds the parameter triton_final_response: true
  int brown_out = 0;                   // above 0: adds the parameter brown_out with this level
  // The bytes of a row of one of the cascade's own outputs.
  absl::FunctionRef<const std::byte*(int row, int output)> data;
};

// Serializes a cascade's answers as ModelInferResponse: what is the same in all of them is encoded
// once, and tensor bytes go from their slots to the message in one copy. Immutable, so any thread
// may use it. Outputs are always raw, one entry each, as clients index them unchecked.
class AnswerWriter {
 public:
  explicit AnswerWriter(const CascadeSpec& cascade, absl::string_view version = kModelVersion);

  // Bytes that Write() produces.
  size_t Size(const Answer& answer) const;
  void Write(const Answer& answer, uint8_t* to) const;

  // The same inside a ModelStreamInferResponse.
  size_t StreamSize(const Answer& answer) const;
  void WriteStream(const Answer& answer, uint8_t* to) const;

 private:
  struct Output {
    std::string name_and_datatype;  // encoded fields of InferOutputTensor
    std::string row_shape;          // encoded dimensions after the first
    size_t row_bytes = 0;
  };

  size_t TensorSize(const Output& output, size_t rows) const;
  uint8_t* WriteRaw(const Answer& answer, int index, uint8_t* to) const;

  std::string model_;  // encoded model_name and model_version
  std::string final_;  // encoded parameter
  std::array<std::string, BrownOut::kLevels + 1>
      brown_out_;  // by level: encoded parameter, or none
  std::vector<Output> outputs_;
  int exit_stage_ = 0;  // index in outputs_; the confidence follows
};

}  // namespace escan
