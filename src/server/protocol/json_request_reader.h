#pragma once

#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "inference/grpc_service.pb.h"
#include "server/protocol/json_elements.h"

namespace escan {

// The JSON of an inference request as it is read: nothing but what the protocol knows is kept, so a
// text takes no more than eight times its bytes, whatever it says.
// https://github.com/kserve/open-inference-protocol, "Inference Request JSON Object", and Triton's
// extension for binary tensor data.
class JsonRequestReader final : public nlohmann::json_sax<nlohmann::json> {
 public:
  // The input at the same place in the header.
  struct Input {
    JsonElements data;
    bool has_data = false;
    std::optional<uint64_t> binary_bytes;  // the parameter binary_data_size
  };

  // Fills `header`, which outlives the reader.
  explicit JsonRequestReader(inference::ModelInferRequest* header) : header_(header) {}

  // Once; InvalidArgument naming the place in the text.
  absl::Status Read(std::string_view json);

  const std::vector<Input>& inputs() const { return inputs_; }
  bool binary_outputs() const { return binary_outputs_; }  // the parameter binary_data_output
  // The parameters binary_data of the outputs that are asked for.
  const std::vector<std::optional<bool>>& binary_of_outputs() const { return binary_of_outputs_; }

 private:
  enum class Place {
    kText,
    kRequest,
    kParameters,
    kInputs,
    kInput,
    kInputParameters,
    kShape,
    kData,
    kOutputs,
    kOutput,
    kOutputParameters,
  };

  // json_sax
  bool null() override;
  bool boolean(bool value) override;
  bool number_integer(number_integer_t value) override;
  bool number_unsigned(number_unsigned_t value) override;
  bool number_float(number_float_t value, const string_t& text) override;
  bool string(string_t& value) override;
  bool binary(binary_t& value) override;
  bool start_object(std::size_t size) override;
  bool key(string_t& name) override;
  bool end_object() override;
  bool start_array(std::size_t size) override;
  bool end_array() override;
  bool parse_error(std::size_t position, const std::string& token,
                   const nlohmann::detail::exception& error) override;

  bool IsParameters() const;
  bool Number(JsonElements::Element value);
  // Takes the parameters that only the reader needs.
  bool TakeParameter(const JsonElements::Element& value);
  inference::InferParameter* Parameter();
  std::string Where() const;
  bool Fail(absl::string_view why);
  bool Unexpected(absl::string_view found);

  inference::ModelInferRequest* const header_;
  std::vector<Input> inputs_;
  bool binary_outputs_ = false;
  std::vector<std::optional<bool>> binary_of_outputs_;

  std::vector<Place> places_ = {Place::kText};
  std::string key_;        // of the request, the input or the output
  std::string parameter_;  // key of a parameter
  size_t data_depth_ = 0;  // arrays that are open in data
  std::string error_;
};

}  // namespace escan
