#pragma once

#include <unistd.h>

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "contracts/device.h"
#include "scheduling/scheduler.h"
#include "supervision/fleet.h"
#include "supervision/worker_host.h"

namespace escan {

struct EngineOptions {
  std::shared_ptr<WorkerHost> host;   // runs the workers; not null
  std::vector<Device> devices;        // what plans refer to
  std::string cache;                  // folder for what workers found by trying; empty: none
  std::vector<int> cpus;              // that CPU workers may use
  bool pin_cpus = true;               // a worker runs on the CPUs of its share only
  int worker_output = STDERR_FILENO;  // the workers' standard output and error
  std::filesystem::path vmstat = "/proc/vmstat";  // see OomKillCounter
  FleetOptions fleet;
  SchedulerOptions scheduler;
};

}  // namespace escan
