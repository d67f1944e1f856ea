#include "http/http_server.h"

#include <future>
#include <memory>
#include <string>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "http/raw_http.h"

namespace escan {
namespace {

using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

HttpServer::Options TestOptions() {
  return {.name = "test", .threads = 1, .body_bytes = 1000, .header_time = std::chrono::minutes(1)};
}

// Answers "METHOD PATH?QUERY BODY".
void Echo(const std::shared_ptr<HttpExchange>& exchange) {
  const HttpRequest& request = exchange->request();
  exchange->Respond({.body = absl::StrCat(request.method, " ", request.path, "?", request.query,
                                          " ", request.body)});
}

// Keeps the latest exchange for the test to answer.
class Holder {
 public:
  HttpHandler handler() {
    return [this](std::shared_ptr<HttpExchange> exchange) { held_.set_value(std::move(exchange)); };
  }
  std::shared_ptr<HttpExchange> Wait() { return held_.get_future().get(); }

 private:
  std::promise<std::shared_ptr<HttpExchange>> held_;
};

std::string Post(const std::string& body) {
  return absl::StrCat("POST /p HTTP/1.1\r\nHost: x\r\nContent-Length: ", body.size(), "\r\n\r\n",
                      body);
}

TEST(HttpServer, AnswersOneRequestAfterTheOtherOnAConnection) {
  HttpServer server(TestOptions(), Echo);
  RawHttp client(server);
  client.Send("GET /a?b=c HTTP/1.1\r\nHost: x\r\n\r\n");
  EXPECT_THAT(client.Response(), HasSubstr("\r\n\r\nGET /a?b=c "));
  client.Send(Post("one") + Post("two"));
  EXPECT_THAT(client.Response(), HasSubstr("POST /p? one"));
  EXPECT_THAT(client.Response(), HasSubstr("POST /p? two"));
}

TEST(HttpServer, ClosesTheConnectionWhenTheClientAsksForIt) {
  HttpServer server(TestOptions(), Echo);
  RawHttp client(server);
  client.Send("GET / HTTP/1.1\r\nConnection: close\r\n\r\n");
  EXPECT_THAT(client.Rest(), HasSubstr("GET /? "));
}

TEST(HttpServer, AnswersHeadWithoutABody) {
  HttpServer server(TestOptions(), Echo);
  RawHttp client(server);
  client.Send("HEAD / HTTP/1.0\r\n\r\n");
  const std::string response = client.Rest();
  EXPECT_THAT(response, HasSubstr("Content-Length: 8"));
  EXPECT_THAT(response, Not(HasSubstr("HEAD")));
}

TEST(HttpServer, RefusesALongBodyBeforeItIsSent) {
  HttpServer server(TestOptions(), Echo);
  RawHttp client(server);
  client.Send("POST / HTTP/1.1\r\nContent-Length: 1001\r\nExpect: 100-continue\r\n\r\n");
  EXPECT_THAT(client.Response(), StartsWith("HTTP/1.1 413 "));
}

TEST(HttpServer, RefusesAChunkedBodyThatGrowsTooLong) {
  HttpServer server(TestOptions(), Echo);
  RawHttp client(server);
  client.Send("POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n3e9\r\n" +
              std::string(1001, 'x') + "\r\n0\r\n\r\n");
  EXPECT_THAT(client.Response(), StartsWith("HTTP/1.1 413 "));
}

TEST(HttpServer, TakesAChunkedBody) {
  HttpServer server(TestOptions(), Echo);
  RawHttp client(server);
  client.Send(
      "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n1\r\nc\r\n0\r\n\r\n");
  EXPECT_THAT(client.Response(), HasSubstr("POST /? abc"));
}

TEST(HttpServer, TellsAClientThatWaitsToGoOn) {
  HttpServer server(TestOptions(), Echo);
  RawHttp client(server);
  client.Send("POST / HTTP/1.1\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n");
  EXPECT_THAT(client.Response(), StartsWith("HTTP/1.1 100 Continue"));
  client.Send("ab");
  EXPECT_THAT(client.Response(), HasSubstr("POST /? ab"));
}

TEST(HttpServer, RefusesLongHeaders) {
  HttpServer server(TestOptions(), Echo);
  RawHttp client(server);
  client.Send("GET / HTTP/1.1\r\nA: " + std::string(17 * 1024, 'a') + "\r\n\r\n");
  EXPECT_THAT(client.Response(), StartsWith("HTTP/1.1 431 "));
}

TEST(HttpServer, RefusesWhatIsNotHttp) {
  HttpServer server(TestOptions(), Echo);
  RawHttp client(server);
  client.Send("hello\r\n\r\n");
  const std::string response = client.Rest();
  EXPECT_THAT(response, StartsWith("HTTP/1.1 400 "));
  EXPECT_THAT(response, HasSubstr(R"({"error":"not HTTP: )"));
}

TEST(HttpServer, RefusesABodyThatThereIsNoMemoryFor) {
  HttpServer::Options options = TestOptions();
  options.total_body_bytes = 10;
  Holder holder;
  HttpServer server(options, holder.handler());
  RawHttp first(server);
  first.Send(Post("12345678"));
  const std::shared_ptr<HttpExchange> held = holder.Wait();
  RawHttp second(server);
  second.Send(Post("12345678"));
  EXPECT_THAT(second.Response(), StartsWith("HTTP/1.1 503 "));
  held->Respond({});
  EXPECT_THAT(first.Response(), StartsWith("HTTP/1.1 200 "));
}

TEST(HttpServer, ASlowClientHoldsUpNobody) {
  HttpServer server(TestOptions(), Echo);  // which has one thread
  RawHttp slow(server);
  slow.Send("POST /slow HTTP/1.1\r\nContent-Length: 4\r\n\r\nab");
  RawHttp quick(server);
  quick.Send("GET /quick HTTP/1.1\r\n\r\n");
  EXPECT_THAT(quick.Response(), HasSubstr("GET /quick?"));
  slow.Send("cd");
  EXPECT_THAT(slow.Response(), HasSubstr("POST /slow? abcd"));
}

TEST(HttpServer, AClientThatSaysNothingIsLeft) {
  HttpServer::Options options = TestOptions();
  options.header_time = std::chrono::milliseconds(20);
  HttpServer server(options, Echo);
  EXPECT_EQ(RawHttp(server).Rest(), "");
}

TEST(HttpServer, AClientThatStopsWithinItsBodyIsLeft) {
  HttpServer::Options options = TestOptions();
  options.progress_time = std::chrono::milliseconds(20);
  HttpServer server(options, Echo);
  RawHttp client(server);
  client.Send("POST / HTTP/1.1\r\nContent-Length: 4\r\n\r\nab");
  EXPECT_EQ(client.Rest(), "");
}

TEST(HttpServer, TakesNoMoreConnectionsThanItMay) {
  HttpServer::Options options = TestOptions();
  options.connections = 1;
  int refused = 0;
  HttpServer server(options, Echo, [&] { ++refused; });
  RawHttp first(server);
  EXPECT_EQ(RawHttp(server).Rest(), "");
  EXPECT_EQ(refused, 1);
  first.Send("GET / HTTP/1.1\r\n\r\n");
  EXPECT_THAT(first.Response(), HasSubstr("GET /? "));
}

TEST(HttpServer, TellsThatAClientIsGone) {
  Holder holder;
  HttpServer server(TestOptions(), holder.handler());
  RawHttp client(server);
  client.Send("GET / HTTP/1.1\r\n\r\n");
  const std::shared_ptr<HttpExchange> held = holder.Wait();
  std::promise<void> gone;
  held->OnGone([&] { gone.set_value(); });
  client.Close();
  gone.get_future().wait();
  // Also who asks late is told.
  bool told = false;
  held->OnGone([&] { told = true; });
  EXPECT_TRUE(told);
  held->Respond({});
}

TEST(HttpServer, ADrainClosesIdleConnectionsAndWaitsForAnswers) {
  Holder holder;
  HttpServer server(TestOptions(), holder.handler());
  RawHttp idle(server);
  RawHttp busy(server);
  busy.Send("GET / HTTP/1.1\r\n\r\n");
  std::shared_ptr<HttpExchange> held = holder.Wait();
  std::future<void> drained =
      std::async(std::launch::async, [&] { server.Drain(TimePoint::max()); });
  EXPECT_EQ(idle.Rest(), "");
  held->Respond({.body = "late"});
  EXPECT_THAT(busy.Rest(), HasSubstr("Connection: close"));
  busy.Close();
  held.reset();
  drained.wait();
}

}  // namespace
}  // namespace escan
