#include "loadgen/answer_reader.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "escan/cascade.h"
#include "inference/grpc_service.pb.h"

namespace escan::loadgen {
namespace {

// Index of the output in the answer, -1 if it is not there. Servers answer in the model's order.
int FindOutput(const inference::ModelInferResponse& response, const std::string& name, int likely) {
  const int count = response.outputs_size();
  if (likely < count && response.outputs(likely).name() == name) return likely;
  for (int i = 0; i < count; ++i) {
    if (response.outputs(i).name() == name) return i;
  }
  return -1;
}

// Says what is wrong with the output at `index`; empty when it is as expected.
std::string Defect(const inference::ModelInferResponse& response, int index, const TensorSpec& spec,
                   int rows) {
  if (index < 0) return absl::StrCat("the answer has no output '", spec.name, "'");
  const std::string& datatype = response.outputs(index).datatype();
  if (datatype != Name(spec.datatype)) {
    return absl::StrFormat("'%s' is '%s', expected %s", spec.name, datatype, Name(spec.datatype));
  }
  if (index >= response.raw_output_contents_size()) {
    return absl::StrCat("'", spec.name, "' has no raw contents");
  }
  const size_t found = response.raw_output_contents(index).size();
  const size_t expected = static_cast<size_t>(rows) * spec.row_bytes();
  if (found == expected) return {};
  return absl::StrFormat("'%s' has %d bytes, expected %d for %d rows", spec.name, found, expected,
                         rows);
}

}  // namespace

AnswerReader::AnswerReader(std::vector<TensorSpec> outputs, std::string label_output)
    : outputs_(std::move(outputs)), label_output_(std::move(label_output)) {}

AnswerTensors AnswerReader::Read(const inference::ModelInferResponse& response, int rows) const {
  AnswerTensors tensors;
  tensors.outputs.reserve(outputs_.size());
  for (const TensorSpec& spec : outputs_) {
    const int index = FindOutput(response, spec.name, static_cast<int>(tensors.outputs.size()));
    if (std::string defect = Defect(response, index, spec, rows); !defect.empty()) {
      return {.defect = std::move(defect)};
    }
    const std::string_view contents = response.raw_output_contents(index);
    tensors.outputs.push_back(contents);
    if (spec.name == kExitStageOutput) tensors.exit_stages = contents;
    if (spec.name == label_output_) tensors.scores = contents;
  }
  return tensors;
}

}  // namespace escan::loadgen
