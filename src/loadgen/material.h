#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "absl/status/statusor.h"
#include "arrays/right_answers.h"
#include "loadgen/connections.h"
#include "loadgen/difficulties.h"
#include "loadgen/exit_schedule.h"
#include "loadgen/options.h"
#include "loadgen/request_encoder.h"
#include "loadgen/sample_set.h"

namespace escan::loadgen {

// What is sent, and what it should be answered with.
struct Material {
  SampleSet samples;                    // of every input but the one that controls exits
  std::vector<int64_t> labels;          // one a sample; empty: unknown
  std::optional<RightAnswers> answers;  // of the samples, which may repeat them
  ExitSchedule exits;
  std::optional<Difficulties> difficulties;  // of `exits`; nullopt: exits are not controlled
  int difficulty_input = 0;                  // index into the model's inputs

  // Refers to this object.
  std::optional<ExitControl> exit_control() const;
};

// Reads or makes up what `options` asks for, but for answers that the server is to be asked for.
// Where a request has more rows than there are samples, these are repeated to fill it. Errors name
// the option or file, what it holds and what the model expects.
absl::StatusOr<Material> PrepareMaterial(const ModelInfo& model, const SampleOptions& options);

}  // namespace escan::loadgen
