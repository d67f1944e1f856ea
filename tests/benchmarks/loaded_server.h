#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "loadgen/connections.h"
#include "loadgen/sample_set.h"
#include "process_figures.h"
#include "server_process.h"

namespace escan {

// How a server is asked: one row a request, a fixed number of requests under way.
struct ClosedLoopLoad {
  int concurrency = 64;
  int connections = 4;
  int threads = 2;  // of the generator
  Duration warmup = std::chrono::milliseconds(500);
  Duration duration = std::chrono::seconds(2);
};

// Processor times are in seconds for a thousand requests.
struct LoadFigures {
  double requests_per_second = 0;
  double server_processor = 0;
  double workers_processor = 0;
  double generator_processor = 0;
};

// A server process whose only model has an input "image", UINT8, and an output "probabilities",
// FP32 [10]; and the connections of the load generator to it. Used by one thread; every call
// blocks.
class LoadedServer {
 public:
  // The bare gRPC server, which answers at once.
  static absl::StatusOr<std::unique_ptr<LoadedServer>> StartEcho(
      const std::vector<int64_t>& row_shape, const ClosedLoopLoad& load);
  // escand with a cascade of one null stage, in a worker process like any other.
  static absl::StatusOr<std::unique_ptr<LoadedServer>> StartEscand(
      const std::vector<int64_t>& row_shape, const ClosedLoopLoad& load);

  // One run of load. Internal when a request failed.
  absl::StatusOr<LoadFigures> Measure();

  ProcessorTime processor_time() const { return ReadProcessorTime(process_->pid()); }
  size_t resident_bytes() const { return ReadResidentBytes(process_->pid()); }

 private:
  // Removed with its content.
  class Folder {
   public:
    Folder();
    ~Folder();
    const std::filesystem::path& path() const { return path_; }

   private:
    std::filesystem::path path_;
  };

  explicit LoadedServer(const ClosedLoopLoad& load) : load_(load) {}
  absl::Status Start(const std::string& program, const std::vector<std::string>& arguments);
  absl::Status Connect();

  const ClosedLoopLoad load_;
  const Folder folder_;  // configuration and admin socket
  std::unique_ptr<ServerProcess> process_;
  loadgen::Channels channels_;
  loadgen::ModelInfo model_;
  loadgen::SampleSet samples_;
};

}  // namespace escan
