#pragma once

#include <gtest/gtest.h>

#include <fstream>
#include <future>
#include <memory>
#include <string>
#include <utility>

#include "mps/mps_fixture.h"
#include "mps/mps_worker_host.h"

namespace escan {

using Mode = MpsConfig::Mode;

inline std::string Text(const absl::Status& status) { return std::string(status.message()); }

constexpr WorkerGroup OnCpu() { return {.device = 0}; }
inline WorkerGroup OnGpu(int percent = 100) { return {.device = 1, .thread_percent = percent}; }

// Workers are real processes; the daemon and its clients are what `folder_` says.
class MpsWorkerHostTest : public WorkerProcessTest {
 protected:
  absl::StatusOr<std::unique_ptr<MpsWorkerHost>> TryStart(Mode mode) {
    MpsWorkerHost::Options options;
    options.devices = {Device{}, {Device::Kind::kGpu, "H100", "GPU-a", 132, 1}};
    options.mps.mode = mode;
    options.mps.directory = mode == Mode::kExternal ? folder_.directories().pipe : folder_.path();
    options.cpu_command = {.program = "/bin/cpu", .arguments = {"x"}, .environment = {"A=1"}};
    options.gpu_command = {.program = "/bin/gpu", .arguments = {"y"}, .environment = {"B=2"}};
    options.control_program = FAKE_MPS_CONTROL;
    options.times = times_;
    return MpsWorkerHost::Start(std::move(options));
  }
  void Start(Mode mode) {
    auto host = TryStart(mode);
    ASSERT_TRUE(host.ok()) << host.status();
    host_ = *std::move(host);
  }

  std::future<absl::Status> Verify(const WorkerProcess& process, const WorkerGroup& role,
                                   int multiprocessors) {
    auto promise = std::make_shared<std::promise<absl::Status>>();
    host_->Verify(process, role, multiprocessors,
                  [promise](absl::Status status) { promise->set_value(std::move(status)); });
    return promise->get_future();
  }

  pid_t DaemonPid() const {
    pid_t pid = 0;
    std::ifstream(folder_.directories().pipe / "nvidia-cuda-mps-control.pid") >> pid;
    return pid;
  }

  bool WasToldToTerminate(const WorkerProcess& process) const {
    const std::string end = " " + std::to_string(process.pid()) + " alive";
    for (const std::string& command : folder_.Commands()) {
      if (command.starts_with("terminate_client ") && command.ends_with(end)) return true;
    }
    return false;
  }

  const MpsFolder folder_;
  MpsTimes times_ = TestTimes();
  std::unique_ptr<MpsWorkerHost> host_;
};

}  // namespace escan
