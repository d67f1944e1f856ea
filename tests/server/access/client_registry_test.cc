#include "server/access/client_registry.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace escan {
namespace {

using testing::HasSubstr;

ClientConfig Config(const std::string& name) {
  return {.name = name, .token = HashOf("token of " + name)};
}

std::string Refusal(const ClientRegistry& registry, const std::string& authorization) {
  const absl::Status status = registry.Find(authorization).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kUnauthenticated);
  return std::string(status.message());
}

TEST(ClientRegistry, FindsWhoseTokenItIs) {
  const ClientRegistry registry({Config("a"), Config("b")}, nullptr);
  const auto found = registry.Find("Bearer token of b");
  ASSERT_TRUE(found.ok()) << found.status();
  EXPECT_EQ((*found)->config().name, "b");
  EXPECT_TRUE(registry.Find("bearer token of a").ok());
}

TEST(ClientRegistry, SaysWhatIsWrongButNotWhichTokensThereAre) {
  const ClientRegistry registry({Config("a")}, nullptr);
  EXPECT_THAT(Refusal(registry, ""), HasSubstr("authorization: Bearer TOKEN"));
  EXPECT_THAT(Refusal(registry, "Basic YTpi"), HasSubstr("not of the form"));
  EXPECT_EQ(Refusal(registry, "Bearer token of b"), "the token is of no client");
}

TEST(ClientRegistry, ClientsGoOnCountingInTheNextOne) {
  const ClientRegistry before({Config("a"), Config("b")}, nullptr);
  for (const std::shared_ptr<Client>& client : before.clients()) {
    EXPECT_TRUE(Client::Enter(client, 3, Clock::now()).ok());
  }
  ClientConfig changed = Config("b");
  changed.concurrent = 7;
  const ClientRegistry after({Config("a"), changed, Config("c")}, &before);
  EXPECT_EQ(after.clients()[0], before.clients()[0]);
  EXPECT_EQ(after.clients()[1]->config().concurrent, 7);
  EXPECT_EQ(after.clients()[1]->Read().rows, 3u);
  EXPECT_EQ(after.clients()[2]->Read().rows, 0u);
}

TEST(Client, IsRefusedByTheLimitThatItPasses) {
  ClientConfig config = Config("a");
  config.concurrent = 2;
  config.rows_per_second = 4;
  const auto client = std::make_shared<Client>(config);
  const TimePoint now = Clock::now();
  {
    const auto first = Client::Enter(client, 1, now);
    const auto second = Client::Enter(client, 1, now);
    ASSERT_TRUE(first.ok() && second.ok());
    const absl::Status third = Client::Enter(client, 1, now).status();
    EXPECT_EQ(third.code(), absl::StatusCode::kResourceExhausted);
    EXPECT_EQ(third.message(), "client 'a' may have 2 requests at the same time");
    EXPECT_EQ(client->Read().inside, 2);
  }
  EXPECT_EQ(client->Read().inside, 0);
  EXPECT_TRUE(Client::Enter(client, 100, now).ok());
  EXPECT_EQ(Client::Enter(client, 1, now).status().message(),
            "client 'a' may have 4 rows per second");
  EXPECT_EQ(client->Read().refused, 2u);
  EXPECT_EQ(client->Read().requests, 3u);
}

TEST(Client, NobodyHasNoLimits) { EXPECT_TRUE(Client::Enter(nullptr, 1, Clock::now()).ok()); }

}  // namespace
}  // namespace escan
