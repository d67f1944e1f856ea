#pragma once

#include <grpcpp/support/byte_buffer.h>

#include "absl/status/status.h"
#include "server/protocol/answer_writer.h"
#include "server/protocol/wire_request.h"

namespace escan {

// Requests and answers as gRPC's messages, whose bytes are copied no more than once.

// Reads a ModelInferRequest, whose buffers must outlive `request`. Cancelled for a message that
// never came: gRPC starts calls also that were cancelled before it was there.
absl::Status ReadMessage(const grpc::ByteBuffer& message, WireRequest* request);

// A ModelInferResponse.
grpc::ByteBuffer FormMessage(const AnswerWriter& writer, const Answer& answer);
// The same inside a ModelStreamInferResponse.
grpc::ByteBuffer FormStreamMessage(const AnswerWriter& writer, const Answer& answer);

}  // namespace escan
