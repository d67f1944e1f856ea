#include "server/protocol/json_request_reader.h"

#include <algorithm>
#include <initializer_list>
#include <limits>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

namespace escan {
namespace {

using Element = JsonElements::Element;

// What the text should hold at a key.
absl::string_view Expected(absl::string_view key) {
  if (key == "id" || key == "name" || key == "datatype") return "a string";
  if (key == "shape") return "an array of integers";
  if (key == "data") return "an array of numbers";
  if (key == "inputs" || key == "outputs") return "an array of objects";
  return "an object";
}

}  // namespace

absl::Status JsonRequestReader::Read(std::string_view json) {
  nlohmann::json_sax<nlohmann::json>* const events = this;
  if (nlohmann::json::sax_parse(json, events)) return absl::OkStatus();
  return absl::InvalidArgumentError(error_);
}

std::string JsonRequestReader::Where() const {
  std::string where;
  for (const Place place : places_) {
    if (place == Place::kInputs) absl::StrAppend(&where, "inputs");
    if (place == Place::kOutputs) absl::StrAppend(&where, "outputs");
    if (place == Place::kInput) absl::StrAppend(&where, "[", inputs_.size() - 1, "].");
    if (place == Place::kOutput) absl::StrAppend(&where, "[", binary_of_outputs_.size() - 1, "].");
  }
  if (places_.back() == Place::kText) return "the request";
  if (places_.back() == Place::kInputs || places_.back() == Place::kOutputs) return where;
  absl::StrAppend(&where, key_);
  if (IsParameters()) absl::StrAppend(&where, ".", parameter_);
  return where;
}

bool JsonRequestReader::Fail(absl::string_view why) {
  error_ = absl::StrCat(Where(), ": ", why);
  return false;
}

bool JsonRequestReader::Unexpected(absl::string_view found) {
  absl::string_view expected = Expected(key_);
  if (places_.back() == Place::kText) expected = "an object";
  if (places_.back() == Place::kInputs || places_.back() == Place::kOutputs) expected = "an object";
  if (IsParameters()) expected = "a bool, a number or a string";
  return Fail(absl::StrCat(found, ", expected ", expected));
}

bool JsonRequestReader::IsParameters() const {
  return places_.back() == Place::kParameters || places_.back() == Place::kInputParameters ||
         places_.back() == Place::kOutputParameters;
}

inference::InferParameter* JsonRequestReader::Parameter() {
  switch (places_.back()) {
    case Place::kInputParameters:
      return &(
          *header_->mutable_inputs(header_->inputs_size() - 1)->mutable_parameters())[parameter_];
    case Place::kOutputParameters:
      return &(
          *header_->mutable_outputs(header_->outputs_size() - 1)->mutable_parameters())[parameter_];
    default:
      return &(*header_->mutable_parameters())[parameter_];
  }
}

bool JsonRequestReader::TakeParameter(const Element& value) {
  const bool* const flag = std::get_if<bool>(&value);
  const uint64_t* const size = std::get_if<uint64_t>(&value);
  if (places_.back() == Place::kParameters && parameter_ == "binary_data_output" && flag) {
    binary_outputs_ = *flag;
    return true;
  }
  if (places_.back() == Place::kOutputParameters && parameter_ == "binary_data" && flag) {
    binary_of_outputs_.back() = *flag;
    return true;
  }
  if (places_.back() == Place::kInputParameters && parameter_ == "binary_data_size" && size) {
    inputs_.back().binary_bytes = *size;
    return true;
  }
  return false;
}

// What is null is as if it were not there.
bool JsonRequestReader::null() {
  const Place place = places_.back();
  const bool optional = place == Place::kRequest || place == Place::kInput ||
                        place == Place::kOutput || IsParameters();
  return optional || Unexpected("null");
}

bool JsonRequestReader::boolean(bool value) {
  if (places_.back() == Place::kData) return Number(value);
  if (!IsParameters()) return Unexpected("a bool");
  if (!TakeParameter(value)) Parameter()->set_bool_param(value);
  return true;
}

bool JsonRequestReader::number_integer(number_integer_t value) { return Number(value); }

bool JsonRequestReader::number_unsigned(number_unsigned_t value) { return Number(value); }

bool JsonRequestReader::number_float(number_float_t value, const string_t&) {
  return Number(value);
}

bool JsonRequestReader::Number(Element value) {
  if (places_.back() == Place::kData) {
    return inputs_.back().data.Add(value) || Fail("elements and arrays side by side");
  }
  const int64_t* const negative = std::get_if<int64_t>(&value);
  const uint64_t* const positive = std::get_if<uint64_t>(&value);
  constexpr auto kLargest = static_cast<uint64_t>(std::numeric_limits<int64_t>::max());
  const bool is_int64 = negative != nullptr || (positive != nullptr && *positive <= kLargest);
  const int64_t number = negative != nullptr   ? *negative
                         : positive != nullptr ? static_cast<int64_t>(*positive)
                                               : 0;
  if (places_.back() == Place::kShape) {
    if (!is_int64) return Fail("not an integer");
    header_->mutable_inputs(header_->inputs_size() - 1)->add_shape(number);
    return true;
  }
  if (!IsParameters()) return Unexpected("a number");
  if (TakeParameter(value)) return true;
  if (is_int64) {
    Parameter()->set_int64_param(number);
  } else if (positive != nullptr) {
    Parameter()->set_uint64_param(*positive);
  } else {
    Parameter()->set_double_param(std::get<double>(value));
  }
  return true;
}

bool JsonRequestReader::string(string_t& value) {
  if (IsParameters()) {
    Parameter()->set_string_param(std::move(value));
    return true;
  }
  if (places_.back() == Place::kData) return Fail("a string: BYTES is not supported");
  if (places_.back() == Place::kRequest && key_ == "id") {
    header_->set_id(std::move(value));
    return true;
  }
  if (places_.back() == Place::kInput && (key_ == "name" || key_ == "datatype")) {
    auto* const input = header_->mutable_inputs(header_->inputs_size() - 1);
    (key_ == "name" ? input->mutable_name() : input->mutable_datatype())->swap(value);
    return true;
  }
  if (places_.back() == Place::kOutput && key_ == "name") {
    header_->mutable_outputs(header_->outputs_size() - 1)->set_name(std::move(value));
    return true;
  }
  return Unexpected("a string");
}

bool JsonRequestReader::binary(binary_t&) { return Unexpected("bytes"); }

bool JsonRequestReader::start_object(std::size_t) {
  const Place place = places_.back();
  if (place == Place::kText) {
    places_.push_back(Place::kRequest);
    return true;
  }
  if (place == Place::kInputs) {
    header_->add_inputs();
    inputs_.emplace_back();
    places_.push_back(Place::kInput);
    return true;
  }
  if (place == Place::kOutputs) {
    header_->add_outputs();
    binary_of_outputs_.emplace_back();
    places_.push_back(Place::kOutput);
    return true;
  }
  const bool has_parameters =
      place == Place::kRequest || place == Place::kInput || place == Place::kOutput;
  if (!has_parameters || key_ != "parameters") return Unexpected("an object");
  places_.push_back(place == Place::kRequest ? Place::kParameters
                    : place == Place::kInput ? Place::kInputParameters
                                             : Place::kOutputParameters);
  return true;
}

bool JsonRequestReader::key(string_t& name) {
  if (IsParameters()) {
    parameter_ = std::move(name);
    return true;
  }
  static constexpr std::initializer_list<absl::string_view> kRequest = {"id", "parameters",
                                                                        "inputs", "outputs"};
  static constexpr std::initializer_list<absl::string_view> kInput = {"name", "shape", "datatype",
                                                                      "parameters", "data"};
  static constexpr std::initializer_list<absl::string_view> kOutput = {"name", "parameters"};
  const auto& known = places_.back() == Place::kRequest ? kRequest
                      : places_.back() == Place::kInput ? kInput
                                                        : kOutput;
  key_ = std::move(name);
  if (std::find(known.begin(), known.end(), key_) != known.end()) return true;
  return Fail(absl::StrCat("unknown key, known are ", absl::StrJoin(known, ", ")));
}

bool JsonRequestReader::end_object() {
  places_.pop_back();
  return true;
}

bool JsonRequestReader::start_array(std::size_t) {
  const Place place = places_.back();
  if (place == Place::kRequest && (key_ == "inputs" || key_ == "outputs")) {
    places_.push_back(key_ == "inputs" ? Place::kInputs : Place::kOutputs);
    return true;
  }
  if (place == Place::kInput && key_ == "shape") {
    places_.push_back(Place::kShape);
    return true;
  }
  if (place == Place::kInput && key_ == "data") {
    inputs_.back().has_data = true;
    places_.push_back(Place::kData);
  } else if (place != Place::kData) {
    return Unexpected("an array");
  }
  ++data_depth_;
  return inputs_.back().data.Open() || Fail("arrays nested too deeply, or beside elements");
}

bool JsonRequestReader::end_array() {
  if (places_.back() != Place::kData) {
    places_.pop_back();
    return true;
  }
  if (!inputs_.back().data.Close()) return Fail("arrays of different lengths at one depth");
  if (--data_depth_ == 0) places_.pop_back();
  return true;
}

bool JsonRequestReader::parse_error(std::size_t position, const std::string&,
                                    const nlohmann::detail::exception& error) {
  error_ = absl::StrCat("the request is not JSON: byte ", position, ": ", error.what());
  return false;
}

}  // namespace escan
