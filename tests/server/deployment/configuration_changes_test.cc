#include "server/deployment/configuration_changes.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>

#include "server/test_daemon.h"

namespace escan {
namespace {

using testing::HasSubstr;

TEST(CheckTakesNoRestart, CascadesClientsAndTheEndMayChange) {
  const TemporaryFolder folder;
  const Config served = TestConfig(folder);
  Config next = served;
  next.cascades.clear();
  next.server.clients = "clients.yaml";
  next.server.model_control = true;
  next.shutdown.grace = std::chrono::seconds(7);
  EXPECT_TRUE(CheckTakesNoRestart(served, next).ok());
}

TEST(CheckTakesNoRestart, NamesEveryKeyThatDoes) {
  const TemporaryFolder folder;
  const Config served = TestConfig(folder);
  Config next = served;
  next.server.listen = "127.0.0.1:1";
  next.devices.push_back({Device::Kind::kGpu, "H100", "GPU-1"});
  next.server.tls = TlsConfig{.certificate = "a", .key = "b"};
  const absl::Status status = CheckTakesNoRestart(served, next);
  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(status.message()),
              testing::AllOf(HasSubstr("server.listen: changed from \"127.0.0.1:0\" to "
                                       "\"127.0.0.1:1\", which takes a restart"),
                             HasSubstr("server.tls: changed from \"off\""),
                             HasSubstr("devices: changed from \"cpu\" to \"cpu,GPU-1\"")));
}

TEST(Fingerprint, IsAnotherForAnotherPlanAndForAFileThatWasWrittenAnew) {
  const TemporaryFolder folder;
  CascadeConfig cascade = TestConfig(folder).cascades.front();
  const std::string before = Fingerprint(cascade);
  EXPECT_EQ(Fingerprint(cascade), before);
  cascade.plan.stages.front().max_batch = 3;
  EXPECT_NE(Fingerprint(cascade), before);

  cascade.spec.probe = folder.path() / "probe.npz";
  const std::string missing = Fingerprint(cascade);
  std::ofstream(cascade.spec.probe) << "rows";
  const std::string written = Fingerprint(cascade);
  EXPECT_NE(written, missing);
  std::ofstream(cascade.spec.probe) << "other rows";
  EXPECT_NE(Fingerprint(cascade), written);
}

}  // namespace
}  // namespace escan
