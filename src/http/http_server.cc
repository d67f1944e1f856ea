#include "http/http_server.h"

#include <pthread.h>

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <thread>
#include <utility>
#include <vector>

#include "http/http_connection.h"

namespace escan {

// Connections refer to all of it, so they go with the io_context, which is last.
class HttpServer::Core {
 public:
  Core(Options options, HttpHandler handler, std::function<void()> on_refused)
      : connections_(std::move(options), std::move(handler)),
        on_refused_(std::move(on_refused)),
        context_(connections_.options().threads),
        work_(context_.get_executor()) {
    for (int i = 0; i < connections_.options().threads; ++i) {
      std::thread& thread = threads_.emplace_back([this] { context_.run(); });
      pthread_setname_np(thread.native_handle(), connections_.options().name.c_str());
    }
  }

  ~Core() {
    context_.stop();
    for (std::thread& thread : threads_) thread.join();
  }

  void Take(UniqueFd connection) {
    if (!HttpConnection::Start(context_, &connections_, std::move(connection))) on_refused_();
  }

  void Drain(TimePoint deadline) { connections_.Drain(deadline); }

 private:
  HttpConnections connections_;
  const std::function<void()> on_refused_;
  boost::asio::io_context context_;
  boost::asio::executor_work_guard<boost::asio::io_context::executor_type> work_;
  std::vector<std::thread> threads_;
};

HttpServer::HttpServer(Options options, HttpHandler handler, std::function<void()> on_refused)
    : core_(std::make_unique<Core>(std::move(options), std::move(handler), std::move(on_refused))) {
}

HttpServer::~HttpServer() = default;

void HttpServer::Take(UniqueFd connection) { core_->Take(std::move(connection)); }

void HttpServer::Drain(TimePoint deadline) { core_->Drain(deadline); }

}  // namespace escan
