#include "http/http_message.h"

#include "gtest/gtest.h"

namespace escan {
namespace {

TEST(PercentDecoded, ReadsEscapesAndLeavesWhatIsNone) {
  EXPECT_EQ(PercentDecoded("a%20b%2Fc"), "a b/c");
  EXPECT_EQ(PercentDecoded("100%"), "100%");
  EXPECT_EQ(PercentDecoded("%zz%4"), "%zz%4");
}

TEST(HttpError, IsJsonWhateverTheMessageHolds) {
  EXPECT_EQ(HttpError(400, "a \"b\"\n").body, R"({"error":"a \"b\"\n"})");
  EXPECT_EQ(HttpError(400, "\xff").body, "{\"error\":\"\xEF\xBF\xBD\"}");
}

TEST(HttpRequest, AHeaderThatIsNotThereIsEmpty) {
  const HttpRequest request{.headers = {{"a", "1"}, {"a", "2"}}};
  EXPECT_EQ(request.Header("a"), "1");
  EXPECT_EQ(request.Header("b"), "");
}

}  // namespace
}  // namespace escan
