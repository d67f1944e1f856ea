#include "server/test_daemon.h"

#include <fcntl.h>
#include <grpcpp/grpcpp.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <cstdlib>

#include "client/direct_channel.h"
#include "gtest/gtest.h"
#include "supervision/misbehaving_worker.h"

namespace escan {
namespace {

// Ends the test program's patience, not a measurement.
constexpr Duration kPatience = std::chrono::minutes(1);

StageSpec Stage(const std::string& name, const CascadeSpec& cascade) {
  StageSpec stage;
  stage.name = name;
  stage.executor = ExecutorKind::kNull;
  stage.inputs = {{.stage = TensorRef::kRequest, .tensor = 0}};
  stage.outputs = cascade.outputs;
  stage.answer = {0};
  stage.buckets = {1, 4, 16};
  stage.exit = {.score = ExitScore::kOutput, .output = 0, .threshold = 0.5f};
  return stage;
}

}  // namespace

Config TestConfig(const TemporaryFolder& folder) {
  Config config;
  config.server = {.listen = "127.0.0.1:0",
                   .metrics = "",
                   .admin = "unix:" + (folder.path() / "run" / "admin.sock").string()};
  config.devices = {Device{}};
  config.shutdown = {.grace = Duration::zero(), .drain_timeout = std::chrono::milliseconds(100)};
  CascadeConfig& cascade = config.cascades.emplace_back();
  cascade.spec.name = "test";
  cascade.spec.max_rows = 16;
  cascade.spec.deadline = kPatience;
  cascade.spec.slots = 512;
  cascade.spec.inputs = {{.name = "x",
                          .datatype = Datatype::kUint8,
                          .shape = {4},
                          .range = IntegerRange{.min = 0, .max = 250}}};
  cascade.spec.outputs = {{.name = "y", .datatype = Datatype::kFp32, .shape = {1}}};
  cascade.spec.stages = {Stage("first", cascade.spec), Stage("second", cascade.spec)};
  cascade.plan.workers = {{.count = 1, .stages = {0, 1}}};
  cascade.plan.stages = {{.max_batch = 16}, {.max_batch = 16}};
  return config;
}

inference::ModelInferRequest TestRequest(const std::vector<uint8_t>& first_bytes) {
  inference::ModelInferRequest request;
  request.set_model_name("test");
  auto* const input = request.add_inputs();
  input->set_name("x");
  input->set_datatype("UINT8");
  input->add_shape(static_cast<int64_t>(first_bytes.size()));
  input->add_shape(4);
  std::string* const raw = request.add_raw_input_contents();
  for (const uint8_t byte : first_bytes) {
    raw->push_back(static_cast<char>(byte));
    raw->append(3, '\0');
  }
  return request;
}

TestDaemon::TestDaemon(const Config& config, const std::string& mode, const Profiles& profiles,
                       std::function<absl::StatusOr<Deployed>()> read_again) {
  absl::StatusOr<std::unique_ptr<Daemon>> daemon =
      Daemon::Start({.config = config,
                     .profiles = profiles,
                     .read_again = std::move(read_again),
                     .host = std::make_shared<PlainWorkerHost>(MisbehavingWorker(mode)),
                     .notify = [this](const std::string& state) {
                       const std::lock_guard<std::mutex> lock(mutex_);
                       notified_ += state + "\n";
                       changed_.notify_all();
                     }});
  if (!daemon.ok()) {
    ADD_FAILURE() << daemon.status();
    std::abort();
  }
  daemon_ = *std::move(daemon);
  int ends[2];
  if (pipe2(ends, O_CLOEXEC | O_NONBLOCK) != 0) std::abort();
  signal_read_.reset(ends[0]);
  signal_write_.reset(ends[1]);
  const Daemon::Addresses addresses = daemon_->addresses();
  client_ = inference::GRPCInferenceService::NewStub(OpenDirectChannel(addresses.inference));
  admin_ = v1::AdminService::NewStub(OpenDirectChannel(addresses.admin));
  thread_ = std::thread([this] {
    const Daemon::Ending ending = daemon_->Run(signal_read_.get());
    const std::lock_guard<std::mutex> lock(mutex_);
    ending_ = ending;
    changed_.notify_all();
  });
}

TestDaemon::~TestDaemon() {
  bool ended = false;
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    ended = ending_.has_value();
  }
  if (!ended) Signal();
  thread_.join();
  daemon_.reset();  // notifies until it is gone
}

void TestDaemon::WaitReady() { WaitNotified("READY=1"); }

void TestDaemon::WaitNotified(const std::string& text) {
  std::unique_lock<std::mutex> lock(mutex_);
  ASSERT_TRUE(changed_.wait_for(lock, kPatience, [&] {
    return notified_.find(text) != std::string::npos;
  })) << text;
}

void TestDaemon::Signal() {
  signalfd_siginfo info{};
  info.ssi_signo = SIGTERM;
  ASSERT_EQ(write(signal_write_.get(), &info, sizeof(info)), static_cast<ssize_t>(sizeof(info)));
}

Daemon::Ending TestDaemon::WaitEnded() {
  std::unique_lock<std::mutex> lock(mutex_);
  EXPECT_TRUE(changed_.wait_for(lock, kPatience, [&] { return ending_.has_value(); }));
  return ending_.value_or(Daemon::Ending::kForced);
}

v1::CascadeStatus TestDaemon::Status() {
  grpc::ClientContext context;
  v1::GetStatusResponse response;
  const grpc::Status status = admin_->GetStatus(&context, {}, &response);
  EXPECT_TRUE(status.ok()) << status.error_message();
  return response.cascades_size() == 1 ? response.cascades(0) : v1::CascadeStatus();
}

void TestDaemon::WaitFor(const std::function<bool(const v1::CascadeStatus&)>& condition) {
  const TimePoint until = Clock::now() + kPatience;
  while (!condition(Status())) ASSERT_LT(Clock::now(), until);
}

grpc::Status TestDaemon::Infer(const inference::ModelInferRequest& request,
                               inference::ModelInferResponse* response) {
  grpc::ClientContext context;
  inference::ModelInferResponse ignored;
  return client_->ModelInfer(&context, request, response == nullptr ? &ignored : response);
}

}  // namespace escan
