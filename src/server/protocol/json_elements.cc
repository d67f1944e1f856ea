#include "server/protocol/json_elements.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <optional>
#include <type_traits>
#include <utility>

#include "absl/strings/str_cat.h"

namespace escan {
namespace {

constexpr size_t kMaxDepth = 32;

std::string Shown(const JsonElements::Element& element) {
  if (const bool* value = std::get_if<bool>(&element)) return *value ? "true" : "false";
  return std::visit([](auto value) { return absl::StrCat(value); }, element);
}

// The number as a T; nullopt where T does not hold it. A whole number may be written as 1.0.
template <typename T>
std::optional<T> Converted(const JsonElements::Element& element) {
  return std::visit(
      [](auto value) -> std::optional<T> {
        using From = decltype(value);
        if constexpr (std::is_same_v<T, bool> || std::is_same_v<From, bool>) {
          if constexpr (std::is_same_v<T, From>) return value;
          return std::nullopt;
        } else if constexpr (std::is_floating_point_v<T>) {
          const T converted = static_cast<T>(value);
          return std::isfinite(converted) ? std::optional(converted) : std::nullopt;
        } else if constexpr (std::is_same_v<From, double>) {
          // 2^63 and 2^64 are doubles, the largest integers below them are not.
          constexpr auto kMin = static_cast<double>(std::numeric_limits<T>::min());
          constexpr double kEnd = static_cast<double>(std::numeric_limits<T>::max() / 2 + 1) * 2;
          if (value < kMin || value >= kEnd || value != std::trunc(value)) return std::nullopt;
          return static_cast<T>(value);
        } else {
          return std::in_range<T>(value) ? std::optional(static_cast<T>(value)) : std::nullopt;
        }
      },
      element);
}

template <typename T>
absl::StatusOr<std::string> Convert(absl::string_view input, Datatype datatype,
                                    const std::vector<JsonElements::Element>& elements) {
  std::string memory(elements.size() * sizeof(T), '\0');
  for (size_t i = 0; i < elements.size(); ++i) {
    const std::optional<T> value = Converted<T>(elements[i]);
    if (!value.has_value()) {
      return absl::InvalidArgumentError(absl::StrCat("input '", input, "': element ", i, " is ",
                                                     Shown(elements[i]), ", not a value of ",
                                                     std::string(Name(datatype))));
    }
    std::memcpy(memory.data() + i * sizeof(T), &*value, sizeof(T));
  }
  return memory;
}

}  // namespace

bool JsonElements::Open() {
  if (depth_ == kMaxDepth || (leaf_depth_ > 0 && depth_ >= leaf_depth_)) return false;
  if (depth_ > 0) ++counts_[depth_ - 1];
  ++depth_;
  counts_.resize(depth_);
  counts_.back() = 0;
  sizes_.resize(std::max(sizes_.size(), depth_), -1);
  return true;
}

bool JsonElements::Close() {
  --depth_;
  const int64_t first = std::exchange(sizes_[depth_], counts_[depth_]);
  return first == -1 || first == counts_[depth_];
}

bool JsonElements::Add(Element element) {
  if (leaf_depth_ == 0) leaf_depth_ = depth_;
  if (depth_ != leaf_depth_) return false;
  ++counts_[depth_ - 1];
  elements_.push_back(element);
  return true;
}

absl::Status JsonElements::CheckShape(absl::string_view input,
                                      std::span<const int64_t> shape) const {
  const std::string wanted = ShapeString({shape.begin(), shape.end()});
  if (leaf_depth_ > 1) {
    if (std::equal(sizes_.begin(), sizes_.end(), shape.begin(), shape.end())) {
      return absl::OkStatus();
    }
    return absl::InvalidArgumentError(absl::StrCat("input '", input, "': data is nested as ",
                                                   ShapeString(sizes_), ", expected ", wanted));
  }
  int64_t expected = 1;
  bool overflow = false;
  for (const int64_t dimension : shape) {
    overflow = __builtin_mul_overflow(expected, dimension, &expected) || overflow;
  }
  if (!overflow && expected == static_cast<int64_t>(elements_.size())) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat("input '", input, "': data has ", elements_.size(),
                                                 " elements, expected those of ", wanted));
}

absl::StatusOr<std::string> JsonElements::InMemory(absl::string_view input, Datatype datatype,
                                                   std::span<const int64_t> shape) const {
  if (absl::Status status = CheckShape(input, shape); !status.ok()) return status;
  switch (datatype) {
    case Datatype::kBool:
      return Convert<bool>(input, datatype, elements_);
    case Datatype::kUint8:
      return Convert<uint8_t>(input, datatype, elements_);
    case Datatype::kUint16:
      return Convert<uint16_t>(input, datatype, elements_);
    case Datatype::kUint32:
      return Convert<uint32_t>(input, datatype, elements_);
    case Datatype::kUint64:
      return Convert<uint64_t>(input, datatype, elements_);
    case Datatype::kInt8:
      return Convert<int8_t>(input, datatype, elements_);
    case Datatype::kInt16:
      return Convert<int16_t>(input, datatype, elements_);
    case Datatype::kInt32:
      return Convert<int32_t>(input, datatype, elements_);
    case Datatype::kInt64:
      return Convert<int64_t>(input, datatype, elements_);
    case Datatype::kFp32:
      return Convert<float>(input, datatype, elements_);
    case Datatype::kFp64:
      return Convert<double>(input, datatype, elements_);
    case Datatype::kFp16:
    case Datatype::kBf16:
      break;
  }
  return absl::InvalidArgumentError(
      absl::StrCat("input '", input, "': ", std::string(Name(datatype)),
                   " travels only as binary data, whose size is the parameter binary_data_size"));
}

}  // namespace escan
