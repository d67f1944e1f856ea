#include "ctl/rollout_options.h"

#include <filesystem>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "absl/time/time.h"

namespace escan::ctl {
namespace {

absl::Status Wrong(const std::string& text, const char* expected) {
  return absl::InvalidArgumentError(absl::StrCat("'", text, "' is not ", expected));
}

absl::Status AddCondition(const std::string& text, v1::RolloutConditions* conditions) {
  constexpr char kExpected[] = "a condition, as agreement<97%, p99>20ms or errors>1% is";
  const size_t sign = text.find_first_of("<>");
  if (sign == std::string::npos) return Wrong(text, kExpected);
  const std::string what = text.substr(0, sign + 1);
  const std::string value = text.substr(sign + 1);
  if (what == "p99>" && !conditions->has_p99_above()) {
    return SetRolloutDuration(value, conditions->mutable_p99_above());
  }
  const bool agreement = what == "agreement<" && !conditions->has_agreement_below();
  if (!agreement && (what != "errors>" || conditions->has_errors_above())) {
    return Wrong(text, kExpected);
  }
  const absl::StatusOr<double> part = ParsePart(value);
  if (!part.ok()) return part.status();
  if (agreement) {
    conditions->set_agreement_below(*part);
  } else {
    conditions->set_errors_above(*part);
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<double> ParsePart(const std::string& text) {
  absl::string_view number = text;
  const double unit = absl::ConsumeSuffix(&number, "%") ? 100 : 1;
  double value = 0;
  if (!absl::SimpleAtod(number, &value) || !(value >= 0) || value > unit) {
    return Wrong(text, "a part, as 5% or 0.05 is");
  }
  return value / unit;
}

absl::Status AddStageModel(const std::string& text, v1::StartRolloutRequest* request) {
  const size_t equals = text.find('=');
  if (equals == 0 || equals == std::string::npos || equals + 1 == text.size()) {
    return Wrong(text, "STAGE=FILE, as small=small_v2.pt is");
  }
  const std::string stage = text.substr(0, equals);
  std::error_code error;
  const std::filesystem::path file =
      std::filesystem::absolute(text.substr(equals + 1), error).lexically_normal();
  if (!request->mutable_stage_models()->insert({stage, file.string()}).second) {
    return absl::InvalidArgumentError(absl::StrCat("stage '", stage, "' is named twice"));
  }
  return absl::OkStatus();
}

absl::StatusOr<v1::RolloutConditions> ParseConditions(const std::string& text) {
  v1::RolloutConditions conditions;
  const std::vector<std::string> parts = absl::StrSplit(text, ',');
  for (const std::string& part : parts) {
    if (absl::Status status = AddCondition(part, &conditions); !status.ok()) return status;
  }
  return conditions;
}

absl::Status SetRolloutDuration(const std::string& text, google::protobuf::Duration* duration) {
  absl::Duration value;
  if (!absl::ParseDuration(text, &value) || value <= absl::ZeroDuration() ||
      value > absl::Hours(24 * 365)) {
    return Wrong(text, "a duration, as 10m or 20ms is");
  }
  const int64_t nanoseconds = absl::ToInt64Nanoseconds(value);
  duration->set_seconds(nanoseconds / 1'000'000'000);
  duration->set_nanos(static_cast<int32_t>(nanoseconds % 1'000'000'000));
  return absl::OkStatus();
}

}  // namespace escan::ctl
