#include "server/protocol/rest_answer.h"

#include <array>
#include <bit>
#include <charconv>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <nlohmann/json.hpp>

#include "absl/strings/str_cat.h"
#include "server/protocol/contract.h"

namespace escan {
namespace {

template <typename T>
void AppendNumber(T value, std::string* to) {
  if constexpr (std::is_floating_point_v<T>) {
    if (!std::isfinite(value)) {
      to->append("null");
      return;
    }
  }
  std::array<char, 32> text;
  const std::to_chars_result end = std::to_chars(text.data(), text.data() + text.size(), value);
  to->append(text.data(), end.ptr);
}

// IEEE 754 binary16.
float FromHalf(uint16_t bits) {
  const int exponent = bits >> 10 & 0x1F;
  const int fraction = bits & 0x3FF;
  const float sign = bits >> 15 != 0 ? -1.0f : 1.0f;
  if (exponent == 0x1F) return fraction != 0 ? std::nanf("") : sign * INFINITY;
  if (exponent == 0) return sign * std::ldexp(static_cast<float>(fraction), -24);
  return sign * std::ldexp(static_cast<float>(fraction + 0x400), exponent - 25);
}

template <typename T>
T Read(const std::byte* from) {
  T value;
  std::memcpy(&value, from, sizeof(value));
  return value;
}

void AppendElement(Datatype datatype, const std::byte* from, std::string* to) {
  switch (datatype) {
    case Datatype::kBool:
      to->append(Read<uint8_t>(from) != 0 ? "true" : "false");
      return;
    case Datatype::kUint8:
      return AppendNumber(unsigned{Read<uint8_t>(from)}, to);
    case Datatype::kUint16:
      return AppendNumber(Read<uint16_t>(from), to);
    case Datatype::kUint32:
      return AppendNumber(Read<uint32_t>(from), to);
    case Datatype::kUint64:
      return AppendNumber(Read<uint64_t>(from), to);
    case Datatype::kInt8:
      return AppendNumber(int{Read<int8_t>(from)}, to);
    case Datatype::kInt16:
      return AppendNumber(Read<int16_t>(from), to);
    case Datatype::kInt32:
      return AppendNumber(Read<int32_t>(from), to);
    case Datatype::kInt64:
      return AppendNumber(Read<int64_t>(from), to);
    case Datatype::kFp16:
      return AppendNumber(FromHalf(Read<uint16_t>(from)), to);
    case Datatype::kFp32:
      return AppendNumber(Read<float>(from), to);
    case Datatype::kFp64:
      return AppendNumber(Read<double>(from), to);
    case Datatype::kBf16:
      return AppendNumber(std::bit_cast<float>(uint32_t{Read<uint16_t>(from)} << 16), to);
  }
}

// Calls `visit` with the bytes of each row of an output.
template <typename Visitor>
void ForEachRow(const Answer& answer, int output, size_t own_outputs, const Visitor& visit) {
  for (size_t row = 0; row < answer.rows.size(); ++row) {
    const SampleAnswer& sample = answer.rows[row];
    const auto index = static_cast<size_t>(output);
    if (index < own_outputs) {
      visit(answer.data(static_cast<int>(row), output));
    } else if (index == own_outputs) {
      const int32_t exit_stage = sample.stage + 1;
      visit(reinterpret_cast<const std::byte*>(&exit_stage));
    } else {
      visit(reinterpret_cast<const std::byte*>(&sample.score));
    }
  }
}

std::string Quoted(absl::string_view text) {
  return nlohmann::json(std::string(text))
      .dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

}  // namespace

RestAnswer FormRestAnswer(const RestModel& model, const std::vector<TensorSpec>& tensors,
                          const Answer& answer, const RestRequest& form) {
  const size_t own_outputs = tensors.size() - 2;  // exit_stage and confidence follow
  RestAnswer formed;
  std::string& json = formed.body;
  std::string binary;
  absl::StrAppend(&json, "{\"model_name\":", Quoted(model.name),
                  ",\"model_version\":", Quoted(model.version));
  if (!answer.id.empty()) absl::StrAppend(&json, ",\"id\":", Quoted(answer.id));
  if (answer.brown_out > 0) {
    absl::StrAppend(&json, ",\"parameters\":{\"brown_out\":", answer.brown_out, "}");
  }
  absl::StrAppend(&json, ",\"outputs\":[");
  for (size_t i = 0; i < answer.outputs.size(); ++i) {
    const int output = answer.outputs[i];
    const TensorSpec& tensor = tensors[static_cast<size_t>(output)];
    std::vector<int64_t> shape = {static_cast<int64_t>(answer.rows.size())};
    shape.insert(shape.end(), tensor.shape.begin(), tensor.shape.end());
    absl::StrAppend(&json, i == 0 ? "" : ",", "{\"name\":", Quoted(tensor.name), ",\"datatype\":\"",
                    std::string(Name(tensor.datatype)), "\",\"shape\":", ShapeString(shape));
    if (form.IsBinary(i)) {
      formed.binary = true;
      absl::StrAppend(&json, ",\"parameters\":{\"binary_data_size\":",
                      answer.rows.size() * tensor.row_bytes(), "}}");
      ForEachRow(answer, output, own_outputs, [&](const std::byte* row) {
        binary.append(reinterpret_cast<const char*>(row), tensor.row_bytes());
      });
      continue;
    }
    json.append(",\"data\":[");
    ForEachRow(answer, output, own_outputs, [&](const std::byte* row) {
      for (int64_t element = 0; element < tensor.elements(); ++element) {
        if (json.back() != '[') json.push_back(',');
        AppendElement(tensor.datatype,
                      row + static_cast<size_t>(element) * ByteSize(tensor.datatype), &json);
      }
    });
    json.append("]}");
  }
  json.append("]}");
  formed.json_bytes = json.size();
  json.append(binary);
  return formed;
}

}  // namespace escan
