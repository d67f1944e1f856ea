#include "server/status/status_page.h"

#include <nlohmann/json.hpp>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "server/test_daemon.h"
#include "server/test_state.h"

namespace escan {
namespace {

using nlohmann::json;
using testing::HasSubstr;
using testing::Not;

class StatusPageTest : public testing::Test {
 protected:
  const TemporaryFolder folder_;
  const std::unique_ptr<ServerState> state_ = StateOf(TestConfig(folder_));
  const StatusPage page_{state_.get(), {Device{}}};
};

TEST_F(StatusPageTest, TellsWhatOperatorsSeeAndHowItWas) {
  const std::optional<HttpResponse> response = page_.Respond("/status.json");
  ASSERT_TRUE(response.has_value());
  const json told = json::parse(response->body);
  EXPECT_EQ(told["status"]["ready"], false);
  EXPECT_EQ(told["status"]["cascades"][0]["stages"][1]["name"], "second");
  const json& cascade = told["cascades"][0];
  EXPECT_EQ(cascade["name"], "test");
  EXPECT_THAT(cascade["not_ready"].get<std::string>(), HasSubstr("first"));
  EXPECT_THAT(cascade["plan_yaml"].get<std::string>(), HasSubstr("workers"));
  EXPECT_EQ(cascade["history"]["stages"].size(), 2u);
  EXPECT_TRUE(cascade["latency_objective_ms"].is_null());
}

TEST_F(StatusPageTest, LoadsNothingFromElsewhere) {
  EXPECT_EQ(page_.Respond("/")->status, 302);
  EXPECT_EQ(page_.Respond("/")->headers[0].second, "/status");
  EXPECT_FALSE(page_.Respond("/other").has_value());
  for (const std::string path : {"/status", "/status.css", "/status.js"}) {
    const std::optional<HttpResponse> file = page_.Respond(path);
    ASSERT_TRUE(file.has_value());
    EXPECT_THAT(file->headers[0].second, HasSubstr("default-src 'none'"));
    EXPECT_THAT(file->body, Not(HasSubstr("https://"))) << path;
  }
}

// Names come from the configuration, and reasons from workers: as text they cannot become markup.
TEST_F(StatusPageTest, PutsNothingInAsMarkup) {
  const std::string script = page_.Respond("/status.js")->body;
  for (const std::string way : {"innerHTML", "outerHTML", "insertAdjacentHTML", "document.write"}) {
    EXPECT_THAT(script, Not(HasSubstr(way)));
  }
}

}  // namespace
}  // namespace escan
