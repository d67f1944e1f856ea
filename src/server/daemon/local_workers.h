#pragma once

#include <filesystem>
#include <functional>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "config/config.h"
#include "mps/gpu_list.h"
#include "mps/mps_worker_host.h"

// How workers run on this machine: which programs there are, which GPUs, and what they are started
// with. The environment is passed in: a function that gives a variable's value, empty where it is
// not set. Used before serving; blocks for as long as looking takes.
namespace escan {

using EnvironmentVariable = std::function<std::string(const std::string& name)>;

struct WorkerPrograms {
  std::filesystem::path cpu;
  std::filesystem::path gpu;  // may be absent where a build has none
};

// Those beside this program; a `worker` that is not empty stands for both.
absl::StatusOr<WorkerPrograms> FindWorkerPrograms(const std::string& worker);

// The GPUs of this machine that CUDA_VISIBLE_DEVICES leaves. None, with the reason, where there is
// no program for them.
GpuList UsableGpus(const WorkerPrograms& programs, const EnvironmentVariable& variable);

// Where torch's libraries are looked for, see torch_locator.h.
struct TorchOptions {
  std::string option;  // of --torch
  EnvironmentVariable variable;
};

// Finds the libraries of the programs that the configuration's devices need, and brings MPS up
// where it has GPUs. An error is for people.
absl::StatusOr<std::shared_ptr<MpsWorkerHost>> StartWorkerHost(const Config& config,
                                                               const WorkerPrograms& programs,
                                                               const TorchOptions& torch);

// The version of libtorch that the workers are built with; empty where they are built without it.
std::string TorchVersion();

// For what workers find by trying, where the configuration names no folder: that of the service, or
// of the user; empty where there is neither.
std::filesystem::path DefaultCache(const EnvironmentVariable& variable);

}  // namespace escan
