#pragma once

#include <vector>

#include "engine/engine_status.h"
#include "engine/exit_audits.h"
#include "engine/readiness.h"
#include "engine/worker_checks.h"
#include "engine/worker_links.h"
#include "scheduling/scheduler.h"
#include "supervision/fleet.h"

namespace escan {

// EngineStatus::workers: every member of the fleet with what its process, if any, last said.
// `checks` has those of the last process of workers that have none now.
std::vector<EngineStatus::Worker> WorkersStatus(const Fleet& fleet, const WorkerLinks& links,
                                                const WorkerChecks& checks);

// Whether `cascade` can be answered: each stage has a ready worker.
Readiness::State ReadinessOf(const CascadeSpec& cascade, const Scheduler& scheduler,
                             const Fleet& fleet);

// EngineStatus::stages, one for each policy of `plan`.
std::vector<EngineStatus::Stage> StagesStatus(const Plan& plan, const Scheduler& scheduler,
                                              const Fleet& fleet, const ExitAudits& audits);

}  // namespace escan
