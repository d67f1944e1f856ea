#include "worker/verification/bucket_checks.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>

#include "absl/strings/str_cat.h"
#include "worker/loop/stage_tensors.h"
#include "worker/verification/answer_comparison.h"
#include "worker/verification/score_diagnosis.h"

namespace escan {
namespace {

// What is odd about the score of every probe row: there is none, or it is one of probabilities and
// the output holds others. Empty: nothing.
std::string OddScore(const WorkerStage& stage, const Probes& probes) {
  if (stage.score == ExitScore::kNone) return "";
  std::vector<const std::byte*> outputs;
  for (const SlotId slot : probes.Batch(stage.index, probes.rows() - 1)) {
    outputs.clear();
    for (const SlabTensor& output : stage.outputs) {
      outputs.push_back(probes.slab().At(slot, output.offset));
    }
    const bool none = std::isnan(RightScore(stage, probes.slab(), slot));
    if (!none && !ScoresNoProbabilities(stage, outputs)) return "";
  }
  return absl::StrCat("its score ", std::string(Name(stage.score)),
                      " says nothing: ", DiagnoseNanScore(stage, outputs));
}

}  // namespace

std::vector<BucketCheck> ChecksOf(const WorkerStage& stage, const Probes& probes,
                                  const StageOutcome& outcome, const std::vector<Duration>& steps) {
  const bool comparable = probes.comparable(stage.index);
  BucketCheck check = {.stage = stage.index,
                       .verdict = comparable ? outcome.verdict : Verdict::kUnknown,
                       .least_score = std::numeric_limits<float>::quiet_NaN(),
                       .greatest_score = std::numeric_limits<float>::quiet_NaN(),
                       .way = outcome.way,
                       .message = outcome.message};
  if (check.message.empty()) check.message = probes.remark(stage.index);
  if (check.message.empty()) check.message = OddScore(stage, probes);
  for (const SlotId slot : probes.Batch(stage.index, probes.rows() - 1)) {
    const float score = RightScore(stage, probes.slab(), slot);
    // fmin and fmax leave NaN out where there is another.
    check.least_score = std::fmin(check.least_score, score);
    check.greatest_score = std::fmax(check.greatest_score, score);
  }
  std::vector<BucketCheck> checks;
  for (size_t i = 0; i < stage.buckets.size(); ++i) {
    check.rows = stage.buckets[i];
    check.step = steps[i];
    checks.push_back(check);
  }
  return checks;
}

absl::Status AnswersWrongly(const WorkerStage& stage, const std::string& where,
                            const std::string& what) {
  return absl::DataLossError(absl::StrCat(StageLabel(stage), where, " answers wrongly: ", what));
}

}  // namespace escan
