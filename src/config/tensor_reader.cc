#include "config/tensor_reader.h"

#include <algorithm>
#include <cstdint>
#include <optional>
#include <string>

#include "absl/strings/str_cat.h"
#include "config/scalars.h"
#include "config/slots.h"
#include "escan/cascade.h"

namespace escan {
namespace {

constexpr size_t kMaxTensors = 64;
constexpr size_t kMaxDimensions = 8;

std::vector<int64_t> ReadShape(const NodeReader& node, Datatype datatype) {
  std::vector<int64_t> shape;
  size_t row_bytes = ByteSize(datatype);
  for (const NodeReader& dimension : node.AsList(0, kMaxDimensions)) {
    const int64_t size = dimension.AsInteger(1, kSlabBytes).value_or(1);
    shape.push_back(size);
    row_bytes = std::min(row_bytes, kSlabBytes) * static_cast<size_t>(size);
  }
  if (row_bytes > kSlabBytes) node.AddMistake("a row takes more than 1 GiB");
  return shape;
}

std::optional<IntegerRange> ReadRange(const NodeReader& node, Datatype datatype) {
  if (!node.present()) return std::nullopt;
  if (!IsInteger(datatype)) {
    node.AddMistake(
        absl::StrCat("is for integer datatypes, not for ", std::string(Name(datatype))));
    return std::nullopt;
  }
  const IntegerRange values = ValuesOf(datatype);
  const std::vector<NodeReader> bounds = node.AsList(2, 2);
  if (bounds.empty()) return std::nullopt;
  const std::optional<int64_t> min = bounds[0].AsInteger(values.min, values.max);
  const std::optional<int64_t> max = bounds[1].AsInteger(values.min, values.max);
  if (!min.has_value() || !max.has_value()) return std::nullopt;
  if (*min > *max) {
    node.AddMistake(absl::StrCat("the smallest value, ", *min, ", is above the largest, ", *max));
  }
  return IntegerRange{*min, *max};
}

TensorSpec ReadTensor(const NodeReader& node, TensorRole role) {
  using Keys = std::vector<std::string>;
  const MapReader map(node, role == TensorRole::kInput ? Keys{"name", "datatype", "shape", "range"}
                                                       : Keys{"name", "datatype", "shape"});
  TensorSpec tensor;
  tensor.name = map.Required("name").AsParsed(ParseName).value_or("");
  const std::optional<Datatype> datatype = map.Required("datatype").AsParsed(ParseTensorDatatype);
  tensor.datatype = datatype.value_or(Datatype::kUint8);
  tensor.shape = ReadShape(map.Required("shape"), tensor.datatype);
  if (datatype.has_value()) tensor.range = ReadRange(map["range"], *datatype);
  if (role == TensorRole::kOutput &&
      (tensor.name == kExitStageOutput || tensor.name == kConfidenceOutput)) {
    map["name"].AddMistake(
        absl::StrCat(tensor.name, " is reserved: the server adds it to every answer"));
  }
  return tensor;
}

}  // namespace

std::vector<TensorSpec> ReadTensors(const NodeReader& node, TensorRole role) {
  const size_t mistakes_before = node.mistakes()->count();
  std::vector<TensorSpec> tensors;
  for (const NodeReader& element : node.AsList(1, kMaxTensors)) {
    TensorSpec tensor = ReadTensor(element, role);
    const bool taken = std::any_of(tensors.begin(), tensors.end(), [&](const TensorSpec& other) {
      return !tensor.name.empty() && other.name == tensor.name;
    });
    if (taken) element.AddMistake(absl::StrCat("there is another tensor named ", tensor.name));
    tensors.push_back(std::move(tensor));
  }
  if (node.mistakes()->count() != mistakes_before) tensors.clear();
  return tensors;
}

}  // namespace escan
