#include "loadgen/sample_set.h"

#include <algorithm>
#include <map>
#include <random>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "arrays/random_tensor.h"

namespace escan::loadgen {
namespace {

std::string InputNames(absl::Span<const TensorSpec> inputs) {
  return absl::StrJoin(inputs, ", ", [](std::string* out, const TensorSpec& spec) {
    absl::StrAppend(out, spec.name);
  });
}

// The file of every input, in the model's order.
absl::StatusOr<std::vector<std::filesystem::path>> MatchFiles(absl::Span<const TensorSpec> inputs,
                                                              absl::Span<const InputFile> files) {
  std::vector<std::filesystem::path> matched(inputs.size());
  for (const InputFile& file : files) {
    const auto input =
        file.input.empty() && inputs.size() == 1
            ? inputs.begin()
            : std::find_if(inputs.begin(), inputs.end(),
                           [&](const TensorSpec& spec) { return spec.name == file.input; });
    if (input == inputs.end()) {
      return absl::InvalidArgumentError(absl::StrCat(
          file.file.native(), ": ",
          file.input.empty() ? std::string("names no input")
                             : absl::StrCat("the model has no input '", file.input, "'"),
          "; its inputs are ", InputNames(inputs)));
    }
    std::filesystem::path& place = matched[static_cast<size_t>(input - inputs.begin())];
    if (!place.empty()) {
      return absl::InvalidArgumentError(absl::StrCat("input '", input->name, "' has two files: ",
                                                     place.native(), " and ", file.file.native()));
    }
    place = file.file;
  }
  for (size_t i = 0; i < inputs.size(); ++i) {
    if (matched[i].empty()) {
      return absl::InvalidArgumentError(absl::StrCat(
          "input '", inputs[i].name, "' has no file; the model's inputs are ", InputNames(inputs)));
    }
  }
  return matched;
}

absl::Status CheckAgainst(const TensorSpec& spec, const std::filesystem::path& file,
                          const Array& array) {
  const std::vector<int64_t> row_shape(array.shape.begin() + 1, array.shape.end());
  if (array.datatype == spec.datatype && row_shape == spec.shape) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrFormat(
      "%s: holds %s %s, expected %s %s for input '%s'", file.native(), Name(array.datatype),
      ShapeString(array.shape), Name(spec.datatype), BatchedShapeString(spec.shape), spec.name));
}

}  // namespace

absl::Status ApplyRanges(absl::Span<const InputRange> ranges, std::vector<TensorSpec>* inputs) {
  for (const InputRange& wanted : ranges) {
    const auto input = std::find_if(inputs->begin(), inputs->end(), [&](const TensorSpec& spec) {
      return spec.name == wanted.input;
    });
    if (input == inputs->end()) {
      return absl::InvalidArgumentError(absl::StrCat("--input-range: the model has no input '",
                                                     wanted.input, "'; its inputs are ",
                                                     InputNames(*inputs)));
    }
    if (!IsInteger(input->datatype)) {
      return absl::InvalidArgumentError(
          absl::StrFormat("--input-range: '%s' is %s, expected an integer datatype", wanted.input,
                          Name(input->datatype)));
    }
    const IntegerRange values = ValuesOf(input->datatype);
    if (wanted.range.min < values.min || wanted.range.max > values.max) {
      return absl::InvalidArgumentError(absl::StrFormat(
          "--input-range: %d:%d is not within %d:%d, the values of %s input '%s'", wanted.range.min,
          wanted.range.max, values.min, values.max, Name(input->datatype), wanted.input));
    }
    input->range = wanted.range;
  }
  return absl::OkStatus();
}

absl::StatusOr<SampleSet> SampleSet::FromFiles(absl::Span<const TensorSpec> inputs,
                                               absl::Span<const InputFile> files) {
  if (files.size() == 1 && files[0].input.empty() && files[0].file.extension() == ".npz") {
    return FromArchive(inputs, files[0].file);
  }
  absl::StatusOr<std::vector<std::filesystem::path>> matched = MatchFiles(inputs, files);
  if (!matched.ok()) return matched.status();
  SampleSet samples;
  for (size_t i = 0; i < inputs.size(); ++i) {
    const std::filesystem::path& file = (*matched)[i];
    absl::StatusOr<Array> array = ReadArrayFile(file);
    if (!array.ok()) return array.status();
    absl::Status status = samples.Add(inputs[i], file, *std::move(array));
    if (!status.ok()) return status;
  }
  return samples;
}

absl::StatusOr<SampleSet> SampleSet::FromArchive(absl::Span<const TensorSpec> inputs,
                                                 const std::filesystem::path& file) {
  absl::StatusOr<std::map<std::string, Array>> arrays = ReadArrayArchive(file);
  if (!arrays.ok()) return arrays.status();
  SampleSet samples;
  for (const TensorSpec& input : inputs) {
    const auto array = arrays->find(input.name);
    if (array == arrays->end()) {
      return absl::InvalidArgumentError(absl::StrCat(file.native(), ": has no array '", input.name,
                                                     "'; the model's inputs are ",
                                                     InputNames(inputs)));
    }
    absl::Status status = samples.Add(input, file, std::move(array->second));
    if (!status.ok()) return status;
  }
  return samples;
}

absl::Status SampleSet::Add(const TensorSpec& spec, const std::filesystem::path& file,
                            Array array) {
  if (absl::Status status = CheckAgainst(spec, file, array); !status.ok()) return status;
  if (!inputs_.empty() && array.shape[0] != rows_) {
    return absl::InvalidArgumentError(absl::StrCat(file.native(), ": holds ", array.shape[0],
                                                   " rows of '", spec.name, "', expected ", rows_,
                                                   " as of the inputs before"));
  }
  rows_ = array.shape[0];
  inputs_.push_back({spec.row_bytes(), std::move(array.bytes)});
  return absl::OkStatus();
}

SampleSet SampleSet::Random(absl::Span<const TensorSpec> inputs, int64_t rows, uint64_t seed) {
  std::mt19937_64 random(seed);
  SampleSet samples;
  samples.rows_ = rows;
  for (const TensorSpec& spec : inputs) {
    samples.inputs_.push_back({spec.row_bytes(), RandomTensor(spec, rows, random)});
  }
  return samples;
}

void SampleSet::RepeatUpTo(int64_t rows) {
  if (rows <= rows_) return;
  for (Input& input : inputs_) {
    const size_t size = input.bytes.size();
    input.bytes.resize(static_cast<size_t>(rows) * input.row_bytes);
    for (size_t i = size; i < input.bytes.size(); ++i) input.bytes[i] = input.bytes[i - size];
  }
  rows_ = rows;
}

std::string_view SampleSet::Rows(int input, int64_t first, int count) const {
  const Input& source = inputs_[static_cast<size_t>(input)];
  return std::string_view(source.bytes)
      .substr(static_cast<size_t>(first) * source.row_bytes,
              static_cast<size_t>(count) * source.row_bytes);
}

}  // namespace escan::loadgen
