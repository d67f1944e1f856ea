#pragma once

#include <cstddef>
#include <deque>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "escan/cascade.h"
#include "server/protocol/wire_request.h"

namespace escan {

// What an inference request over HTTP has beside that over gRPC.
class RestRequest {
 public:
  // Reads a body of `json_bytes` bytes of JSON and the bytes of the binary inputs after it. All
  // inputs go to `wire` as raw contents, as views of `body` and of this object. InvalidArgument
  // says where the request is wrong.
  absl::Status Read(std::string_view body, size_t json_bytes, WireRequest* wire);

  // Gives the inputs' memory back, which nobody needs once their rows are in their slots.
  void ForgetInputs() { elements_.clear(); }

  // Whether the n-th of the outputs of the answer is wanted as binary data.
  bool IsBinary(size_t output) const;

 private:
  bool binary_outputs_ = false;
  std::vector<std::optional<bool>> binary_of_outputs_;  // none: all outputs are wanted
  std::deque<std::string> elements_;                    // of inputs in JSON, in memory form
};

// The longest body that a valid request for the cascade takes, with room for spaces in its JSON.
size_t MaxRestRequestBytes(const CascadeSpec& cascade);

}  // namespace escan
