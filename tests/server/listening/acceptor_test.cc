#include "server/listening/acceptor.h"

#include <fcntl.h>

#include <condition_variable>
#include <mutex>
#include <vector>

#include "gtest/gtest.h"
#include "server/listening/raw_connection.h"

namespace escan {
namespace {

// What an acceptor told. Any thread.
class Told {
 public:
  Acceptor::Listener listener() {
    return {.on_connection =
                [this](UniqueFd connection) {
                  Change([&] { connections_.push_back(std::move(connection)); });
                },
            .on_refused = [this] { Change([&] { ++refused_; }); },
            .on_change = [this](bool accepting) { Change([&] { accepting_ = accepting; }); }};
  }

  void WaitUntil(size_t connections, int refused, bool accepting) {
    std::unique_lock lock(mutex_);
    EXPECT_TRUE(changed_.wait_for(lock, std::chrono::minutes(1),
                                  [&] {
                                    return connections_.size() == connections &&
                                           refused_ == refused && accepting_ == accepting;
                                  }))
        << connections_.size() << " " << refused_ << " " << accepting_;
  }
  void CloseConnections() {
    Change([&] { connections_.clear(); });
  }

 private:
  template <typename Action>
  void Change(Action action) {
    const std::lock_guard lock(mutex_);
    action();
    changed_.notify_all();
  }

  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<UniqueFd> connections_;
  int refused_ = 0;
  bool accepting_ = true;
};

ListeningSockets Listening(const std::string& address) {
  absl::StatusOr<ListeningSockets> bound = BindSockets(address);
  EXPECT_TRUE(bound.ok()) << bound.status();
  EXPECT_TRUE(StartListening(*bound).ok());
  return *std::move(bound);
}

// Below which there is room for just `count` more descriptors. Numbers in between may be in use.
int CeilingFor(int count) {
  std::vector<UniqueFd> next;
  for (int i = 0; i < count; ++i) next.emplace_back(fcntl(0, F_DUPFD_CLOEXEC, 0));
  return next.back().get() + 1;
}

TEST(Acceptor, HandsOverConnectionsOfAllItsSockets) {
  ListeningSockets bound = Listening("localhost:0");
  const std::string port = bound.address.substr(bound.address.rfind(':'));
  const size_t families = bound.sockets.size();
  Told told;
  const Acceptor acceptor(std::move(bound), 1 << 20, told.listener());
  const RawConnection ipv4("127.0.0.1" + port);
  EXPECT_TRUE(ipv4.connected());
  const RawConnection ipv6("[::1]" + port);
  told.WaitUntil(families, 0, true);
  EXPECT_EQ(ipv6.connected(), families == 2);
}

TEST(Acceptor, ClosesWhatHasNoRoomAndTakesConnectionsAgainLater) {
  ListeningSockets bound = Listening("127.0.0.1:0");
  const std::string address = bound.address;
  Told told;
  // The acceptor's eventfd takes one number and the clients' ends one each.
  std::vector<std::unique_ptr<RawConnection>> clients;
  const Acceptor acceptor(std::move(bound), CeilingFor(1 + 2 * 3), told.listener());
  for (size_t i = 1; i <= 3; ++i) {
    clients.push_back(std::make_unique<RawConnection>(address));
    told.WaitUntil(i, 0, true);
  }
  const RawConnection refused(address);
  EXPECT_EQ(refused.ReadAll(), "");
  told.WaitUntil(3, 1, false);
  told.CloseConnections();
  told.WaitUntil(0, 1, true);
  clients.clear();
  clients.push_back(std::make_unique<RawConnection>(address));
  told.WaitUntil(1, 1, true);
}

}  // namespace
}  // namespace escan
