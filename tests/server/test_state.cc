#include "server/test_state.h"

#include <utility>
#include <vector>

#include "gtest/gtest.h"
#include "supervision/misbehaving_worker.h"

namespace escan {

std::unique_ptr<ServerState> StateOf(const Config& config, MpsReporter mps) {
  const CascadeConfig& cascade = config.cascades.front();
  EngineOptions options;
  options.host = std::make_shared<PlainWorkerHost>(MisbehavingWorker("never-ready"));
  options.devices = {Device{}};
  options.cpus = {0};
  absl::StatusOr<std::unique_ptr<Engine>> engine =
      Engine::Start(cascade.spec, cascade.plan, options);
  EXPECT_TRUE(engine.ok()) << engine.status();
  ModelTable models;
  models.push_back(std::make_shared<ServedModel>(cascade, *std::move(engine)));
  return std::make_unique<ServerState>(std::move(models), std::move(mps));
}

}  // namespace escan
