#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "arrays/array_file.h"
#include "escan/tensor.h"

namespace escan::loadgen {

// Where the rows of an input come from.
struct InputFile {
  std::string input;  // may be empty when the model has one input
  std::filesystem::path file;
};

// Which values a random integer input has.
struct InputRange {
  std::string input;
  IntegerRange range;
};

// Writes ranges into the inputs that they name. InvalidArgument where there is no such input, it is
// not of an integer datatype, or cannot hold the values.
absl::Status ApplyRanges(absl::Span<const InputRange> ranges, std::vector<TensorSpec>* inputs);

// The samples that are sent: the same number of rows for every input of the model, in the model's
// order. Immutable, so any thread may read it; requests refer to its bytes without copying them.
class SampleSet {
 public:
  // Reads one file for every input, or a single .npz file that has an array for each input, named
  // as this is; further arrays in it are left alone. Errors name the file, what it holds and what
  // the model expects.
  static absl::StatusOr<SampleSet> FromFiles(absl::Span<const TensorSpec> inputs,
                                             absl::Span<const InputFile> files);

  // `rows` rows of every input: integers within the input's range, or the datatype's where it has
  // none, truth values, floating-point numbers in [0, 1).
  static SampleSet Random(absl::Span<const TensorSpec> inputs, int64_t rows, uint64_t seed);

  // Goes on with the first rows again until there are at least `rows`.
  void RepeatUpTo(int64_t rows);

  int64_t rows() const { return rows_; }
  int input_count() const { return static_cast<int>(inputs_.size()); }

  // Raw contents of rows [first, first + count) of an input. Valid as long as this object.
  std::string_view Rows(int input, int64_t first, int count) const;

 private:
  struct Input {
    size_t row_bytes = 0;
    std::string bytes;
  };

  static absl::StatusOr<SampleSet> FromArchive(absl::Span<const TensorSpec> inputs,
                                               const std::filesystem::path& file);
  // Takes the next input's array, which was read from `file`.
  absl::Status Add(const TensorSpec& spec, const std::filesystem::path& file, Array array);

  std::vector<Input> inputs_;
  int64_t rows_ = 0;
};

}  // namespace escan::loadgen
