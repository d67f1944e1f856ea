#pragma once

#include <atomic>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/strand.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/core/tcp_stream.hpp>
#include <boost/beast/http/message.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/string_body.hpp>
#include <functional>
#include <memory>
#include <optional>
#include <unordered_set>

#include "contracts/mutex.h"
#include "http/http_server.h"

namespace escan {

class HttpConnection;

// What the connections of one server share. Any thread.
class HttpConnections {
 public:
  HttpConnections(HttpServer::Options options, HttpHandler handler)
      : options_(std::move(options)), handler_(std::move(handler)) {}

  const HttpServer::Options& options() const { return options_; }
  const HttpHandler& handler() const { return handler_; }

  // False when there are as many as may be, or no further ones are wanted.
  bool Add(HttpConnection* connection);
  void Remove(HttpConnection* connection);

  // Memory for a body: false when there is no room for `bytes` more.
  bool Reserve(size_t bytes);
  void Release(size_t bytes) { body_bytes_.fetch_sub(bytes); }

  bool draining() const { return draining_.load(); }
  // See HttpServer.
  void Drain(TimePoint deadline);

 private:
  const HttpServer::Options options_;
  const HttpHandler handler_;
  std::atomic<size_t> body_bytes_{0};
  std::atomic<bool> draining_{false};
  Mutex mutex_;
  CondVar emptied_;
  std::unordered_set<HttpConnection*> open_ ESCAN_GUARDED_BY(mutex_);
};

// One connection:
//
//   read header -> read body -> handler ... Respond -> write -> read header ...
//
// Owned by the operations that are under way, and by whoever is to respond. Everything but the
// public functions runs on the connection's strand.
class HttpConnection final : public HttpExchange,
                             public std::enable_shared_from_this<HttpConnection> {
 public:
  // Begins to read; closes `socket` at once where there are too many.
  static bool Start(boost::asio::io_context& context, HttpConnections* all, UniqueFd socket);
  ~HttpConnection() override;

  const HttpRequest& request() const override { return request_; }
  void Respond(HttpResponse response) override;
  void OnGone(std::function<void()> callback) override;

  // Closes the connection if it waits for a request. Any thread.
  void CloseIfIdle();

 private:
  using Error = boost::beast::error_code;
  using Parser = boost::beast::http::request_parser<boost::beast::http::string_body>;
  using Response = boost::beast::http::response<boost::beast::http::string_body>;
  using Socket = boost::asio::ip::tcp::socket;
  // Runs a member function on the strand, of a connection that lives until then.
  template <typename... Arguments>
  auto Then(void (HttpConnection::*member)(Arguments...));

  HttpConnection(Socket socket, HttpConnections* all);

  void ReadHeader(Duration time);
  void OnHeader(Error error, size_t bytes);
  void OnContinueWritten(Error error, size_t bytes);
  void ReadBody();
  void OnBody(Error error, size_t bytes);
  // The request that cannot be read is answered, and the connection closed.
  void Refuse(int status, std::string_view why);
  void RefuseBody();
  void Handle();
  void WatchClient();
  void Write(HttpResponse response);
  void OnWritten(Error error, size_t bytes);
  void Close();
  void ReadAway();

  HttpConnections* const all_;
  boost::beast::tcp_stream stream_;
  boost::beast::flat_buffer buffer_;
  std::optional<Parser> parser_;
  TimePoint body_until_{};
  size_t reserved_ = 0;  // bytes of body
  HttpRequest request_;
  Response response_;
  bool added_ = false;
  bool idle_ = false;        // waits for a request's first byte
  bool keep_alive_ = false;  // after the response
  uint64_t number_ = 0;      // of the request

  Mutex mutex_;
  bool gone_ ESCAN_GUARDED_BY(mutex_) = false;
  std::function<void()> on_gone_ ESCAN_GUARDED_BY(mutex_);
};

}  // namespace escan
