#include "config/clients_file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "config/config_folder.h"

namespace escan {
namespace {

// Of "secret", as `printf %s secret | sha256sum` prints it.
constexpr char kSecret[] = "2bb80d537b1da3e38bd30361aa855686bde0eacd7162fef6a25fe97bf527a25b";

absl::StatusOr<std::vector<ClientConfig>> Load(const std::string& yaml) {
  const ConfigFolder folder;
  return LoadClients(folder.Write("clients.yaml", yaml));
}

std::string MistakesOf(const std::string& yaml) {
  const absl::StatusOr<std::vector<ClientConfig>> clients = Load(yaml);
  return clients.ok() ? "none" : std::string(clients.status().message());
}

TEST(LoadClients, ReadsHashesAndLimits) {
  const auto clients = Load(std::string("clients:\n  - {name: camera, token_sha256: ") + kSecret +
                            ", requests_per_second: 10, rows_per_second: 0.5, concurrent: 3}\n");
  ASSERT_TRUE(clients.ok()) << clients.status();
  ASSERT_EQ(clients->size(), 1u);
  EXPECT_EQ(clients->front(), (ClientConfig{.name = "camera",
                                            .token = HashOf("secret"),
                                            .requests_per_second = 10,
                                            .rows_per_second = 0.5,
                                            .concurrent = 3}));
}

TEST(LoadClients, WithoutLimitsThereAreNone) {
  const auto clients =
      Load(std::string("clients: [{name: camera, token_sha256: ") + kSecret + "}]\n");
  ASSERT_TRUE(clients.ok()) << clients.status();
  EXPECT_EQ(clients->front().requests_per_second, ClientConfig::kNoLimit);
  EXPECT_EQ(clients->front().rows_per_second, ClientConfig::kNoLimit);
}

TEST(LoadClients, SaysWhatIsWrong) {
  EXPECT_THAT(MistakesOf("clients: []\n"), testing::HasSubstr("clients.yaml:1: clients: "));
  EXPECT_THAT(MistakesOf("clients: [{name: a, token_sha256: secret}]\n"),
              testing::HasSubstr("clients[0].token_sha256: expected the 64 hexadecimal digits"));
  EXPECT_THAT(MistakesOf("clients: [{name: a b, token_sha256: '00'}]\n"),
              testing::HasSubstr("clients[0].name: \"a b\" is not a name"));
  const std::string hash = kSecret;
  EXPECT_THAT(MistakesOf("clients:\n  - {name: a, token_sha256: " + hash +
                         "}\n  - {name: a, token_sha256: " + hash + "}\n"),
              testing::AllOf(testing::HasSubstr("clients[1]: there is another client named a"),
                             testing::HasSubstr("clients[1]: has the token of client a")));
}

TEST(SameHash, OnlyOfTheSameToken) {
  EXPECT_TRUE(SameHash(HashOf("secret"), HashOf("secret")));
  EXPECT_FALSE(SameHash(HashOf("secret"), HashOf("Secret")));
}

}  // namespace
}  // namespace escan
