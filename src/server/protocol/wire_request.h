#pragma once

#include <google/protobuf/arena.h>
#include <google/protobuf/io/zero_copy_stream.h>

#include <cstddef>
#include <string_view>

#include "absl/container/inlined_vector.h"
#include "absl/status/status.h"
#include "inference/grpc_service.pb.h"
#include "server/protocol/raw_bytes.h"

namespace escan {

// A ModelInferRequest as it came from the network: everything but `raw_input_contents` parsed, and
// these as views into the message, so that tensor bytes are copied only once, into their slots. The
// message's buffers must outlive the object. Used by one thread.
class WireRequest {
 public:
  WireRequest();

  // Reads a serialized ModelInferRequest; at most once, and instead of the next two.
  // InvalidArgument when the bytes are none.
  absl::Status Parse(google::protobuf::io::ZeroCopyInputStream* message);

  // For a request that comes in another form: its fields, and the bytes of its inputs in their
  // order.
  inference::ModelInferRequest* mutable_header() { return header_; }
  void AddRawInput(std::string_view bytes) { raw_inputs_.emplace_back().Append(bytes); }

  // Of the serialized message; 0 for a request that comes in another form.
  size_t message_bytes() const { return message_bytes_; }
  void set_message_bytes(size_t bytes) { message_bytes_ = bytes; }

  // Its raw_input_contents are empty: see raw_inputs().
  const inference::ModelInferRequest& header() const { return *header_; }
  const absl::InlinedVector<RawBytes, 1>& raw_inputs() const { return raw_inputs_; }

 private:
  alignas(8) char first_block_[1024];
  google::protobuf::Arena arena_;
  inference::ModelInferRequest* header_;
  size_t message_bytes_ = 0;
  absl::InlinedVector<RawBytes, 1> raw_inputs_;
};

}  // namespace escan
