// What connections meet before any call: pings, silence.
#include <string>

#include "gtest/gtest.h"
#include "server/listening/raw_connection.h"
#include "server/test_daemon.h"

namespace escan {
namespace {

constexpr size_t kFrameHeader = 9;  // RFC 9113, section 4.1
enum FrameType : char { kGoAway = 7, kSettings = 4, kPing = 6 };
constexpr char kAcknowledged = 1;

// An HTTP/2 frame about the whole connection.
std::string Frame(FrameType type, const std::string& payload) {
  return std::string{0, 0, static_cast<char>(payload.size()), type, 0, 0, 0, 0, 0} + payload;
}

struct ReadFrame {
  char type = 0;
  char flags = 0;
  std::string payload;
};

ReadFrame NextFrame(const RawConnection& connection) {
  const std::string header = connection.Read(kFrameHeader);
  if (header.size() < kFrameHeader) return {};
  const auto byte = [&](size_t i) { return static_cast<size_t>(static_cast<uint8_t>(header[i])); };
  return {.type = header[3],
          .flags = header[4],
          .payload = connection.Read(byte(0) << 16 | byte(1) << 8 | byte(2))};
}

TEST(Transport, AClientMayPingAsOftenAsItLikes) {
  const TemporaryFolder folder;
  Config config = TestConfig(folder);
  config.server.admin = "127.0.0.1:0";
  TestDaemon daemon(config, "good");
  for (const std::string& address : {daemon.addresses().inference, daemon.addresses().admin}) {
    const RawConnection client(address);
    client.Send("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + Frame(kSettings, ""));
    for (int i = 0; i < 20; ++i) {
      const std::string payload = "ping no" + std::string(1, static_cast<char>('a' + i));
      client.Send(Frame(kPing, payload));
      ReadFrame answer = NextFrame(client);
      while (answer.type == kSettings ||
             (answer.type != 0 && answer.type != kPing && answer.type != kGoAway)) {
        answer = NextFrame(client);
      }
      ASSERT_EQ(answer.type, kPing) << "ping " << i << " of " << address << ": " << answer.payload;
      EXPECT_EQ(answer.flags, kAcknowledged);
      EXPECT_EQ(answer.payload, payload);
    }
  }
}

TEST(Transport, SilentConnectionsToTheMetricsPortHoldUpNoScrape) {
  const TemporaryFolder folder;
  Config config = TestConfig(folder);
  config.server.metrics = "127.0.0.1:0";
  TestDaemon daemon(config, "good");
  std::vector<std::unique_ptr<RawConnection>> others;
  for (int i = 0; i < 8; ++i) {
    others.push_back(std::make_unique<RawConnection>(daemon.addresses().metrics));
    if (i % 2 == 1) others.back()->Send("GET /metrics HTTP/1.1\r\nHost: a\r\n");
  }
  const RawConnection scrape(daemon.addresses().metrics);
  scrape.Send("GET /metrics HTTP/1.1\r\nHost: a\r\n\r\n");
  EXPECT_EQ(scrape.Read(15), "HTTP/1.1 200 OK");
  // The others are still there, and are not for ever.
  for (const auto& other : others) other->ReadAll();
}

}  // namespace
}  // namespace escan
