#include "worker/loop/worker_loop.h"

#include <algorithm>
#include <span>
#include <utility>
#include <variant>

#include "absl/strings/str_cat.h"
#include "worker/loop/frame_text.h"
#include "worker/loop/stage_tensors.h"

namespace escan {
namespace {

RowStatus StatusOf(const RowResult& result, const BatchFrame& frame) {
  if (result.failed) return RowStatus::kFailed;
  if (frame.compare != 0) return result.differs ? RowStatus::kDiffers : RowStatus::kContinue;
  return result.score >= frame.threshold ? RowStatus::kExit
                                         : RowStatus::kContinue;  // NaN: kContinue
}

}  // namespace

WorkerLoop::WorkerLoop(const WorkerSpec& spec, const FrameSocket& socket, StageExecutor& executor,
                       StateReporter& reporter, ScoreWatch& scores)
    : spec_(spec), socket_(socket), executor_(executor), reporter_(reporter), scores_(scores) {}

absl::Status WorkerLoop::Prepare() { return Reported(PrepareStages()); }

absl::Status WorkerLoop::Serve() { return Reported(ServeBatches()); }

absl::Status WorkerLoop::Reported(const absl::Status& status) {
  if (!status.ok() && !absl::IsUnavailable(status)) {
    reporter_.ReportFailure(status).IgnoreError();
  }
  return status;
}

absl::Status WorkerLoop::PrepareStages() {
  absl::Status reported = reporter_.Report(WorkerState::kLoading);
  if (!reported.ok()) return reported;
  const WorkerState preparing = spec_.gpu.empty() ? WorkerState::kWarming : WorkerState::kCapturing;
  const absl::Status prepared = executor_.Prepare([&](int done, int total) {
    reporter_.SetGpuUse(executor_.gpu_use());
    if (reported.ok()) reported = reporter_.Report(preparing, done, total);
  });
  if (reported.ok()) reported = reporter_.Report(executor_.checks());
  if (!reported.ok()) return reported;
  if (!prepared.ok()) return prepared;
  reporter_.SetGpuUse(executor_.gpu_use());
  return absl::OkStatus();
}

absl::Status WorkerLoop::ServeBatches() {
  if (absl::Status status = reporter_.Report(WorkerState::kReady); !status.ok()) return status;
  batches_.resize(static_cast<size_t>(spec_.credits));
  while (!stopping_ || unfinished_ > 0) {
    while (!stopping_ && unfinished_ < batches_.size()) {
      // What comes while a batch is computed is begun beside it.
      if (unfinished_ > 0) executor_.AwaitDoneOrReadable(socket_.fd());
      const absl::StatusOr<bool> taken = TakeUp();
      if (!taken.ok()) return taken.status();
      if (!*taken) break;
    }
    if (unfinished_ == 0) continue;
    if (const absl::Status status = FinishOldest(); !status.ok()) return status;
  }
  return absl::OkStatus();
}

absl::StatusOr<bool> WorkerLoop::TakeUp() {
  const absl::StatusOr<FrameSocket::Frame> received = socket_.Receive(/*block=*/unfinished_ == 0);
  if (!received.ok()) return received.status();
  if (std::holds_alternative<FrameSocket::Empty>(*received)) return false;
  if (std::holds_alternative<StopFrame>(*received)) {
    stopping_ = true;
    return true;
  }
  const auto* frame = std::get_if<BatchFrame>(&*received);
  if (frame == nullptr) return absl::DataLossError("frame: found a worker's, expected a daemon's");
  // Left from the process that had this worker's number before.
  if (frame->header.incarnation != spec_.incarnation) return true;
  if (absl::Status status = Start(*frame); !status.ok()) return status;
  return true;
}

absl::Status WorkerLoop::Start(const BatchFrame& frame) {
  if (absl::Status status = CheckBatch(frame); !status.ok()) return status;
  Batch& batch = batches_[(oldest_ + unfinished_++) % batches_.size()];
  batch = {.frame = frame, .started = Clock::now()};
  return executor_.Start(
      {.stage = static_cast<int>(frame.stage),
       .slots = std::span(batch.frame.slots).first(frame.rows),
       .purpose = frame.compare != 0 ? BatchPurpose::kCompare : BatchPurpose::kServe});
}

absl::Status WorkerLoop::CheckBatch(const BatchFrame& frame) const {
  const auto stage =
      std::find_if(spec_.stages.begin(), spec_.stages.end(), [&](const WorkerStage& hosted) {
        return static_cast<uint32_t>(hosted.index) == frame.stage;
      });
  if (stage == spec_.stages.end()) {
    return absl::DataLossError(
        absl::StrCat("batch: found stage ", frame.stage, ", which this worker does not host"));
  }
  if (frame.rows > static_cast<uint32_t>(LargestBucket(*stage))) {
    return absl::DataLossError(absl::StrCat("batch: found ", frame.rows, " rows for stage '",
                                            stage->name, "', expected at most ",
                                            LargestBucket(*stage)));
  }
  const auto slots = std::span(frame.slots).first(frame.rows);
  const SlotId largest = *std::max_element(slots.begin(), slots.end());
  if (largest < spec_.slots) return absl::OkStatus();
  return absl::DataLossError(
      absl::StrCat("batch: found slot ", largest, ", expected less than ", spec_.slots));
}

absl::Status WorkerLoop::FinishOldest() {
  const Batch& batch = batches_[oldest_];
  const BatchFrame& frame = batch.frame;
  results_.assign(frame.rows, RowResult{});
  std::string first_failure;
  if (absl::Status status = executor_.Finish(results_, &first_failure); !status.ok()) return status;

  if (frame.compare == 0) {
    scores_.Look(static_cast<int>(frame.stage), std::span(frame.slots).first(frame.rows), results_);
  }

  // While an older batch was computed this one waited; that is no part of its own time.
  const TimePoint finished = Clock::now();
  const Duration took = finished - std::max(batch.started, last_finished_);
  last_finished_ = finished;

  ResultFrame answer;
  answer.header.incarnation = spec_.incarnation;
  answer.sequence = frame.sequence;
  answer.stage = frame.stage;
  answer.rows = frame.rows;
  answer.execute_ns = static_cast<uint64_t>(took.count());
  for (uint32_t row = 0; row < frame.rows; ++row) {
    answer.scores[row] = results_[row].score;
    answer.status[row] = StatusOf(results_[row], frame);
  }
  SetFrameText(answer.message, first_failure);
  oldest_ = (oldest_ + 1) % batches_.size();
  --unfinished_;
  return socket_.Send(answer);
}

}  // namespace escan
