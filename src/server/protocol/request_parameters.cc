#include "server/protocol/request_parameters.h"

#include <cstdint>
#include <limits>

#include "absl/status/status.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"

namespace escan {
namespace {

using inference::InferParameter;

constexpr char kFinalMark[] = "triton_enable_empty_final_response";

std::string Shown(const InferParameter& value) {
  switch (value.parameter_choice_case()) {
    case InferParameter::kBoolParam:
      return value.bool_param() ? "true" : "false";
    case InferParameter::kInt64Param:
      return absl::StrCat(value.int64_param());
    case InferParameter::kStringParam:
      return absl::StrCat("\"", value.string_param(), "\"");
    case InferParameter::kDoubleParam:
      return absl::StrCat(value.double_param());
    case InferParameter::kUint64Param:
      return absl::StrCat(value.uint64_param());
    case InferParameter::PARAMETER_CHOICE_NOT_SET:
      break;
  }
  return "(no value)";
}

absl::Status Refused(absl::string_view name, const InferParameter& value,
                     absl::string_view expected) {
  return absl::InvalidArgumentError(
      absl::StrCat("parameter '", name, "': ", Shown(value), " is not ", expected));
}

std::optional<uint64_t> NonNegativeInteger(const InferParameter& value) {
  if (value.has_uint64_param()) return value.uint64_param();
  if (value.has_int64_param() && value.int64_param() >= 0) {
    return static_cast<uint64_t>(value.int64_param());
  }
  return std::nullopt;
}

// The value that says "not used": false, 0 or an empty string.
bool IsUnset(const InferParameter& value) {
  switch (value.parameter_choice_case()) {
    case InferParameter::kBoolParam:
      return !value.bool_param();
    case InferParameter::kInt64Param:
      return value.int64_param() == 0;
    case InferParameter::kStringParam:
      return value.string_param().empty();
    case InferParameter::kUint64Param:
      return value.uint64_param() == 0;
    default:
      return false;
  }
}

// One label, or the labels of several rows as "3,7,1".
absl::Status ReadLabels(absl::string_view name, const InferParameter& value,
                        std::vector<int64_t>* labels) {
  if (value.has_int64_param()) {
    labels->push_back(value.int64_param());
    return absl::OkStatus();
  }
  if (const std::optional<uint64_t> label = NonNegativeInteger(value);
      label.has_value() && *label <= uint64_t{std::numeric_limits<int64_t>::max()}) {
    labels->push_back(static_cast<int64_t>(*label));
    return absl::OkStatus();
  }
  for (const absl::string_view text : absl::StrSplit(value.string_param(), ',')) {
    int64_t label = 0;
    if (!absl::SimpleAtoi(text, &label)) {
      return Refused(name, value, "a class, or classes of rows as \"3,7,1\"");
    }
    labels->push_back(label);
  }
  return absl::OkStatus();
}

absl::Status ReadOne(absl::string_view name, const InferParameter& value,
                     RequestParameters* parameters) {
  if (name == "priority") {
    const std::optional<uint64_t> level = NonNegativeInteger(value);
    if (!level.has_value() || *level > uint64_t{kLowestPriority}) {
      return Refused(name, value, "0 (default), 1 (highest), 2 or 3 (lowest)");
    }
    if (*level != 0) parameters->priority = static_cast<int>(*level);
    return absl::OkStatus();
  }
  if (name == "timeout") {
    const std::optional<uint64_t> microseconds = NonNegativeInteger(value);
    if (!microseconds.has_value()) return Refused(name, value, "a number of microseconds >= 0");
    constexpr uint64_t kLongest = std::numeric_limits<int64_t>::max() / 1000;
    if (*microseconds != 0 && *microseconds < kLongest) {
      parameters->timeout = std::chrono::microseconds(*microseconds);
    }
    return absl::OkStatus();
  }
  if (name == "ground_truth") return ReadLabels(name, value, &parameters->labels);
  if (name == kFinalMark) {
    return value.has_bool_param() ? absl::OkStatus() : Refused(name, value, "a bool");
  }
  if (absl::StartsWith(name, "sequence_")) {
    if (IsUnset(value)) return absl::OkStatus();
    return absl::InvalidArgumentError(absl::StrCat(
        "parameter '", name, "': sequences are not supported, every request stands alone"));
  }
  return absl::InvalidArgumentError(
      absl::StrCat("unknown parameter '", name, "': known are priority, timeout, ground_truth and ",
                   kFinalMark));
}

}  // namespace

absl::StatusOr<RequestParameters> ReadRequestParameters(const ParameterMap& parameters) {
  RequestParameters read;
  for (const auto& [name, value] : parameters) {
    if (absl::Status status = ReadOne(name, value, &read); !status.ok()) return status;
  }
  return read;
}

bool AsksForFinalMark(const ParameterMap& parameters) {
  const auto found = parameters.find(kFinalMark);
  return found != parameters.end() && found->second.bool_param();
}

absl::Status CheckTensorParameters(absl::string_view what, const ParameterMap& parameters) {
  for (const auto& [name, value] : parameters) {
    if (absl::StartsWith(name, "shared_memory_")) {
      return absl::InvalidArgumentError(
          absl::StrCat(what, ": parameter '", name,
                       "': shared memory is not supported, tensors travel inside the messages"));
    }
    if (name == "classification") {
      if (IsUnset(value)) continue;
      return absl::InvalidArgumentError(absl::StrCat(
          what, ": parameter 'classification': not supported, ask for the output itself"));
    }
    return absl::InvalidArgumentError(
        absl::StrCat(what, ": unknown parameter '", name, "': tensors take none"));
  }
  return absl::OkStatus();
}

}  // namespace escan
