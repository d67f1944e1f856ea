#include "server/protocol/wire_request.h"

#include <google/protobuf/io/coded_stream.h>
#include <google/protobuf/wire_format_lite.h>

#include <algorithm>
#include <cstdint>
#include <optional>

namespace escan {
namespace {

using google::protobuf::internal::WireFormatLite;
using google::protobuf::io::CodedInputStream;
using google::protobuf::io::CodedOutputStream;
using HeaderBytes = absl::InlinedVector<char, 512>;

google::protobuf::ArenaOptions StartingIn(char* block, size_t size) {
  google::protobuf::ArenaOptions options;
  options.initial_block = block;
  options.initial_block_size = size;
  return options;
}

absl::Status Malformed() {
  return absl::InvalidArgumentError("the message is not a valid ModelInferRequest");
}

// The next `size` bytes of the input as views; nullopt when there are fewer.
std::optional<RawBytes> ReadViews(CodedInputStream& input, int size) {
  RawBytes bytes;
  while (size > 0) {
    const void* data = nullptr;
    int available = 0;
    if (!input.GetDirectBufferPointer(&data, &available)) return std::nullopt;
    const int part = std::min(size, available);
    bytes.Append({static_cast<const char*>(data), static_cast<size_t>(part)});
    if (!input.Skip(part)) return std::nullopt;
    size -= part;
  }
  return bytes;
}

// Appends a length-delimited field as it is on the wire.
bool CopyField(CodedInputStream& input, uint32_t tag, int size, HeaderBytes* header) {
  constexpr int kLongestVarint = 5;
  const size_t start = header->size();
  header->resize(start + 2 * kLongestVarint);
  auto* const begin = reinterpret_cast<uint8_t*>(header->data());
  uint8_t* end = CodedOutputStream::WriteVarint32ToArray(tag, begin + start);
  end = CodedOutputStream::WriteVarint32ToArray(static_cast<uint32_t>(size), end);
  const auto prefix_end = static_cast<size_t>(end - begin);
  header->resize(prefix_end);
  // In pieces, so that a false length allocates no more than the message holds.
  while (size > 0) {
    const void* data = nullptr;
    int available = 0;
    if (!input.GetDirectBufferPointer(&data, &available)) return false;
    const int part = std::min(size, available);
    const char* piece = static_cast<const char*>(data);
    header->insert(header->end(), piece, piece + part);
    if (!input.Skip(part)) return false;
    size -= part;
  }
  return true;
}

}  // namespace

WireRequest::WireRequest()
    : arena_(StartingIn(first_block_, sizeof(first_block_))),
      header_(google::protobuf::Arena::CreateMessage<inference::ModelInferRequest>(&arena_)) {}

absl::Status WireRequest::Parse(google::protobuf::io::ZeroCopyInputStream* message) {
  CodedInputStream input(message);
  HeaderBytes header;
  while (const uint32_t tag = input.ReadTag()) {
    if (WireFormatLite::GetTagWireType(tag) != WireFormatLite::WIRETYPE_LENGTH_DELIMITED) {
      if (!WireFormatLite::SkipField(&input, tag)) return Malformed();
      continue;
    }
    int size = 0;
    if (!input.ReadVarintSizeAsInt(&size)) return Malformed();
    if (WireFormatLite::GetTagFieldNumber(tag) ==
        inference::ModelInferRequest::kRawInputContentsFieldNumber) {
      std::optional<RawBytes> bytes = ReadViews(input, size);
      if (!bytes.has_value()) return Malformed();
      raw_inputs_.push_back(*std::move(bytes));
    } else if (!CopyField(input, tag, size, &header)) {
      return Malformed();
    }
  }
  if (!input.ConsumedEntireMessage()) return Malformed();
  if (!header_->ParseFromArray(header.data(), static_cast<int>(header.size()))) return Malformed();
  return absl::OkStatus();
}

}  // namespace escan
