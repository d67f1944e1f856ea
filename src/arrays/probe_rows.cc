#include "arrays/probe_rows.h"

#include <algorithm>
#include <cstddef>
#include <map>
#include <random>
#include <utility>

#include "absl/strings/str_cat.h"
#include "arrays/array_file.h"
#include "arrays/random_tensor.h"
#include "contracts/tensor_values.h"

namespace escan {
namespace {

// Large buckets are filled with the same rows over and over, so that a few, whose right answers
// take the CPU some time, check each place of a batch.
constexpr int64_t kRandomRows = 4;
constexpr uint64_t kSeed = 1;

std::vector<std::string> RandomRows(const CascadeSpec& cascade) {
  std::mt19937_64 random(kSeed);
  std::vector<std::string> rows;
  for (const TensorSpec& input : cascade.inputs) {
    rows.push_back(RandomTensor(input, kRandomRows, random));
  }
  return rows;
}

absl::Status CheckArray(const TensorSpec& input, const Array& array) {
  const std::vector<int64_t> row_shape(array.shape.begin() + 1, array.shape.end());
  if (array.datatype == input.datatype && row_shape == input.shape) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat(
      "'", input.name, "' is ", std::string(Name(array.datatype)), " ", ShapeString(array.shape),
      ", expected ", std::string(Name(input.datatype)), " ", BatchedShapeString(input.shape)));
}

absl::StatusOr<std::vector<std::string>> RowsOf(const CascadeSpec& cascade,
                                                std::map<std::string, Array> arrays) {
  std::vector<std::string> rows;
  size_t count = 0;
  for (const TensorSpec& input : cascade.inputs) {
    const auto found = arrays.find(input.name);
    if (found == arrays.end()) {
      return absl::InvalidArgumentError(
          absl::StrCat("there is no array '", input.name, "', expected one for each input"));
    }
    Array& array = found->second;
    if (absl::Status status = CheckArray(input, array); !status.ok()) return status;
    const auto of_input = static_cast<size_t>(array.shape.front());
    if (!rows.empty() && of_input != count) {
      return absl::InvalidArgumentError(absl::StrCat("'", input.name, "' has ", of_input,
                                                     " rows, expected ", count, " as the others"));
    }
    count = of_input;
    array.bytes.resize(std::min(count, kMostProbeRows) * input.row_bytes());
    for (size_t row = 0; row < std::min(count, kMostProbeRows); ++row) {
      const auto* values =
          reinterpret_cast<const std::byte*>(array.bytes.data() + row * input.row_bytes());
      absl::Status status = CheckValues(input, static_cast<int>(row), values);
      if (!status.ok()) return status;
    }
    rows.push_back(std::move(array.bytes));
  }
  return rows;
}

}  // namespace

absl::StatusOr<std::vector<std::string>> ReadProbeRows(const CascadeSpec& cascade) {
  if (cascade.probe.empty()) return RandomRows(cascade);
  absl::StatusOr<std::map<std::string, Array>> arrays = ReadArrayArchive(cascade.probe);
  if (!arrays.ok()) return arrays.status();
  absl::StatusOr<std::vector<std::string>> rows = RowsOf(cascade, *std::move(arrays));
  if (rows.ok()) return rows;
  return absl::Status(rows.status().code(),
                      absl::StrCat(cascade.probe.string(), ": ", rows.status().message()));
}

}  // namespace escan
