#include "loaded_server.h"

#include <stdlib.h>

#include <fstream>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "loadgen/grpc_transport.h"
#include "loadgen/load_run.h"

namespace escan {
namespace {

// Ends the benchmark's patience, not a measurement.
constexpr Duration kPatience = std::chrono::seconds(30);

// A cascade that does nothing but pass its samples through one worker.
std::string NullCascade(const std::vector<int64_t>& row_shape,
                        const std::filesystem::path& folder) {
  return absl::StrCat(R"(
server: {listen: "127.0.0.1:0", metrics: off, admin: "unix:)",
                      folder.string(), R"(/admin.sock"}
devices: [cpu]
shutdown: {grace: 0s, drain_timeout: 1s}
cascades:
  - name: nothing
    deadline: 30s
    inputs: [{name: image, datatype: UINT8, shape: [)",
                      absl::StrJoin(row_shape, ", "), R"(]}]
    outputs: [{name: probabilities, datatype: FP32, shape: [10]}]
    stages: [{name: nothing, executor: "null"}]
    plan: {workers: [{credits: 2, stages: [nothing]}]}
)");
}

double ForThousand(Duration total, int64_t requests) {
  return 1000 * std::chrono::duration<double>(total).count() / static_cast<double>(requests);
}

}  // namespace

LoadedServer::Folder::Folder() {
  std::string name = (std::filesystem::temp_directory_path() / "escan-benchmark.XXXXXX").string();
  path_ = mkdtemp(name.data());
}

LoadedServer::Folder::~Folder() { std::filesystem::remove_all(path_); }

absl::StatusOr<std::unique_ptr<LoadedServer>> LoadedServer::StartEcho(
    const std::vector<int64_t>& row_shape, const ClosedLoopLoad& load) {
  std::unique_ptr<LoadedServer> server(new LoadedServer(load));
  absl::Status status =
      server->Start("escan-echo-server", {"--listen=127.0.0.1:0", "--model=nothing",
                                          absl::StrCat("--shape=", absl::StrJoin(row_shape, ","))});
  if (status.ok()) status = server->Connect();
  if (!status.ok()) return status;
  return server;
}

absl::StatusOr<std::unique_ptr<LoadedServer>> LoadedServer::StartEscand(
    const std::vector<int64_t>& row_shape, const ClosedLoopLoad& load) {
  std::unique_ptr<LoadedServer> server(new LoadedServer(load));
  const std::filesystem::path& folder = server->folder_.path();
  const std::filesystem::path config = folder / "escand.yaml";
  std::ofstream(config) << NullCascade(row_shape, folder);
  absl::Status status = server->Start("escand", {"--config", config.string()});
  if (status.ok()) status = server->process_->WaitForOutput(" info ready", kPatience).status();
  if (status.ok()) status = server->Connect();
  if (!status.ok()) return status;
  return server;
}

absl::Status LoadedServer::Start(const std::string& program,
                                 const std::vector<std::string>& arguments) {
  absl::StatusOr<std::unique_ptr<ServerProcess>> process =
      ServerProcess::Start(SiblingProgram(program), arguments);
  if (!process.ok()) return process.status();
  process_ = *std::move(process);
  return absl::OkStatus();
}

absl::Status LoadedServer::Connect() {
  const absl::StatusOr<std::string> address =
      process_->WaitForOutput("listening address=", kPatience);
  if (!address.ok()) return address.status();
  absl::StatusOr<loadgen::Channels> channels =
      loadgen::Connect(address->substr(0, address->find(' ')), load_.connections, kPatience);
  if (!channels.ok()) return channels.status();
  channels_ = *std::move(channels);
  absl::StatusOr<loadgen::ModelInfo> model =
      loadgen::DescribeModel(channels_.front(), "nothing", kPatience);
  if (!model.ok()) return model.status();
  model_ = *std::move(model);
  constexpr int64_t kRows = 256;
  constexpr uint64_t kSeed = 1;
  samples_ = loadgen::SampleSet::Random(model_.inputs, kRows, kSeed);
  return absl::OkStatus();
}

absl::StatusOr<LoadFigures> LoadedServer::Measure() {
  loadgen::GrpcTransport transport(
      channels_, model_, &samples_,
      {.rows_per_request = 1, .threads = load_.threads, .deadline = kPatience, .label_output = {}});
  loadgen::LoadRun run({.total_rows = samples_.rows(), .rows_per_request = 1},
                       {.warmup = load_.warmup, .duration = load_.duration},
                       loadgen::ClosedLoop{.concurrency = load_.concurrency}, {}, &transport);
  const ProcessorTime before = processor_time();
  run.Start();
  while (!run.WaitUntil(Clock::now() + kPatience)) {
  }
  const ProcessorTime after = processor_time();
  const int64_t answered = run.progress().answered;
  const loadgen::Outcome outcome = run.Finish();
  const loadgen::Tally& tally = outcome.tally;
  if (tally.failed() > 0) {
    const auto& [code, error] = *tally.errors().begin();
    return absl::InternalError(absl::StrCat(tally.failed(), " requests failed, the first with ",
                                            code, ": ", error.first_message));
  }
  return LoadFigures{.requests_per_second = static_cast<double>(tally.succeeded()) /
                                            std::chrono::duration<double>(outcome.elapsed).count(),
                     .server_processor = ForThousand(after.own - before.own, answered),
                     .workers_processor = ForThousand(after.children - before.children, answered),
                     .generator_processor = ForThousand(outcome.cpu, tally.succeeded())};
}

}  // namespace escan
