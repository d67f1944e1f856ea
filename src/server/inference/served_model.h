#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "config/config.h"
#include "engine/engine.h"
#include "server/protocol/answer_feedback.h"
#include "server/protocol/answer_writer.h"
#include "server/protocol/contract.h"
#include "server/protocol/request_counters.h"
#include "server/protocol/time_split.h"

namespace escan {

// One version of a cascade as the services see it. It ends when nobody uses it any more; where, see
// ModelKeeper.
struct ServedModel {
  ServedModel(const CascadeConfig& model_config, std::unique_ptr<Engine> model_engine,
              std::string model_version = std::string(kModelVersion));

  const CascadeSpec& cascade() const { return config.spec; }

  const CascadeConfig config;  // as the file has it
  const std::string version;   // counts from kModelVersion, anew in each daemon
  const size_t max_request_bytes;
  const std::vector<TensorSpec> answer_tensors;
  const AnswerWriter answers;
  RequestCounters counters;
  AnswerFeedback feedback;
  const std::optional<int> label_output;  // of the cascade's outputs, that tells the class
  TimeSplit time_split;
  const std::unique_ptr<Engine> engine;
};

}  // namespace escan
