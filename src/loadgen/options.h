#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "arrays/tensor_comparison.h"
#include "escan/time.h"
#include "loadgen/load_run.h"
#include "loadgen/max_rate.h"
#include "loadgen/report.h"
#include "loadgen/sample_set.h"
#include "loadgen/workload.h"

namespace escan::loadgen {

// The files of --tls-ca, --tls-cert, --tls-key and --token-file; empty: not given.
struct SecurityOptions {
  std::filesystem::path ca;
  std::filesystem::path certificate;
  std::filesystem::path key;
  std::filesystem::path token;
};

struct ServerOptions {
  std::string target = "127.0.0.1:8001";
  std::string model;  // empty: the server's only one
  int channels = 4;
  int threads = 2;
  Duration connect_timeout = std::chrono::seconds(5);
  Duration deadline = std::chrono::seconds(1);
  SecurityOptions security;
};

// Where samples exit: at most one of `ratios` and `drift` is set. Neither: wherever they do.
struct ExitOptions {
  std::vector<double> ratios;
  std::filesystem::path drift;
  std::string input = "difficulty";  // controls it

  bool given() const { return !ratios.empty() || !drift.empty(); }
};

// Where the right answers come from: at most one of `file` and `ask` is set. Neither: answers are
// not compared.
struct ExpectOptions {
  std::filesystem::path file;
  bool ask = false;  // the server, beforehand
  double tolerance = kFp16Tolerance;

  bool given() const { return ask || !file.empty(); }
};

struct SampleOptions {
  std::vector<InputFile> files;    // empty: random samples
  std::vector<InputRange> ranges;  // of random samples
  std::filesystem::path labels;    // empty: no accuracy
  std::string label_output = "probabilities";
  int rows_per_request = 1;
  uint64_t seed = 1;
  ExitOptions exits;
  ExpectOptions expect;
};

struct OutputOptions {
  std::string json;  // file, "-" for standard output; empty: none
  bool quiet = false;
  ReportOptions wanted;
};

// The command line of escan-loadgen, checked.
struct Options {
  ServerOptions server;
  SampleOptions samples;
  Pace pace;
  LoadLimits limits;
  bool once = false;                       // limits.requests follows from the number of samples
  std::optional<MaxRateOptions> max_rate;  // search; `pace` is then an open loop without a rate
  OutputOptions output;
};

// The exit status with which the program ends at once: after --help, --version or a mistake, which
// is explained on standard error.
using ParsedOptions = std::variant<Options, int>;

ParsedOptions ParseCommandLine(int argc, const char* const* argv);

}  // namespace escan::loadgen
