#include "http/http_connection.h"

#include <sys/socket.h>

#include <algorithm>
#include <boost/asio/post.hpp>
#include <boost/asio/write.hpp>
#include <boost/beast/core/bind_handler.hpp>
#include <boost/beast/http/error.hpp>
#include <boost/beast/http/read.hpp>
#include <boost/beast/http/write.hpp>
#include <cerrno>
#include <utility>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"

namespace escan {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = boost::beast::http;
using tcp = boost::asio::ip::tcp;

// For what a client still sends after a response that closes the connection: unread bytes would
// make the kernel reset it, and the client could lose the response.
constexpr Duration kFarewell = std::chrono::seconds(2);
constexpr absl::string_view kContinue = "HTTP/1.1 100 Continue\r\n\r\n";

HttpRequest Translate(http::request<http::string_body>& message) {
  HttpRequest request;
  request.method = std::string(message.method_string());
  const std::string target(message.target());
  const size_t query = target.find('?');
  request.path = target.substr(0, query);
  if (query != std::string::npos) request.query = target.substr(query + 1);
  for (const auto& field : message) {
    request.headers.emplace_back(absl::AsciiStrToLower(std::string(field.name_string())),
                                 std::string(field.value()));
  }
  request.body = std::move(message.body());
  return request;
}

// What was sent is no HTTP; other errors are of the connection.
bool IsMalformed(const beast::error_code& error) {
  return error.category() == make_error_code(http::error::bad_method).category() &&
         error != http::error::end_of_stream && error != http::error::partial_message;
}

// Whether the client has closed its side; it may have sent more instead.
bool HasEnded(int socket) {
  char byte = 0;
  const ssize_t size = recv(socket, &byte, 1, MSG_PEEK | MSG_DONTWAIT);
  return size == 0 || (size < 0 && errno != EAGAIN && errno != EINTR);
}

tcp FamilyOf(int socket) {
  sockaddr_storage address{};
  socklen_t size = sizeof(address);
  getsockname(socket, reinterpret_cast<sockaddr*>(&address), &size);
  return address.ss_family == AF_INET6 ? tcp::v6() : tcp::v4();
}

}  // namespace

bool HttpConnections::Add(HttpConnection* connection) {
  const MutexLock lock(mutex_);
  if (draining() || open_.size() >= static_cast<size_t>(options_.connections)) return false;
  open_.insert(connection);
  return true;
}

void HttpConnections::Remove(HttpConnection* connection) {
  const MutexLock lock(mutex_);
  open_.erase(connection);
  emptied_.NotifyAll();
}

bool HttpConnections::Reserve(size_t bytes) {
  if (body_bytes_.fetch_add(bytes) + bytes <= options_.total_body_bytes) return true;
  Release(bytes);
  return false;
}

void HttpConnections::Drain(TimePoint deadline) {
  std::vector<std::shared_ptr<HttpConnection>> open;
  {
    const MutexLock lock(mutex_);
    draining_.store(true);
    // Some may be on their way to their end, when nobody can own them any more.
    for (HttpConnection* connection : open_) {
      if (auto owner = connection->weak_from_this().lock()) open.push_back(std::move(owner));
    }
  }
  for (const std::shared_ptr<HttpConnection>& connection : open) connection->CloseIfIdle();
  open.clear();
  const MutexLock lock(mutex_);
  while (!open_.empty() && Clock::now() < deadline) emptied_.WaitUntil(mutex_, deadline);
}

template <typename... Arguments>
auto HttpConnection::Then(void (HttpConnection::*member)(Arguments...)) {
  return beast::bind_front_handler(member, shared_from_this());
}

bool HttpConnection::Start(asio::io_context& context, HttpConnections* all, UniqueFd socket) {
  const tcp family = FamilyOf(socket.get());
  Socket owner(asio::make_strand(context));
  Error error;
  owner.assign(family, socket.get(), error);
  if (error) return false;
  socket.release();
  const std::shared_ptr<HttpConnection> connection(new HttpConnection(std::move(owner), all));
  if (!all->Add(connection.get())) return false;
  connection->added_ = true;
  asio::post(connection->stream_.get_executor(),
             [connection] { connection->ReadHeader(connection->all_->options().header_time); });
  return true;
}

HttpConnection::HttpConnection(Socket socket, HttpConnections* all)
    : all_(all), stream_(std::move(socket)) {
  Error ignored;
  stream_.socket().set_option(tcp::no_delay(true), ignored);
}

HttpConnection::~HttpConnection() {
  all_->Release(reserved_);
  if (added_) all_->Remove(this);
}

void HttpConnection::CloseIfIdle() {
  asio::post(stream_.get_executor(), [self = shared_from_this()] {
    if (self->idle_) self->stream_.close();
  });
}

void HttpConnection::ReadHeader(Duration time) {
  if (all_->draining()) return Close();
  parser_.emplace();
  parser_->header_limit(static_cast<uint32_t>(all_->options().header_bytes));
  parser_->body_limit(all_->options().body_bytes);
  idle_ = true;
  stream_.expires_after(time);
  http::async_read_header(stream_, buffer_, *parser_, Then(&HttpConnection::OnHeader));
}

void HttpConnection::OnHeader(Error error, size_t) {
  idle_ = false;
  if (error == http::error::header_limit) {
    return Refuse(
        431, absl::StrCat("the headers have more than ", all_->options().header_bytes, " bytes"));
  }
  if (error == http::error::body_limit) return RefuseBody();
  if (IsMalformed(error)) return Refuse(400, absl::StrCat("not HTTP: ", error.message()));
  if (error) return;  // the client left, or was too slow
  body_until_ = Clock::now() + all_->options().body_time;
  const bool waits =
      absl::EqualsIgnoreCase(std::string(parser_->get()[http::field::expect]), "100-continue");
  if (!waits) return ReadBody();
  asio::async_write(stream_, asio::buffer(kContinue.data(), kContinue.size()),
                    Then(&HttpConnection::OnContinueWritten));
}

void HttpConnection::OnContinueWritten(Error error, size_t) {
  if (!error) ReadBody();
}

void HttpConnection::ReadBody() {
  if (parser_->is_done()) return Handle();
  const Duration left = body_until_ - Clock::now();
  stream_.expires_after(std::min(left, all_->options().progress_time));
  http::async_read_some(stream_, buffer_, *parser_, Then(&HttpConnection::OnBody));
}

void HttpConnection::OnBody(Error error, size_t) {
  if (error == http::error::body_limit) return RefuseBody();
  if (IsMalformed(error)) return Refuse(400, absl::StrCat("not HTTP: ", error.message()));
  if (error) return;  // the client left, or was too slow
  const size_t more = parser_->get().body().size() - reserved_;
  if (!all_->Reserve(more)) {
    return Refuse(503, "the server has no memory left for requests' bodies");
  }
  reserved_ += more;
  ReadBody();
}

void HttpConnection::RefuseBody() {
  Refuse(413, absl::StrCat("the body has more than ", all_->options().body_bytes,
                           " bytes, which no valid request takes"));
}

void HttpConnection::Refuse(int status, std::string_view why) {
  keep_alive_ = false;
  ++number_;
  request_ = {};
  Write(HttpError(status, why));
}

void HttpConnection::Handle() {
  stream_.expires_never();
  keep_alive_ = parser_->get().keep_alive();
  ++number_;
  request_ = Translate(parser_->get());
  {
    const MutexLock lock(mutex_);
    gone_ = false;
    on_gone_ = nullptr;
  }
  WatchClient();
  all_->handler()(shared_from_this());
}

// A client that sends its next request already is not watched.
void HttpConnection::WatchClient() {
  if (buffer_.size() > 0) return;
  stream_.socket().async_wait(
      Socket::wait_read, [self = shared_from_this(), number = number_](Error error) {
        if (error || number != self->number_ || !HasEnded(self->stream_.socket().native_handle())) {
          return;
        }
        std::function<void()> callback;
        {
          const MutexLock lock(self->mutex_);
          self->gone_ = true;
          callback = std::move(self->on_gone_);
          self->on_gone_ = nullptr;
        }
        if (callback) callback();
      });
}

void HttpConnection::OnGone(std::function<void()> callback) {
  {
    const MutexLock lock(mutex_);
    if (!gone_) {
      on_gone_ = std::move(callback);
      return;
    }
  }
  callback();
}

void HttpConnection::Respond(HttpResponse response) {
  asio::post(stream_.get_executor(),
             [self = shared_from_this(), response = std::move(response)]() mutable {
               self->Write(std::move(response));
             });
}

void HttpConnection::Write(HttpResponse response) {
  {
    const MutexLock lock(mutex_);
    on_gone_ = nullptr;
  }
  keep_alive_ = keep_alive_ && !all_->draining();
  const bool bodiless = response.status == 204 || response.status == 304;
  response_ = Response(static_cast<http::status>(response.status), 11);
  if (!bodiless) response_.set(http::field::content_type, response.content_type);
  for (const auto& [name, value] : response.headers) response_.set(name, value);
  response_.keep_alive(keep_alive_);
  response_.body() = std::move(response.body);
  if (!bodiless) response_.prepare_payload();
  if (request_.method == "HEAD") response_.body().clear();
  stream_.expires_after(all_->options().write_time);
  http::async_write(stream_, response_, Then(&HttpConnection::OnWritten));
}

void HttpConnection::OnWritten(Error error, size_t) {
  all_->Release(std::exchange(reserved_, 0));
  request_ = {};
  response_ = {};
  if (error && error != http::error::end_of_stream) return;
  if (keep_alive_) return ReadHeader(all_->options().idle_time);
  Close();
}

void HttpConnection::Close() {
  Error error;
  stream_.socket().shutdown(Socket::shutdown_send, error);
  if (error) return;
  buffer_.clear();
  stream_.expires_after(kFarewell);
  ReadAway();
}

void HttpConnection::ReadAway() {
  constexpr size_t kPiece = 16 * 1024;
  stream_.async_read_some(buffer_.prepare(kPiece),
                          [self = shared_from_this()](Error error, size_t) {
                            if (!error) self->ReadAway();
                          });
}

}  // namespace escan
