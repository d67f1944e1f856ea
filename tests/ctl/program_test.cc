// The program as an operator calls it, against a daemon's admin interface inside the test.
#include <gmock/gmock.h>
#include <grpcpp/security/server_credentials.h>
#include <grpcpp/server.h>
#include <grpcpp/server_builder.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <future>
#include <thread>

#include "escan/v1/admin.grpc.pb.h"
#include "support/shell.h"
#include "support/temporary_folder.h"

namespace escan::ctl {
namespace {

using testing::HasSubstr;
using testing::StartsWith;

Ended RunProgram(const std::string& arguments) {
  return RunShell(std::string(ESCANCTL_PROGRAM) + " " + arguments + " 2>&1");
}

class FakeDaemon : public v1::AdminService::Service {
 public:
  grpc::Status GetStatus(grpc::ServerContext*, const v1::GetStatusRequest*,
                         v1::GetStatusResponse* response) override {
    response->set_version("9.9");
    response->add_cascades()->set_name("digits");
    return grpc::Status::OK;
  }

  grpc::Status GetHealth(grpc::ServerContext*, const v1::GetHealthRequest*,
                         v1::GetHealthResponse* response) override {
    response->set_live(true);
    response->set_ready(ready);
    response->set_reason(ready ? "" : "draining");
    return grpc::Status::OK;
  }

  grpc::Status GetPlan(grpc::ServerContext*, const v1::GetPlanRequest* request,
                       v1::GetPlanResponse* response) override {
    response->set_plan_yaml("# of " + request->model() + "\n");
    return grpc::Status::OK;
  }

  grpc::Status SetPlan(grpc::ServerContext*, const v1::SetPlanRequest* request,
                       v1::SetPlanResponse* response) override {
    set_plan = *request;
    if (request->plan_yaml() == "bad") {
      return {grpc::StatusCode::INVALID_ARGUMENT, request->source() + ":1: not a mapping"};
    }
    response->set_workers_started(3);
    return grpc::Status::OK;
  }

  grpc::Status SetThresholds(grpc::ServerContext*, const v1::SetThresholdsRequest* request,
                             v1::SetThresholdsResponse*) override {
    set_thresholds = *request;
    return grpc::Status::OK;
  }

  grpc::Status GiveFeedback(grpc::ServerContext*, const v1::GiveFeedbackRequest* request,
                            v1::GiveFeedbackResponse*) override {
    feedback = *request;
    if (request->request_id() == "gone") return {grpc::StatusCode::NOT_FOUND, "not remembered"};
    return grpc::Status::OK;
  }

  grpc::Status Drain(grpc::ServerContext*, const v1::DrainRequest*,
                     v1::DrainResponse* response) override {
    response->set_requests(2);
    drained.set_value();
    return grpc::Status::OK;
  }

  bool ready = true;
  v1::SetPlanRequest set_plan;
  v1::SetThresholdsRequest set_thresholds;
  v1::GiveFeedbackRequest feedback;
  std::promise<void> drained;
};

class Program : public testing::Test {
 protected:
  Program() {
    grpc::ServerBuilder builder;
    builder.AddListeningPort(address_, grpc::InsecureServerCredentials());
    builder.RegisterService(&daemon_);
    server_ = builder.BuildAndStart();
  }

  ~Program() override { server_->Shutdown(); }

  Ended Ctl(const std::string& arguments) {
    return RunProgram("--admin " + address_ + " " + arguments);
  }

  std::string Write(const std::string& content) { return folder_.Write("plan.yaml", content); }

  FakeDaemon daemon_;
  const TemporaryFolder folder_;
  const std::string address_ = "unix:" + folder_.path("admin.sock").native();
  std::unique_ptr<grpc::Server> server_;
};

TEST_F(Program, ShowsTheStatusAsTextAndJson) {
  EXPECT_THAT(Ctl("status").output, StartsWith("escand 9.9, not ready, "));
  EXPECT_THAT(Ctl("status --json").output, HasSubstr("\"plan_changes\": \"0\""));
}

TEST_F(Program, TakesTheAddressFromTheEnvironment) {
  const Ended ended = RunShell("ESCAN_ADMIN=" + address_ + " " + ESCANCTL_PROGRAM + " health");
  EXPECT_EQ(ended.exit_status, 0);
  EXPECT_EQ(ended.output, "ready\n");
}

TEST_F(Program, AProxyInTheEnvironmentIsNotAsked) {
  grpc::ServerBuilder builder;
  int port = 0;
  builder.AddListeningPort("127.0.0.1:0", grpc::InsecureServerCredentials(), &port);
  FakeDaemon daemon;
  builder.RegisterService(&daemon);
  const std::unique_ptr<grpc::Server> server = builder.BuildAndStart();
  const std::string loopback = "127.0.0.1:" + std::to_string(port);
  for (const std::string variable : {"grpc_proxy", "https_proxy", "http_proxy"}) {
    for (const std::string& address : {loopback, address_}) {
      // Nobody listens on the port of a proxy like this.
      const Ended ended = RunShell(variable + "=http://127.0.0.1:9 no_proxy= " + ESCANCTL_PROGRAM +
                                   " --admin " + address + " health 2>&1");
      EXPECT_EQ(ended.output, "ready\n") << variable << " " << address;
      EXPECT_EQ(ended.exit_status, 0);
    }
  }
}

TEST_F(Program, HealthTellsByItsExitStatus) {
  EXPECT_EQ(Ctl("health").exit_status, 0);
  daemon_.ready = false;
  const Ended not_ready = Ctl("health");
  EXPECT_EQ(not_ready.exit_status, 1);
  EXPECT_EQ(not_ready.output, "not ready: draining\n");
  const Ended unreachable = RunProgram("--admin unix:" + folder_.path("none").native() + " health");
  EXPECT_EQ(unreachable.exit_status, 2);
  EXPECT_THAT(unreachable.output, StartsWith("escanctl: no daemon answers at unix:"));
  EXPECT_EQ(std::count(unreachable.output.begin(), unreachable.output.end(), '\n'), 1);
}

TEST_F(Program, ShowsThePlanOfAModel) {
  const Ended ended = Ctl("plan show --model digits");
  EXPECT_EQ(ended.exit_status, 0);
  EXPECT_EQ(ended.output, "# of digits\n");
}

TEST_F(Program, SetsAPlanFromAFileOrStandardInput) {
  const std::string file = Write("workers: []");
  EXPECT_EQ(Ctl("plan set " + file + " --model digits").output,
            "plan in effect after 0: 3 workers started, 0 workers stopped\n");
  EXPECT_EQ(daemon_.set_plan.plan_yaml(), "workers: []");
  EXPECT_EQ(daemon_.set_plan.source(), file);
  EXPECT_EQ(daemon_.set_plan.model(), "digits");
  EXPECT_EQ(Ctl("plan set - < " + file).exit_status, 0);
  EXPECT_EQ(daemon_.set_plan.source(), "standard input");
}

TEST_F(Program, ShowsTheDaemonsReasonForRefusingAPlan) {
  const std::string file = Write("bad");
  const Ended ended = Ctl("plan set " + file);
  EXPECT_EQ(ended.exit_status, 1);
  EXPECT_EQ(ended.output, "escanctl: " + file + ":1: not a mapping\n");
}

TEST_F(Program, NamesAPlanFileThatCannotBeRead) {
  const Ended missing = Ctl("plan set /nonexistent/plan.yaml");
  EXPECT_EQ(missing.exit_status, 2);
  EXPECT_EQ(missing.output, "escanctl: there is no file /nonexistent/plan.yaml\n");
  const Ended folder = Ctl("plan set /");
  EXPECT_EQ(folder.exit_status, 2);
  EXPECT_EQ(folder.output, "escanctl: / is a folder, expected a file\n");
  const Ended input = Ctl("plan set - < /");
  EXPECT_EQ(input.exit_status, 2);
  EXPECT_EQ(input.output, "escanctl: standard input cannot be read\n");
}

TEST_F(Program, SetsThresholdsOfSeveralStages) {
  const Ended ended = Ctl("thresholds set small=0.5 medium=0.75");
  EXPECT_EQ(ended.exit_status, 0) << ended.output;
  EXPECT_EQ(daemon_.set_thresholds.thresholds().size(), 2u);
  EXPECT_EQ(daemon_.set_thresholds.thresholds().at("medium"), 0.75f);
}

TEST_F(Program, TellsTheLabelsOfARequest) {
  Ended ended = Ctl("feedback digits r-1 3 7");
  EXPECT_EQ(ended.exit_status, 0) << ended.output;
  EXPECT_EQ(ended.output, "2 labels counted\n");
  EXPECT_EQ(daemon_.feedback.model(), "digits");
  EXPECT_EQ(daemon_.feedback.request_id(), "r-1");
  ASSERT_EQ(daemon_.feedback.labels_size(), 2);
  EXPECT_EQ(daemon_.feedback.labels(1), 7);
  ended = Ctl("feedback digits gone 3");
  EXPECT_EQ(ended.exit_status, 1);
  EXPECT_EQ(ended.output, "escanctl: not remembered\n");
  EXPECT_EQ(Ctl("feedback digits r-1 cat").exit_status, 2);
  EXPECT_EQ(Ctl("feedback digits r-1").exit_status, 2);
}

TEST_F(Program, AWrongCommandLineEndsWithTwo) {
  EXPECT_EQ(Ctl("").exit_status, 2);
  EXPECT_EQ(Ctl("plan").exit_status, 2);
  EXPECT_EQ(Ctl("thresholds set small").exit_status, 2);
  EXPECT_EQ(Ctl("thresholds set small=0.5 small=0.6").exit_status, 2);
  EXPECT_EQ(Ctl("--timeout soon health").exit_status, 2);
}

TEST_F(Program, SimulatesWithoutADaemon) {
  const std::string files = "simulate --config /nonexistent.yaml --profile /nonexistent.json ";
  const Ended no_file = RunProgram(files + "--rate 10 --exit-ratios 0.5,0.5");
  EXPECT_EQ(no_file.exit_status, 2);
  EXPECT_EQ(no_file.output, "escanctl: there is no file /nonexistent.json\n");
  EXPECT_THAT(RunProgram(files).output, StartsWith("--rate or --concurrency is required\n"));
  EXPECT_THAT(RunProgram(files + "--rate 10 --deadline soon").output,
              StartsWith("--deadline: soon is not a duration, expected "));
  EXPECT_EQ(RunProgram(files + "--concurrency 10 --arrivals poisson").exit_status, 2);
  EXPECT_EQ(RunProgram("simulate --help").exit_status, 0);
}

TEST_F(Program, HasHelpAndAVersion) {
  EXPECT_EQ(RunProgram("--version").output, "escanctl " ESCAN_VERSION "\n");
  EXPECT_EQ(RunProgram("--help").exit_status, 0);
  EXPECT_EQ(RunProgram("plan set --help").exit_status, 0);
}

TEST_F(Program, DrainSaysWhatIsStillInside) {
  EXPECT_EQ(Ctl("drain").output, "draining, 2 requests inside\n");
}

TEST_F(Program, DrainWaitsUntilTheDaemonHasEnded) {
  std::thread daemon_end([this] {
    daemon_.drained.get_future().wait();
    server_->Shutdown();
  });
  const Ended ended = Ctl("drain --wait");
  daemon_end.join();
  EXPECT_EQ(ended.exit_status, 0);
  EXPECT_EQ(ended.output, "drained, the daemon has ended\n");
}

}  // namespace
}  // namespace escan::ctl
