// The protocol over HTTP, against a whole daemon.
#include <future>
#include <nlohmann/json.hpp>
#include <string>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "server/listening/raw_connection.h"
#include "server/test_daemon.h"
#include "supervision/misbehaving_rows.h"

namespace escan {
namespace {

using nlohmann::json;
using testing::HasSubstr;
using testing::Not;

struct Reply {
  int status = 0;
  std::string headers;
  std::string body;

  json parsed() const { return json::parse(body); }
  std::string error() const { return parsed().value("error", ""); }
};

class RestTest : public testing::Test {
 protected:
  RestTest() : config_(TestConfig(folder_)) { config_.http.listen = "127.0.0.1:0"; }

  CascadeSpec& cascade() { return config_.cascades.front().spec; }
  TestDaemon& Start(const std::string& mode = "good") {
    daemon_ = std::make_unique<TestDaemon>(config_, mode);
    daemon_->WaitReady();
    return *daemon_;
  }

  Reply Ask(const std::string& method, const std::string& path, const std::string& body = "",
            const std::string& headers = "") {
    const RawConnection connection(daemon_->addresses().http);
    connection.Send(absl::StrCat(method, " ", path, " HTTP/1.1\r\nHost: a\r\nConnection: close\r\n",
                                 headers, "Content-Length: ", body.size(), "\r\n\r\n", body));
    const std::string all = connection.ReadAll();
    const size_t end = all.find("\r\n\r\n");
    if (end == std::string::npos) {
      ADD_FAILURE() << "no response: " << all;
      return {};
    }
    return {.status = std::stoi(all.substr(9, 3)),
            .headers = all.substr(0, end + 2),
            .body = all.substr(end + 4)};
  }
  Reply Infer(const std::string& body, const std::string& headers = "") {
    return Ask("POST", "/v2/models/test/infer", body, headers);
  }

  TemporaryFolder folder_;
  Config config_;
  std::unique_ptr<TestDaemon> daemon_;
};

// A request like TestRequest().
std::string JsonRequest(const std::vector<int>& first_bytes, const std::string& more = "") {
  json data = json::array();
  for (const int byte : first_bytes) data.push_back({byte, 0, 0, 0});
  return absl::StrCat(R"({"inputs":[{"name":"x","datatype":"UINT8","shape":[)", first_bytes.size(),
                      R"(,4],"data":)", data.dump(), "}]", more, "}");
}

TEST_F(RestTest, EveryRowIsAnsweredByTheStageThatItLeftAt) {
  Start();
  const Reply reply = Infer(JsonRequest({200, 10, 130}, R"(,"id":"seven")"));
  ASSERT_EQ(reply.status, 200) << reply.body;
  EXPECT_THAT(reply.headers, HasSubstr("Content-Type: application/json\r\n"));
  const json answer = reply.parsed();
  EXPECT_EQ(answer["id"], "seven");
  EXPECT_EQ(answer["outputs"][0]["data"], json({200, 10, 130}));
  EXPECT_EQ(answer["outputs"][1]["data"], json({1, 2, 1}));
}

TEST_F(RestTest, TensorsMayBeBinary) {
  Start();
  const std::string request =
      R"({"inputs":[{"name":"x","datatype":"UINT8","shape":[1,4],)"
      R"("parameters":{"binary_data_size":4}}],"outputs":[{"name":"exit_stage",)"
      R"("parameters":{"binary_data":true}}]})";
  const Reply reply =
      Infer(request + std::string("\xC8\0\0\0", 4),
            absl::StrCat("Inference-Header-Content-Length: ", request.size(), "\r\n"));
  ASSERT_EQ(reply.status, 200) << reply.body;
  EXPECT_THAT(reply.headers, HasSubstr("Content-Type: application/octet-stream\r\n"));
  EXPECT_THAT(
      reply.headers,
      HasSubstr(absl::StrCat("Inference-Header-Content-Length: ", reply.body.size() - 4, "\r\n")));
  EXPECT_EQ(reply.body.substr(reply.body.size() - 4), std::string("\1\0\0\0", 4));
}

TEST_F(RestTest, ErrorsAreThoseOfGrpcWithTheirStatus) {
  Start("poison");
  const auto expect = [&](const Reply& reply, int status, const std::string& error) {
    EXPECT_EQ(reply.status, status);
    EXPECT_EQ(reply.error(), error);
  };
  expect(Infer(JsonRequest({1, 251})), 400, "input 'x': row 1: element 0 is 251, not in [0, 250]");
  expect(Ask("POST", "/v2/models/other/infer", JsonRequest({1})), 404,
         "unknown model 'other': this server has 'test'");
  expect(Ask("POST", "/v2/models/test/versions/2/infer", JsonRequest({1})), 404,
         "model 'test' has no version '2', its only version is '1'");
  expect(Infer(JsonRequest({1, kFailingByte})), 500, "stage 'first' failed on row 1: bad row");
  expect(Infer(JsonRequest({1}, R"(,"parameters":{"colour":1})")), 400,
         "unknown parameter 'colour': known are priority, timeout, ground_truth and "
         "triton_enable_empty_final_response");
  EXPECT_EQ(Infer(JsonRequest({1}), "Content-Encoding: gzip\r\n").status, 400);
  EXPECT_EQ(Infer(JsonRequest({1}), "Inference-Header-Content-Length: 9999\r\n").status, 400);
  EXPECT_EQ(Infer(std::string(1 << 20, ' ')).status, 413);
  EXPECT_EQ(Ask("GET", "/v2/models/test/infer").status, 405);
  EXPECT_EQ(Ask("GET", "/v3").status, 404);
  EXPECT_EQ(Ask("POST", "/v2/models/test/versions/1/infer", JsonRequest({1})).status, 200);
}

TEST_F(RestTest, TheTimeoutParameterIsADeadline) {
  Start("hang");
  EXPECT_EQ(Infer(JsonRequest({1}, R"(,"parameters":{"timeout":1000})")).status, 504);
}

TEST_F(RestTest, WithoutFreeSlotsARequestIsRefusedAtOnceAndAClientThatGoesGivesThemBack) {
  cascade().slots = 16;
  TestDaemon& daemon = Start("hang");
  {
    const RawConnection held(daemon.addresses().http);
    const std::string body = JsonRequest(std::vector<int>(16, 1));
    held.Send(absl::StrCat("POST /v2/models/test/infer HTTP/1.1\r\nContent-Length: ", body.size(),
                           "\r\n\r\n", body));
    daemon.WaitFor([](const v1::CascadeStatus& status) { return status.requests() == 1; });
    EXPECT_EQ(Infer(JsonRequest({1})).status, 429);
  }
  daemon.WaitFor([](const v1::CascadeStatus& status) { return status.requests() == 0; });
}

TEST_F(RestTest, TellsWhetherItIsReadyAndWhatItServes) {
  Start();
  EXPECT_EQ(Ask("GET", "/v2/health/live").parsed(), json({{"live", true}}));
  EXPECT_EQ(Ask("GET", "/v2/health/ready").parsed(), json({{"ready", true}}));
  EXPECT_EQ(Ask("GET", "/v2/models/test/ready").parsed(),
            json({{"name", "test"}, {"ready", true}}));
  EXPECT_EQ(Ask("GET", "/v2").parsed()["name"], "escan");
  const json model = Ask("GET", "/v2/models/test/versions/1").parsed();
  EXPECT_EQ(model["inputs"], json::parse(R"([{"name":"x","datatype":"UINT8","shape":[-1,4]}])"));
  EXPECT_EQ(model["outputs"][1]["name"], "exit_stage");
  EXPECT_EQ(Ask("GET", "/v2/models/other").status, 404);
}

TEST_F(RestTest, WhatIsNotReadySaysWhy) {
  daemon_ = std::make_unique<TestDaemon>(config_, "never-ready");
  for (const std::string path : {"/v2/health/ready", "/v2/models/test/ready"}) {
    const Reply reply = Ask("GET", path);
    EXPECT_EQ(reply.status, 503);
    EXPECT_THAT(reply.error(), HasSubstr("first"));
  }
  EXPECT_EQ(Ask("GET", "/v2/health/live").status, 200);
}

TEST_F(RestTest, ItsDescriptionNamesPathsThatThereAre) {
  Start();
  const json description = Ask("GET", "/v2/openapi.json").parsed();
  EXPECT_EQ(description["openapi"], "3.0.3");
  for (const auto& [path, methods] : description["paths"].items()) {
    const std::string real = absl::StrReplaceAll(path, {{"{model}", "test"}, {"{version}", "1"}});
    for (const auto& [method, operation] : methods.items()) {
      if (method == "parameters") continue;
      const Reply reply = method == "get" ? Ask("GET", real) : Ask("POST", real, JsonRequest({1}));
      EXPECT_EQ(reply.status, 200) << method << " " << real << ": " << reply.body;
    }
  }
}

TEST_F(RestTest, PagesOfOtherOriginsMayAskOnlyIfTheyAreAllowed) {
  config_.http.allow_origins = {"https://a.example"};
  Start();
  const std::string path = "/v2/models/test/infer";
  const Reply preflight = Ask("OPTIONS", path, "", "Origin: https://a.example\r\n");
  EXPECT_EQ(preflight.status, 204);
  EXPECT_THAT(preflight.headers, HasSubstr("Access-Control-Allow-Origin: https://a.example\r\n"));
  EXPECT_THAT(preflight.headers, HasSubstr("Access-Control-Allow-Headers: "));
  EXPECT_THAT(Infer(JsonRequest({1}), "Origin: https://a.example\r\n").headers,
              HasSubstr("Access-Control-Allow-Origin: https://a.example\r\n"));
  EXPECT_THAT(Infer(JsonRequest({1}), "Origin: https://b.example\r\n").headers,
              Not(HasSubstr("Access-Control-Allow-Origin")));
}

TEST_F(RestTest, AServerThatLeavesAnswersWhatItHas) {
  cascade().deadline = std::chrono::milliseconds(300);
  config_.shutdown.drain_timeout = std::chrono::minutes(1);
  TestDaemon& daemon = Start("hang");
  std::future<Reply> reply =
      std::async(std::launch::async, [&] { return Infer(JsonRequest({1})); });
  daemon.WaitFor([](const v1::CascadeStatus& status) { return status.requests() == 1; });
  daemon.Signal();
  EXPECT_EQ(reply.get().status, 504);
  EXPECT_EQ(daemon.WaitEnded(), Daemon::Ending::kDrained);
}

}  // namespace
}  // namespace escan
