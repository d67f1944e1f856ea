#include "server/protocol/wire_request.h"

#include <google/protobuf/stubs/logging.h>
#include <google/protobuf/util/message_differencer.h>

#include <string>

#include "gtest/gtest.h"
#include "server/protocol/protocol_cascade.h"

namespace escan {
namespace {

using google::protobuf::util::MessageDifferencer;

std::string Joined(const RawBytes& bytes) {
  std::string joined(bytes.size(), '\0');
  RawBytes::Reader reader(bytes);
  reader.Read(reinterpret_cast<std::byte*>(joined.data()), joined.size());
  return joined;
}

// The request as one message again.
inference::ModelInferRequest Whole(const WireRequest& request) {
  inference::ModelInferRequest whole = request.header();
  for (const RawBytes& raw : request.raw_inputs()) whole.add_raw_input_contents(Joined(raw));
  return whole;
}

TEST(WireRequest, ReadsWhatProtobufReadsHoweverTheMessageIsCutIntoPieces) {
  inference::ModelInferRequest request = ValidRequest(3);
  (*request.mutable_parameters())["priority"].set_uint64_param(1);
  request.add_outputs()->set_name("classes");
  request.add_raw_input_contents("");
  for (const int piece : {1, 2, 3, 7, 64, 1 << 20}) {
    const ReceivedRequest received(request, piece);
    ASSERT_TRUE(received.status().ok()) << received.status();
    EXPECT_TRUE(MessageDifferencer::Equals(Whole(*received), request)) << piece;
    EXPECT_EQ(received->header().raw_input_contents_size(), 0);
  }
}

TEST(WireRequest, RawContentsMayComeBeforeAndBetweenOtherFields) {
  inference::ModelInferRequest raw;
  raw.add_raw_input_contents("first");
  inference::ModelInferRequest name;
  name.set_model_name("m");
  inference::ModelInferRequest more;
  more.add_raw_input_contents("second");
  const ReceivedRequest received(
      raw.SerializeAsString() + name.SerializeAsString() + more.SerializeAsString(), 4);
  ASSERT_TRUE(received.status().ok());
  EXPECT_EQ(received->header().model_name(), "m");
  ASSERT_EQ(received->raw_inputs().size(), 2u);
  EXPECT_EQ(Joined(received->raw_inputs()[0]), "first");
  EXPECT_EQ(Joined(received->raw_inputs()[1]), "second");
}

TEST(WireRequest, AnUnknownFieldIsSkipped) {
  const std::string unknown_varint = "\xf8\x07\x05";  // field 127
  const std::string unknown_bytes =
      "\xfa\x07\x03"
      "abc";  // field 127
  const inference::ModelInferRequest request = ValidRequest(1);
  const ReceivedRequest received(unknown_varint + request.SerializeAsString() + unknown_bytes, 5);
  ASSERT_TRUE(received.status().ok());
  EXPECT_EQ(received->header().model_name(), "pictures");
  EXPECT_EQ(received->raw_inputs().size(), 3u);
}

TEST(WireRequest, EveryCutOffMessageIsJudgedAsProtobufJudgesIt) {
  const std::string bytes = ValidRequest(2).SerializeAsString();
  int malformed = 0;
  for (size_t size = 0; size < bytes.size(); ++size) {
    const std::string part = bytes.substr(0, size);
    inference::ModelInferRequest parsed;
    const bool valid = parsed.ParseFromString(part);
    const ReceivedRequest received(part, 16);
    EXPECT_EQ(received.status().ok(), valid) << size;
    if (valid) continue;
    ++malformed;
    EXPECT_EQ(received.status().code(), absl::StatusCode::kInvalidArgument);
  }
  EXPECT_GT(malformed, 50);
}

TEST(WireRequest, SpoiledBytesAreJudgedAsProtobufJudgesThem) {
  const google::protobuf::LogSilencer silencer;
  const std::string bytes = ValidRequest(1).SerializeAsString();
  for (size_t at = 0; at < bytes.size(); ++at) {
    for (const int value : {0x00, 0x0b, 0x0c, 0x7f, 0x80, 0xff}) {
      std::string spoiled = bytes;
      spoiled[at] = static_cast<char>(value);
      inference::ModelInferRequest parsed;
      const bool valid = parsed.ParseFromString(spoiled);
      const ReceivedRequest received(spoiled, 16);
      EXPECT_EQ(received.status().ok(), valid) << at << " " << value;
    }
  }
}

TEST(WireRequest, ALengthBeyondTheMessageIsMalformed) {
  const std::string length_of_2_gib = "\x3a\xff\xff\xff\xff\x07";  // raw_input_contents
  EXPECT_FALSE(ReceivedRequest(length_of_2_gib, 64).status().ok());
  const std::string header_of_2_gib = "\x0a\xff\xff\xff\xff\x07";  // model_name
  EXPECT_EQ(ReceivedRequest(header_of_2_gib, 64).status().message(),
            "the message is not a valid ModelInferRequest");
}

}  // namespace
}  // namespace escan
