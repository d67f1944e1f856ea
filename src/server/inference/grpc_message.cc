#include "server/inference/grpc_message.h"

#include <grpc/slice.h>
#include <grpcpp/support/proto_buffer_reader.h>
#include <grpcpp/support/slice.h>

namespace escan {
namespace {

// `write` fills that many bytes.
template <typename Writer>
grpc::ByteBuffer Form(size_t size, Writer write) {
  grpc_slice slice = grpc_slice_malloc(size);
  write(GRPC_SLICE_START_PTR(slice));
  const grpc::Slice owner(slice, grpc::Slice::STEAL_REF);
  return grpc::ByteBuffer(&owner, 1);
}

}  // namespace

absl::Status ReadMessage(const grpc::ByteBuffer& message, WireRequest* request) {
  if (!message.Valid()) return absl::CancelledError("the client cancelled the request");
  request->set_message_bytes(message.Length());
  grpc::ProtoBufferReader reader(const_cast<grpc::ByteBuffer*>(&message));
  return request->Parse(&reader);
}

grpc::ByteBuffer FormMessage(const AnswerWriter& writer, const Answer& answer) {
  return Form(writer.Size(answer), [&](uint8_t* to) { writer.Write(answer, to); });
}

grpc::ByteBuffer FormStreamMessage(const AnswerWriter& writer, const Answer& answer) {
  return Form(writer.StreamSize(answer), [&](uint8_t* to) { writer.WriteStream(answer, to); });
}

}  // namespace escan
