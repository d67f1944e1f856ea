#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "escan/tensor.h"
#include "server/protocol/answer_writer.h"
#include "server/protocol/rest_request.h"

namespace escan {

// The body of an answer over HTTP.
struct RestAnswer {
  std::string body;
  size_t json_bytes = 0;  // at its beginning; then the binary outputs
  bool binary = false;    // there are some
};

// Who answers.
struct RestModel {
  std::string name;
  std::string version;
};

// `tensors` are the cascade's AnswerTensors(), `form` tells which outputs are binary. In JSON, a
// floating-point number has the fewest digits that are read back to the same value; NaN and the
// infinities, which JSON does not have, are null.
RestAnswer FormRestAnswer(const RestModel& model, const std::vector<TensorSpec>& tensors,
                          const Answer& answer, const RestRequest& form);

}  // namespace escan
