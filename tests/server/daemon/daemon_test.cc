// The daemon's life: starting, being asked, being operated, draining.
#include "server/daemon/daemon.h"

#include <grpcpp/generic/generic_stub.h>
#include <grpcpp/grpcpp.h>
#include <signal.h>
#include <sys/stat.h>

#include <filesystem>
#include <future>
#include <string>
#include <vector>

#include "client/direct_channel.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "server/test_daemon.h"
#include "supervision/misbehaving_worker.h"

namespace escan {
namespace {

using testing::HasSubstr;

class DaemonTest : public testing::Test {
 protected:
  DaemonTest() : config_(TestConfig(folder_)) {}

  absl::Status StartSecond(const Config& config) {
    return StartWith(config, MisbehavingWorker("good"));
  }

  static absl::Status StartWith(const Config& config, const WorkerCommand& worker) {
    return Daemon::Start({.config = config,
                          .host = std::make_shared<PlainWorkerHost>(worker),
                          .notify = [](const std::string&) {}})
        .status();
  }

  TemporaryFolder folder_;
  Config config_;
};

template <typename Request, typename Response, typename Stub>
grpc::Status Call(Stub& stub,
                  grpc::Status (Stub::*method)(grpc::ClientContext*, const Request&, Response*),
                  const Request& request, Response* response) {
  grpc::ClientContext context;
  return (stub.*method)(&context, request, response);
}

TEST_F(DaemonTest, ATakenPortIsAnErrorThatNamesIt) {
  config_.server.metrics = "127.0.0.1:0";
  TestDaemon daemon(config_, "good");
  TemporaryFolder other;
  Config second = TestConfig(other);
  second.server.listen = daemon.addresses().inference;
  absl::Status status = StartSecond(second);
  EXPECT_EQ(status.code(), absl::StatusCode::kUnavailable);
  EXPECT_THAT(std::string(status.message()), HasSubstr(daemon.addresses().inference));
  second = TestConfig(other);
  second.server.metrics = daemon.addresses().metrics;
  status = StartSecond(second);
  EXPECT_EQ(status.code(), absl::StatusCode::kUnavailable);
  EXPECT_THAT(std::string(status.message()), HasSubstr(daemon.addresses().metrics));
}

TEST_F(DaemonTest, ATakenPortIsFoundBeforeAnyWorkerIsStarted) {
  TestDaemon daemon(config_, "good");
  TemporaryFolder other;
  Config second = TestConfig(other);
  second.server.listen = daemon.addresses().inference;
  const absl::Status status = StartWith(second, {.program = other.path() / "no-worker"});
  EXPECT_EQ(status.code(), absl::StatusCode::kUnavailable) << status;
}

TEST_F(DaemonTest, AMissingWorkerProgramIsAnErrorThatNamesIt) {
  const absl::Status status = StartWith(config_, {.program = folder_.path() / "no-worker"});
  EXPECT_EQ(status.code(), absl::StatusCode::kNotFound);
  EXPECT_THAT(std::string(status.message()), HasSubstr("no-worker"));
}

TEST_F(DaemonTest, AnAdminSocketInUseIsLeftToItsOwner) {
  TestDaemon daemon(config_, "good");
  const absl::Status status = StartSecond(config_);
  EXPECT_EQ(status.code(), absl::StatusCode::kAlreadyExists);
  EXPECT_THAT(std::string(status.message()), HasSubstr("admin.sock"));
  EXPECT_EQ(daemon.Status().name(), "test");
}

TEST_F(DaemonTest, TheAdminSocketIsForItsGroupAndGoesWithTheDaemon) {
  const std::filesystem::path socket = config_.server.admin.substr(5);
  {
    TestDaemon daemon(config_, "good");
    struct stat info {};
    ASSERT_EQ(stat(socket.c_str(), &info), 0);
    EXPECT_EQ(info.st_mode & 0777, 0660u);
    ASSERT_EQ(stat(socket.parent_path().c_str(), &info), 0);
    EXPECT_EQ(info.st_mode & 0777, 0750u);
  }
  EXPECT_FALSE(std::filesystem::exists(socket));
}

TEST_F(DaemonTest, ItIsNotReadyBeforeItsWorkersAre) {
  TestDaemon daemon(config_, "never-ready");
  daemon.WaitNotified("STATUS=not ready");
  inference::ServerReadyResponse ready;
  ASSERT_TRUE(Call(daemon.client(), &inference::GRPCInferenceService::Stub::ServerReady,
                   inference::ServerReadyRequest(), &ready)
                  .ok());
  EXPECT_FALSE(ready.ready());
  v1::GetHealthResponse health;
  ASSERT_TRUE(
      Call(daemon.admin(), &v1::AdminService::Stub::GetHealth, v1::GetHealthRequest(), &health)
          .ok());
  EXPECT_TRUE(health.live());
  EXPECT_FALSE(health.ready());
  EXPECT_EQ(health.reason(), "stage 'first' of model 'test' has no ready worker");
  inference::RepositoryIndexResponse index;
  ASSERT_TRUE(Call(daemon.client(), &inference::GRPCInferenceService::Stub::RepositoryIndex,
                   inference::RepositoryIndexRequest(), &index)
                  .ok());
  ASSERT_EQ(index.models_size(), 1);
  EXPECT_EQ(index.models(0).state(), "UNAVAILABLE");
  EXPECT_EQ(index.models(0).reason(), health.reason());
}

TEST_F(DaemonTest, RequestsAreRefusedWithTheReasonWhileNoWorkerCanBeStarted) {
  TestDaemon daemon(config_, "fails-to-load");
  const std::string reason =
      "stage 'first' of model 'test' has no ready worker: exit status 9: no such model";
  daemon.WaitNotified("STATUS=not ready: " + reason);
  const grpc::Status refused = daemon.Infer(TestRequest({200}));
  EXPECT_EQ(refused.error_code(), grpc::StatusCode::UNAVAILABLE);
  EXPECT_EQ(refused.error_message(), reason);
  EXPECT_EQ(daemon.Status().slots_in_use(), 0u);
}

TEST_F(DaemonTest, AModelThatCannotBeServedAsConfiguredEndsTheFirstStart) {
  TestDaemon daemon(config_, "unservable");
  EXPECT_EQ(daemon.WaitEnded(), Daemon::Ending::kUnservable);
}

TEST_F(DaemonTest, APassedDeadlineSaysThatNoWorkerWasReady) {
  config_.cascades[0].spec.deadline = std::chrono::milliseconds(1);
  TestDaemon daemon(config_, "never-ready");
  EXPECT_EQ(daemon.Infer(TestRequest({200})).error_message(),
            "the request's deadline passed before it was answered: stage 'first' of model 'test' "
            "has no ready worker");
}

// The status with which a server answers an empty message to `method`.
grpc::StatusCode CallUnknown(const std::string& address, const std::string& method) {
  grpc::GenericStub stub(OpenDirectChannel(address));
  grpc::ClientContext context;
  context.set_wait_for_ready(true);
  const grpc::Slice empty;
  const grpc::ByteBuffer request(&empty, 1);
  grpc::ByteBuffer response;
  std::promise<grpc::StatusCode> code;
  stub.UnaryCall(&context, method, grpc::StubOptions(), &request, &response,
                 [&](const grpc::Status& status) { code.set_value(status.error_code()); });
  return code.get_future().get();
}

TEST_F(DaemonTest, HealthAndReflectionAreForClientsAndNotOnTheAdminAddress) {
  // The first server's settings must not reach those after it in the same process.
  { TestDaemon first(config_, "good"); }
  TestDaemon daemon(config_, "good");
  for (const std::string method :
       {"/grpc.health.v1.Health/Check",
        "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo"}) {
    EXPECT_NE(CallUnknown(daemon.addresses().inference, method), grpc::StatusCode::UNIMPLEMENTED)
        << method;
    EXPECT_EQ(CallUnknown(daemon.addresses().admin, method), grpc::StatusCode::UNIMPLEMENTED)
        << method;
  }
}

TEST_F(DaemonTest, UnsupportedMethodsSayWhy) {
  TestDaemon daemon(config_, "good");
  inference::SystemSharedMemoryRegisterResponse response;
  const grpc::Status status =
      Call(daemon.client(), &inference::GRPCInferenceService::Stub::SystemSharedMemoryRegister,
           inference::SystemSharedMemoryRegisterRequest(), &response);
  EXPECT_EQ(status.error_code(), grpc::StatusCode::UNIMPLEMENTED);
  EXPECT_EQ(status.error_message(),
            "shared memory is not supported: tensors travel inside the messages");
}

TEST_F(DaemonTest, StatisticsCountTheCascadeAndItsStages) {
  TestDaemon daemon(config_, "good");
  daemon.WaitReady();
  ASSERT_TRUE(daemon.Infer(TestRequest({1, 200})).ok());
  inference::ModelStatisticsResponse statistics;
  const auto method = &inference::GRPCInferenceService::Stub::ModelStatistics;
  ASSERT_TRUE(Call(daemon.client(), method, inference::ModelStatisticsRequest(), &statistics).ok());
  ASSERT_EQ(statistics.model_stats_size(), 3);
  EXPECT_EQ(statistics.model_stats(0).name(), "test");
  EXPECT_EQ(statistics.model_stats(0).inference_count(), 2u);
  EXPECT_EQ(statistics.model_stats(0).inference_stats().success().count(), 1u);
  EXPECT_EQ(statistics.model_stats(1).name(), "test/first");
  EXPECT_EQ(statistics.model_stats(1).inference_count(), 2u);
  EXPECT_EQ(statistics.model_stats(2).inference_count(), 1u);
  inference::ModelStatisticsRequest named;
  named.set_name("test/second");
  ASSERT_TRUE(Call(daemon.client(), method, named, &statistics).ok());
  ASSERT_EQ(statistics.model_stats_size(), 1);
  named.set_name("other");
  EXPECT_EQ(Call(daemon.client(), method, named, &statistics).error_code(),
            grpc::StatusCode::NOT_FOUND);
}

TEST_F(DaemonTest, ThresholdsChangeAtOnceAndAllOrNone) {
  TestDaemon daemon(config_, "good");
  daemon.WaitReady();
  v1::SetThresholdsRequest request;
  v1::SetThresholdsResponse response;
  const auto method = &v1::AdminService::Stub::SetThresholds;
  (*request.mutable_thresholds())["first"] = 0;
  (*request.mutable_thresholds())["second"] = 0;
  const grpc::Status refused = Call(daemon.admin(), method, request, &response);
  EXPECT_EQ(refused.error_code(), grpc::StatusCode::INVALID_ARGUMENT);
  EXPECT_EQ(refused.error_message(),
            "stage 'second': has no threshold, the last stage always answers");
  EXPECT_FALSE(daemon.Status().thresholds_differ_from_file());
  request.mutable_thresholds()->erase("second");
  ASSERT_TRUE(Call(daemon.admin(), method, request, &response).ok());
  EXPECT_TRUE(daemon.Status().thresholds_differ_from_file());
  inference::ModelInferResponse answer;
  ASSERT_TRUE(daemon.Infer(TestRequest({1}), &answer).ok());
  EXPECT_EQ(answer.raw_output_contents(1), std::string("\1\0\0\0", 4));
}

TEST_F(DaemonTest, APlanIsShownChangedAndRefused) {
  TestDaemon daemon(config_, "good");
  daemon.WaitReady();
  v1::GetPlanResponse plan;
  const auto get = &v1::AdminService::Stub::GetPlan;
  ASSERT_TRUE(Call(daemon.admin(), get, v1::GetPlanRequest(), &plan).ok());
  EXPECT_FALSE(plan.differs_from_file());
  v1::SetPlanRequest request;
  v1::SetPlanResponse changed;
  const auto set = &v1::AdminService::Stub::SetPlan;
  request.set_source("wrong.yaml");
  request.set_plan_yaml("workers: [{count: 1, stages: [third]}]\n");
  const grpc::Status refused = Call(daemon.admin(), set, request, &changed);
  EXPECT_EQ(refused.error_code(), grpc::StatusCode::INVALID_ARGUMENT);
  EXPECT_THAT(refused.error_message(), HasSubstr("wrong.yaml:1"));
  request.set_plan_yaml("workers: [{count: 2, stages: [first, second]}]\n");
  ASSERT_TRUE(Call(daemon.admin(), set, request, &changed).ok());
  EXPECT_GT(changed.workers_started(), 0u);
  ASSERT_TRUE(Call(daemon.admin(), get, v1::GetPlanRequest(), &plan).ok());
  EXPECT_TRUE(plan.differs_from_file());
  EXPECT_EQ(daemon.Status().workers_size(), 2);
}

TEST_F(DaemonTest, ASignalDrainsAndAnIdleStreamIsTold) {
  TestDaemon daemon(config_, "good");
  daemon.WaitReady();
  grpc::ClientContext context;
  const auto stream = daemon.client().ModelStreamInfer(&context);
  inference::ModelStreamInferResponse response;
  ASSERT_TRUE(stream->Write(TestRequest({1})) && stream->Read(&response));
  daemon.Signal();
  EXPECT_FALSE(stream->Read(&response));
  EXPECT_EQ(stream->Finish().error_code(), grpc::StatusCode::UNAVAILABLE);
  EXPECT_EQ(daemon.WaitEnded(), Daemon::Ending::kDrained);
}

TEST_F(DaemonTest, TheAdminServiceDrainsAsASignalDoes) {
  TestDaemon daemon(config_, "good");
  v1::DrainResponse response;
  ASSERT_TRUE(
      Call(daemon.admin(), &v1::AdminService::Stub::Drain, v1::DrainRequest(), &response).ok());
  EXPECT_EQ(daemon.WaitEnded(), Daemon::Ending::kDrained);
}

TEST_F(DaemonTest, AFirstSignalDoesNotCutShortADrainThatAnOperatorBegan) {
  config_.shutdown.grace = std::chrono::milliseconds(100);
  TestDaemon daemon(config_, "good");
  v1::DrainResponse response;
  ASSERT_TRUE(
      Call(daemon.admin(), &v1::AdminService::Stub::Drain, v1::DrainRequest(), &response).ok());
  daemon.Signal();
  EXPECT_EQ(daemon.WaitEnded(), Daemon::Ending::kDrained);
}

TEST_F(DaemonTest, WhileDrainingNewRequestsAreRefusedAndTheDrainIsBounded) {
  TestDaemon daemon(config_, "hang");
  daemon.WaitReady();
  auto inside = std::async(std::launch::async, [&] { return daemon.Infer(TestRequest({1})); });
  daemon.WaitFor([](const v1::CascadeStatus& status) { return status.requests() == 1; });
  daemon.Signal();
  daemon.WaitNotified("STATUS=draining");
  const grpc::Status refused = daemon.Infer(TestRequest({1}));
  EXPECT_EQ(refused.error_code(), grpc::StatusCode::UNAVAILABLE);
  EXPECT_EQ(inside.get().error_code(), grpc::StatusCode::UNAVAILABLE);
  EXPECT_EQ(daemon.WaitEnded(), Daemon::Ending::kDrained);
}

TEST_F(DaemonTest, AStreamOpenedWhileDrainingIsRefused) {
  config_.shutdown.drain_timeout = std::chrono::minutes(1);
  TestDaemon daemon(config_, "hang");
  daemon.WaitReady();
  grpc::ClientContext inside_context;
  auto inside = std::async(std::launch::async, [&] {
    inference::ModelInferResponse ignored;
    return daemon.client().ModelInfer(&inside_context, TestRequest({1}), &ignored);
  });
  daemon.WaitFor([](const v1::CascadeStatus& status) { return status.requests() == 1; });
  daemon.Signal();
  daemon.WaitNotified("STATUS=draining");
  grpc::ClientContext context;
  const auto stream = daemon.client().ModelStreamInfer(&context);
  inference::ModelStreamInferResponse response;
  EXPECT_FALSE(stream->Read(&response));
  EXPECT_EQ(stream->Finish().error_code(), grpc::StatusCode::UNAVAILABLE);
  inside_context.TryCancel();
  EXPECT_EQ(inside.get().error_code(), grpc::StatusCode::CANCELLED);
  // The drain waits for what the worker holds, which would last until it is found to hang.
  daemon.WaitFor([](const v1::CascadeStatus& status) { return status.requests() == 0; });
  ASSERT_EQ(kill(daemon.Status().workers(0).pid(), SIGKILL), 0);
  EXPECT_EQ(daemon.WaitEnded(), Daemon::Ending::kDrained);
}

TEST_F(DaemonTest, CallsThatArriveAtTheEndOfADrainAreRefusedAsUnavailable) {
  TestDaemon daemon(config_, "good");
  daemon.WaitReady();
  daemon.Signal();
  daemon.WaitNotified("STATUS=draining");
  constexpr int kClients = 4;
  constexpr int kCalls = 50;
  std::vector<std::future<void>> clients;
  for (int i = 0; i < kClients; ++i) {
    clients.push_back(std::async(std::launch::async, [&] {
      for (int call = 0; call < kCalls; ++call) {
        const grpc::Status status = daemon.Infer(TestRequest({1}));
        EXPECT_EQ(status.error_code(), grpc::StatusCode::UNAVAILABLE) << status.error_message();
      }
    }));
  }
  for (std::future<void>& client : clients) client.get();
  EXPECT_EQ(daemon.WaitEnded(), Daemon::Ending::kDrained);
}

TEST_F(DaemonTest, InItsGracePeriodItIsNotReadyButAnswers) {
  config_.shutdown.grace = std::chrono::hours(1);
  TestDaemon daemon(config_, "good");
  daemon.WaitReady();
  daemon.Signal();
  daemon.WaitNotified("STOPPING=1");
  EXPECT_TRUE(daemon.Infer(TestRequest({1})).ok());
  inference::ServerReadyResponse ready;
  ASSERT_TRUE(Call(daemon.client(), &inference::GRPCInferenceService::Stub::ServerReady,
                   inference::ServerReadyRequest(), &ready)
                  .ok());
  EXPECT_FALSE(ready.ready());
  daemon.Signal();
  EXPECT_EQ(daemon.WaitEnded(), Daemon::Ending::kForced);
}

}  // namespace
}  // namespace escan
