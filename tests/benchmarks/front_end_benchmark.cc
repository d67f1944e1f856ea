// What escand adds to gRPC: the requests per second of escand with a cascade of one null stage, and
// those of a bare gRPC server that answers at once, with the same requests and the same load
// generator. Both run beside each other and are asked in turns; each repetition is one turn of
// both. Also what the daemon takes while nobody asks it.
#include <benchmark/benchmark.h>

#include <cstdint>
#include <functional>
#include <iostream>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "loaded_server.h"

namespace escan {
namespace {

constexpr int kTurns = 7;
constexpr Duration kRest = std::chrono::seconds(20);

double Megabytes(size_t bytes) { return static_cast<double>(bytes) / 1e6; }

// Both servers, for rows of one shape.
class Comparison {
 public:
  static absl::StatusOr<std::unique_ptr<Comparison>> Start(const std::vector<int64_t>& row_shape) {
    std::unique_ptr<Comparison> comparison(new Comparison);
    for (const auto& [start, server] :
         {std::pair(&LoadedServer::StartEcho, &comparison->echo_),
          std::pair(&LoadedServer::StartEscand, &comparison->escand_)}) {
      absl::StatusOr<std::unique_ptr<LoadedServer>> started = start(row_shape, ClosedLoopLoad());
      if (!started.ok()) return started.status();
      *server = *std::move(started);
    }
    return comparison;
  }

  // One turn of both; who begins changes, so that a drift of the machine favours neither.
  void Turn(benchmark::State& state) {
    const bool echo_first = turns_++ % 2 == 0;
    LoadFigures echo;
    LoadFigures escand;
    for (auto _ : state) {
      if (!(echo_first ? Measure(*echo_, &echo, state) && Measure(*escand_, &escand, state)
                       : Measure(*escand_, &escand, state) && Measure(*echo_, &echo, state))) {
        return;
      }
    }
    state.counters["escand_requests_per_s"] = escand.requests_per_second;
    state.counters["echo_requests_per_s"] = echo.requests_per_second;
    state.counters["ratio"] = escand.requests_per_second / echo.requests_per_second;
    state.counters["escand_cpu_s_per_1000"] = escand.server_processor;
    state.counters["worker_cpu_s_per_1000"] = escand.workers_processor;
    state.counters["echo_cpu_s_per_1000"] = echo.server_processor;
    state.counters["client_cpu_s_per_1000"] = escand.generator_processor;
  }

  void Rest(benchmark::State& state) {
    const ProcessorTime before = escand_->processor_time();
    for (auto _ : state) std::this_thread::sleep_for(kRest);
    const Duration used = escand_->processor_time().own - before.own;
    state.counters["cpu_percent"] = 100 * std::chrono::duration<double>(used) / kRest;
    state.counters["resident_mb"] = Megabytes(escand_->resident_bytes());
  }

 private:
  Comparison() = default;

  static bool Measure(LoadedServer& server, LoadFigures* figures, benchmark::State& state) {
    const absl::StatusOr<LoadFigures> measured = server.Measure();
    if (!measured.ok()) {
      state.SkipWithError(std::string(measured.status().message()).c_str());
      return false;
    }
    *figures = *measured;
    return true;
  }

  std::unique_ptr<LoadedServer> echo_;
  std::unique_ptr<LoadedServer> escand_;
  int turns_ = 0;
};

benchmark::internal::Benchmark* Register(const char* what, size_t row_bytes,
                                         std::function<void(benchmark::State&)> body) {
  return benchmark::RegisterBenchmark(absl::StrCat(what, "/row_bytes:", row_bytes).c_str(),
                                      std::move(body))
      ->Iterations(1)
      ->UseRealTime()
      ->Unit(benchmark::kSecond);
}

int Run() {
  std::vector<std::unique_ptr<Comparison>> comparisons;
  for (const std::vector<int64_t>& shape :
       {std::vector<int64_t>{784}, std::vector<int64_t>{224, 224, 3}}) {
    absl::StatusOr<std::unique_ptr<Comparison>> started = Comparison::Start(shape);
    if (!started.ok()) {
      std::cerr << started.status().message() << '\n';
      return 1;
    }
    comparisons.push_back(*std::move(started));
    Comparison* const comparison = comparisons.back().get();
    const size_t bytes = TensorSpec{.datatype = Datatype::kUint8, .shape = shape}.row_bytes();
    const auto rest = [comparison](benchmark::State& state) { comparison->Rest(state); };
    Register("DaemonAtRest/before_load", bytes, rest);
    Register("FrontEnd", bytes, [comparison](benchmark::State& state) { comparison->Turn(state); })
        ->Repetitions(kTurns)
        ->DisplayAggregatesOnly();
    Register("DaemonAtRest/after_load", bytes, rest);
  }
  benchmark::RunSpecifiedBenchmarks();
  return 0;
}

}  // namespace
}  // namespace escan

int main(int argc, char** argv) {
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 1;
  const int status = escan::Run();
  benchmark::Shutdown();
  return status;
}
