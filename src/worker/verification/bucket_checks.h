#pragma once

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "escan/verdict.h"
#include "ipc/worker_spec.h"
#include "worker/verification/probes.h"

namespace escan {

// What became of all buckets of a stage.
struct StageOutcome {
  Verdict verdict = Verdict::kRight;
  std::string way;      // in which it is computed
  std::string message;  // what is wrong, or was with the way that a remedy took the place of
};

// One check for each of the stage's buckets, with the range of the probe rows' right scores. A
// stage whose answers cannot be compared is kUnknown, whatever `outcome` says, with the probes'
// remark. `steps` has the time of a step of each bucket.
std::vector<BucketCheck> ChecksOf(const WorkerStage& stage, const Probes& probes,
                                  const StageOutcome& outcome, const std::vector<Duration>& steps);

// DataLoss: "stage 'large' (/m.pt) on 38 multiprocessors answers wrongly: row 3: ..."; `where` is
// "" or " on 38 multiprocessors".
absl::Status AnswersWrongly(const WorkerStage& stage, const std::string& where,
                            const std::string& what);

}  // namespace escan
