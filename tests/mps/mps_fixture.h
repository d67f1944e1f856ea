#pragma once

#include <fcntl.h>
#include <gtest/gtest.h>
#include <poll.h>

#include <filesystem>
#include <fstream>
#include <functional>
#include <iterator>
#include <string>
#include <vector>

#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "mps/foreign_process.h"
#include "mps/mps_control.h"
#include "mps/mps_times.h"
#include "supervision/child_process.h"
#include "supervision/worker_process_fixture.h"
#include "support/temporary_folder.h"

namespace escan {

// Retries until `condition` holds, for what no event tells.
inline void Await(const std::function<bool()>& condition) {
  while (!condition()) ::poll(nullptr, 0, 2);
}

// A process just started: for a moment after the call to execute it its name cannot be read.
inline ForeignProcess Find(pid_t pid, std::string_view program) {
  std::optional<ForeignProcess> process;
  Await([&] { return (process = ForeignProcess::Find(pid, program)).has_value(); });
  return *std::move(process);
}

// A folder for an MPS control daemon, and what fake_mps_control.cc finds and leaves there.
class MpsFolder {
 public:
  MpsFolder() {}  // of its own, so that clang takes one that is constant

  ~MpsFolder() {
    for (const char* program : {"nvidia-cuda-mps-control", "nvidia-cuda-mps-server"}) {
      for (const ForeignProcess& left : ForeignProcess::FindAll(program, PipeVariable())) {
        left.End(std::chrono::seconds(1));
      }
    }
  }

  const std::filesystem::path& path() const { return path_; }
  MpsControl::Directories directories() const { return {path_ / "pipe", path_ / "log"}; }

  void SetMode(const std::string& mode) const { Write("mode", mode); }
  void SetClients(const std::vector<pid_t>& pids) const {
    Write("clients", absl::StrJoin(pids, "\n") + (pids.empty() ? "" : "\n"));
  }
  std::vector<std::string> Commands() const {
    std::ifstream file(path_ / "commands");
    const std::string text{std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
    return absl::StrSplit(text, '\n', absl::SkipEmpty());
  }
  bool WasTold(const std::string& command) const {
    const std::vector<std::string> commands = Commands();
    return std::find(commands.begin(), commands.end(), command) != commands.end();
  }
  // Of what a daemon made; the fake's own files left out.
  std::vector<std::string> Remains() const {
    std::vector<std::string> names;
    for (const auto& entry : std::filesystem::directory_iterator(path_)) {
      const std::string name = entry.path().filename();
      if (name != "mode" && name != "clients" && name != "commands") names.push_back(name);
    }
    return names;
  }

  std::string PipeVariable() const { return directories().Environment().front(); }

  MpsControl Control(Duration timeout = std::chrono::seconds(60)) const {
    return MpsControl(FAKE_MPS_CONTROL, directories(), timeout);
  }

  // A daemon that this test starts itself, as another server or an administrator would.
  ChildProcess StartDaemon() const {
    std::filesystem::create_directories(directories().pipe);
    std::filesystem::create_directories(directories().log);
    auto daemon = ChildProcess::Spawn({.path = FAKE_MPS_CONTROL,
                                       .arguments = {"-f"},
                                       .environment = directories().Environment(),
                                       .descriptors = {0, 2, 2}});
    EXPECT_TRUE(daemon.ok()) << daemon.status();
    Await([&] { return Control().Servers().ok(); });
    return *std::move(daemon);
  }

 private:
  // The fake never sees half a file.
  void Write(const std::string& name, const std::string& text) const {
    std::ofstream(path_ / (name + ".new")) << text;
    std::filesystem::rename(path_ / (name + ".new"), path_ / name);
  }

  const TemporaryFolder folder_;
  const std::filesystem::path& path_ = folder_.path();
};

// Looks often, and waits long for what is going to happen.
inline MpsTimes TestTimes() {
  return {.command = std::chrono::seconds(30),
          .terminate = std::chrono::seconds(30),
          .check = std::chrono::milliseconds(20),
          .recheck = std::chrono::milliseconds(5),
          .start = std::chrono::seconds(60),
          .stop = std::chrono::seconds(60),
          .restart = std::chrono::milliseconds(5),
          .listing = std::chrono::milliseconds(200)};
}

}  // namespace escan
