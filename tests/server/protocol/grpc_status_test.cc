#include "server/protocol/grpc_status.h"

#include <gtest/gtest.h>

#include <string>

namespace escan {
namespace {

TEST(GrpcStatus, HasTheCodeAndTheMessage) {
  const grpc::Status status = ToGrpc(absl::NotFoundError("no model 'x'"));
  EXPECT_EQ(status.error_code(), grpc::StatusCode::NOT_FOUND);
  EXPECT_EQ(status.error_message(), "no model 'x'");
  EXPECT_TRUE(ToGrpc(absl::OkStatus()).ok());
}

TEST(GrpcStatus, CutsAMessageThatNoTrailerCouldCarry) {
  // Characters of two bytes, so that a cut at a fixed place would be within one for one of these.
  for (const std::string start : {"", "a"}) {
    std::string message = start;
    for (int i = 0; i < 10'000; ++i) message += "\xC3\xA9";
    const std::string cut = ToGrpc(absl::InvalidArgumentError(message)).error_message();
    EXPECT_LT(cut.size(), 2100u);
    ASSERT_TRUE(cut.ends_with("..."));
    EXPECT_EQ((cut.size() - 3 - start.size()) % 2, 0u) << "it ends within a character";
  }
}

}  // namespace
}  // namespace escan
