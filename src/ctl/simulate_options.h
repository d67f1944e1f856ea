#pragma once

#include <CLI/CLI.hpp>
#include <string>

#include "ctl/simulate.h"

namespace escan::ctl {

// The options of `escanctl simulate`. Outlives the parsing of the command line.
class SimulateOptions {
 public:
  // Adds them to the command.
  explicit SimulateOptions(CLI::App* command);

  // What was asked, once the command line is parsed; throws CLI::ParseError where the pace is
  // missing.
  SimulateCommand Command() const;

 private:
  void AddFiles(CLI::App* app);
  void AddPace(CLI::App* app);
  void AddSamples(CLI::App* app);
  static void AddDuration(CLI::App* app, const std::string& name, Duration* value,
                          const std::string& help);

  SimulateCommand command_;
  OpenLoad open_;
  ClosedLoad closed_;
  std::string arrivals_{Name(Arrivals::kPoisson)};
  CLI::Option* rate_ = nullptr;
  CLI::Option* concurrency_ = nullptr;
};

}  // namespace escan::ctl
