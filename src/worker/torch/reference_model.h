#pragma once

#include "absl/status/statusor.h"
#include "ipc/worker_spec.h"
#include "worker/verification/probes.h"

namespace escan {

// What the stage's model answers for the probe rows: in FP32 on the CPU, row by row. TorchScript is
// run as its file says, without freezing, rewriting or oneDNN, so that it shares no kernel with
// what serves. A package of AOTInductor is asked through the TorchScript in it; where it has none,
// through its model for the CPU, and where it has none either, its answers cannot be compared.
// Where the model fails on random rows, with zeros. Tells also whether answers can be
// compared: they are the same a second time, whatever random numbers are drawn, and for a row alone
// and in company. Blocks, on up to eight of the threads that this process may use; the number of
// libtorch's threads is as before afterwards. The error names the stage and the file.
absl::StatusOr<Reference> ComputeReference(const WorkerStage& stage, const Probes& probes);

// "torch 2.11.0": what a reference depends on beside its model.
std::string ReferenceLibraries();

}  // namespace escan
