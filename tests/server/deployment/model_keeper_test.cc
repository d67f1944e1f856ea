#include "server/deployment/model_keeper.h"

#include <memory>

#include "gtest/gtest.h"
#include "server/test_daemon.h"

namespace escan {
namespace {

TEST(ModelKeeper, EndsWithTheLastOfItsModels) {
  const TemporaryFolder folder;
  std::shared_ptr<ModelKeeper> keeper = ModelKeeper::Start();
  const std::weak_ptr<ModelKeeper> watched = keeper;
  std::shared_ptr<ServedModel> model = ModelKeeper::Keep(
      keeper, std::make_unique<ServedModel>(TestConfig(folder).cascades.front(), nullptr));
  EXPECT_EQ(keeper->Living().size(), 1u);
  keeper.reset();
  EXPECT_FALSE(watched.expired());
  model.reset();
  EXPECT_TRUE(watched.expired());
}

}  // namespace
}  // namespace escan
