// Changing which cascades a daemon serves, with workers that misbehave in this process's daemon.
#include "server/deployment/deployment.h"

#include <gmock/gmock.h>
#include <grpcpp/grpcpp.h>

#include <mutex>
#include <thread>

#include "gtest/gtest.h"
#include "server/test_daemon.h"

namespace escan {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

// A daemon whose configuration "file" is a variable.
class Reloading {
 public:
  Reloading() : next_(TestConfig(folder_)) {
    daemon_ = std::make_unique<TestDaemon>(TestConfig(folder_), "good", Profiles{}, [this] {
      const std::lock_guard<std::mutex> lock(mutex_);
      return absl::StatusOr<Deployed>(Deployed{.config = next_});
    });
    daemon_->WaitReady();
  }

  // The configuration with which the daemon started, to change.
  template <typename Change>
  void Edit(Change change) {
    const std::lock_guard<std::mutex> lock(mutex_);
    change(next_);
  }

  grpc::Status Reload(v1::ReloadResponse* response = nullptr) {
    grpc::ClientContext context;
    v1::ReloadResponse ignored;
    return daemon_->admin().Reload(&context, {}, response == nullptr ? &ignored : response);
  }

  std::string VersionOf(const std::string& model) {
    inference::ModelInferRequest request = TestRequest({200});
    request.set_model_name(model);
    inference::ModelInferResponse response;
    const grpc::Status status = daemon_->Infer(request, &response);
    return status.ok() ? response.model_version() : status.error_message();
  }

  TestDaemon& daemon() { return *daemon_; }

 private:
  const TemporaryFolder folder_;
  std::mutex mutex_;
  Config next_;
  std::unique_ptr<TestDaemon> daemon_;
};

void AddCopy(Config& config, const std::string& name) {
  config.cascades.push_back(config.cascades.front());
  config.cascades.back().spec.name = name;
}

TEST(Reload, AddsReplacesAndRemovesCascades) {
  Reloading test;
  test.Edit([](Config& config) {
    AddCopy(config, "other");
    config.cascades.front().spec.max_rows = 8;
  });
  v1::ReloadResponse response;
  ASSERT_TRUE(test.Reload(&response).ok());
  EXPECT_THAT(response.added(), ElementsAre("other"));
  EXPECT_THAT(response.replaced(), ElementsAre("test"));
  EXPECT_EQ(test.VersionOf("test"), "2");
  EXPECT_EQ(test.VersionOf("other"), "1");

  test.Edit([](Config& config) { config.cascades.erase(config.cascades.begin()); });
  ASSERT_TRUE(test.Reload(&response).ok());
  EXPECT_THAT(response.removed(), ElementsAre("test"));
  EXPECT_THAT(response.unchanged(), ElementsAre("other"));
  EXPECT_EQ(test.VersionOf("test"), "unknown model 'test': this server has 'other'");
  EXPECT_EQ(test.VersionOf("other"), "1");
}

TEST(Reload, OfTheSameConfigurationChangesNothing) {
  Reloading test;
  const int64_t pid = test.daemon().Status().workers(0).pid();
  v1::ReloadResponse response;
  ASSERT_TRUE(test.Reload(&response).ok());
  EXPECT_THAT(response.unchanged(), ElementsAre("test"));
  EXPECT_EQ(test.daemon().Status().workers(0).pid(), pid);
}

TEST(Reload, WhatTakesARestartIsRefusedAsAWhole) {
  Reloading test;
  test.Edit([](Config& config) {
    AddCopy(config, "other");
    config.server.listen = "127.0.0.1:1";
  });
  const grpc::Status status = test.Reload();
  EXPECT_EQ(status.error_code(), grpc::StatusCode::FAILED_PRECONDITION);
  EXPECT_THAT(status.error_message(), HasSubstr("server.listen: changed from"));
  EXPECT_THAT(test.VersionOf("other"), HasSubstr("unknown model"));
  EXPECT_EQ(test.VersionOf("test"), "1");
}

TEST(Reload, ACascadeThatCannotBeServedIsRefusedAndTheOthersGoOn) {
  Reloading test;
  test.Edit([](Config& config) {
    AddCopy(config, "other");
    StageSpec& stage = config.cascades.front().spec.stages.front();
    stage.executor = ExecutorKind::kTorchScript;
    stage.model = "/no/such/model.pt";
  });
  const grpc::Status status = test.Reload();
  EXPECT_FALSE(status.ok());
  EXPECT_THAT(status.error_message(), HasSubstr("/no/such/model.pt"));
  EXPECT_EQ(test.VersionOf("test"), "1");
  EXPECT_THAT(test.VersionOf("other"), HasSubstr("unknown model"));
}

TEST(Reload, NoRequestFailsWhileVersionsAreReplaced) {
  Reloading test;
  std::atomic<bool> done{false};
  std::atomic<int> answered{0};
  std::string failure;
  std::thread load([&] {
    while (!done) {
      const grpc::Status status = test.daemon().Infer(TestRequest({1, 200, 3}));
      if (!status.ok()) failure = status.error_message();
      ++answered;
    }
  });
  for (int i = 0; i < 5; ++i) {
    test.Edit([&](Config& config) { config.cascades.front().spec.max_rows = 8 + i; });
    const int before = answered;
    EXPECT_TRUE(test.Reload().ok());
    while (answered == before) std::this_thread::yield();
  }
  done = true;
  load.join();
  EXPECT_EQ(failure, "");
  EXPECT_EQ(test.VersionOf("test"), "6");
}

TEST(Reload, WithoutAFileIsRefused) {
  const TemporaryFolder folder;
  TestDaemon daemon(TestConfig(folder), "good");
  grpc::ClientContext context;
  v1::ReloadResponse response;
  EXPECT_EQ(daemon.admin().Reload(&context, {}, &response).error_code(),
            grpc::StatusCode::FAILED_PRECONDITION);
}

TEST(ModelControl, ClientsLoadAndUnloadWhereTheyMay) {
  Reloading test;
  const auto load = [&](const std::string& name) {
    grpc::ClientContext context;
    inference::RepositoryModelLoadRequest request;
    request.set_model_name(name);
    inference::RepositoryModelLoadResponse response;
    return test.daemon().client().RepositoryModelLoad(&context, request, &response);
  };
  const auto unload = [&](const std::string& name) {
    grpc::ClientContext context;
    inference::RepositoryModelUnloadRequest request;
    request.set_model_name(name);
    inference::RepositoryModelUnloadResponse response;
    return test.daemon().client().RepositoryModelUnload(&context, request, &response);
  };
  EXPECT_EQ(unload("test").error_code(), grpc::StatusCode::PERMISSION_DENIED);
  test.Edit([](Config& config) { config.server.model_control = true; });
  ASSERT_TRUE(test.Reload().ok());
  EXPECT_EQ(load("other").error_code(), grpc::StatusCode::NOT_FOUND);
  EXPECT_EQ(unload("other").error_code(), grpc::StatusCode::NOT_FOUND);

  test.Edit([](Config& config) { AddCopy(config, "other"); });
  EXPECT_TRUE(load("other").ok());
  EXPECT_EQ(test.VersionOf("other"), "1");
  EXPECT_TRUE(unload("test").ok());
  EXPECT_THAT(test.VersionOf("test"), HasSubstr("unknown model"));
  EXPECT_TRUE(load("test").ok());
  EXPECT_EQ(test.VersionOf("test"), "2");
}

}  // namespace
}  // namespace escan
