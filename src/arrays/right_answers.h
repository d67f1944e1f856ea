#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "arrays/array_file.h"
#include "escan/tensor.h"

namespace escan {

// The right answers to a set of samples, which given ones are held against. What is right depends
// on the stage that answers. Once filled, any thread may read it.
class RightAnswers {
 public:
  // None yet. `outputs` are the model's, in its order. An element of an answer may differ by
  // `tolerance` times the largest absolute value that the stage's right answers have in its output
  // (see FindDifference).
  RightAnswers(std::vector<TensorSpec> outputs, int64_t samples, double tolerance);

  // Reads a .npz file with an array for one or more of the outputs, named as these are: [stages,
  // samples, ...], or [samples, ...] where all stages answer the same. Blocks. Errors name the
  // file, what it holds and what was expected.
  static absl::StatusOr<RightAnswers> FromFile(const std::filesystem::path& file,
                                               std::vector<TensorSpec> outputs, int64_t samples,
                                               double tolerance);

  // What a stage, 1 = the first, answers to a sample: one row of each of the outputs.
  void Set(int64_t sample, int stage, absl::Span<const std::string_view> rows);

  struct Verdict {
    bool known = false;                // what is right, else nothing was compared
    std::optional<std::string> wrong;  // "'scores'[3] is nan where 0.02 is right"
  };

  // Of a row of each of the outputs, as a stage answered a sample.
  Verdict Judge(int64_t sample, int stage, absl::Span<const std::string_view> rows) const;

  int64_t samples() const { return samples_; }

 private:
  // What one stage answers.
  struct Stage {
    std::vector<std::string> contents;  // of each output, of all samples; empty: not compared
    std::vector<double> largest;        // of each output, the absolute value
    std::vector<bool> known;            // of each sample
  };

  // Takes what all stages answer in one output.
  absl::Status Add(const std::string& name, const Array& array);
  absl::Status CheckShape(const TensorSpec& output, const Array& array) const;
  Stage& StageAt(size_t index);

  std::vector<TensorSpec> outputs_;
  int64_t samples_;
  double tolerance_;
  bool same_for_all_stages_ = false;
  std::vector<Stage> stages_;
};

}  // namespace escan
