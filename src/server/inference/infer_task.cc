#include "server/inference/infer_task.h"

#include <algorithm>
#include <optional>
#include <utility>
#include <vector>

#include "absl/container/inlined_vector.h"
#include "absl/strings/str_cat.h"
#include "contracts/label.h"
#include "server/protocol/outcome_status.h"
#include "server/protocol/typed_contents.h"
#include "server/rollout/shadow_request.h"

namespace escan {

absl::Status InferTask::Prepare(absl::FunctionRef<absl::Status(WireRequest*)> read,
                                TimePoint call_deadline) {
  absl::Status status = Route(read);
  if (status.ok()) status = FillSlots();
  if (!status.ok()) {
    RequestCounters& counters = model_ == nullptr ? server_->unrouted() : model_->counters;
    counters.CountFailed(status.code(), Clock::now() - arrival_);
    return status;
  }
  deadline_ = Deadline(call_deadline);
  return absl::OkStatus();
}

absl::Status InferTask::Route(absl::FunctionRef<absl::Status(WireRequest*)> read) {
  if (absl::Status status = read(&request_); !status.ok()) return status;
  ServerState::Routed routed =
      server_->Route(request_.header().model_name(), request_.header().model_version());
  model_ = std::move(routed.model);
  rollout_ = std::move(routed.rollout);
  if (model_ == nullptr) return server_->Find(request_.header().model_name()).status();
  if (request_.message_bytes() > model_->max_request_bytes) {
    return absl::ResourceExhaustedError(
        absl::StrCat("the message has ", request_.message_bytes(), " bytes, expected at most ",
                     model_->max_request_bytes, " for model '", model_->cascade().name, "'"));
  }
  if (server_->phase() == Phase::kDraining) {
    server_->NoteRefusal(arrival_);
    return absl::UnavailableError("the server is draining and takes no new requests");
  }
  absl::StatusOr<CheckedRequest> checked =
      CheckRequest(model_->cascade(), model_->answer_tensors, request_, model_->version);
  if (!checked.ok()) return checked.status();
  checked_ = *std::move(checked);
  absl::StatusOr<Client::Visit> visit = Client::Enter(client_, checked_.rows, arrival_);
  if (!visit.ok()) return visit.status();
  visit_ = *std::move(visit);
  return absl::OkStatus();
}

absl::Status InferTask::FillSlots() {
  Engine& engine = *model_->engine;
  absl::StatusOr<RequestKey> key = engine.Acquire(checked_.rows);
  if (!key.ok()) return key.status();
  key_ = *key;
  const std::vector<TensorSpec>& tensors = model_->cascade().inputs;
  for (size_t i = 0; i < tensors.size(); ++i) {
    const InputSource& source = checked_.inputs[i];
    std::optional<RawBytes::Reader> raw;
    if (source.raw != nullptr) raw.emplace(*source.raw);
    SlotId slot = key_.first_slot;
    for (int row = 0; row < checked_.rows; ++row, slot = engine.NextSlot(slot)) {
      std::byte* const to = engine.input(slot, static_cast<int>(i));
      if (raw.has_value()) {
        raw->Read(to, tensors[i].row_bytes());
      } else {
        CopyTypedRow(tensors[i], *source.typed, row, to);
      }
      if (absl::Status status = CheckValues(tensors[i], row, to); !status.ok()) {
        engine.Release(key_);
        return status;
      }
    }
  }
  return absl::OkStatus();
}

TimePoint InferTask::Deadline(TimePoint call_deadline) const {
  TimePoint deadline = std::min(call_deadline, arrival_ + model_->cascade().deadline);
  // Not added where it cannot be the earliest: it may be as long as the clock's whole range.
  const std::optional<Duration>& timeout = checked_.parameters.timeout;
  if (timeout.has_value() && *timeout < deadline - arrival_) deadline = arrival_ + *timeout;
  return deadline;
}

void InferTask::Submit() {
  submitted_ = Clock::now();
  // The task may be gone before the engine returns, and with it the last user of the engine.
  const std::shared_ptr<ServedModel> model = model_;
  model->engine->Submit({.key = key_,
                         .rows = checked_.rows,
                         .priority = checked_.parameters.priority,
                         .arrival = arrival_,
                         .deadline = deadline_},
                        this);
}

InferTask::Handle InferTask::handle() const { return {model_, key_}; }

void InferTask::OnComplete(const Outcome& outcome) {
  const TimePoint completed = Clock::now();
  absl::Status status = ToStatus(outcome, model_->cascade());
  // gRPC cancels a call whose deadline passed; which of the two is first is chance.
  if (absl::IsCancelled(status) && completed >= deadline_) {
    status = ToStatus({.code = OutcomeCode::kDeadlineExceeded}, model_->cascade());
  }
  if (absl::IsDeadlineExceeded(status) && !model_->engine->ready()) {
    status = absl::DeadlineExceededError(
        absl::StrCat(status.message(), ": ", model_->engine->not_ready_reason()));
  }
  if (status.ok()) FormAnswer();
  if (status.ok() && wants_classes()) NoteClasses();
  if (rollout_ != nullptr) {
    rollout_->Count(status, completed - arrival_);
    if (status.ok() && rollout_->Compares()) {
      ShadowRequest::Start(rollout_, *model_, key_, checked_.rows);
    }
  }
  model_->engine->Release(key_);
  const TimePoint now = Clock::now();
  if (status.ok()) {
    model_->counters.CountAnswered({.total = now - arrival_,
                                    .input = submitted_ - arrival_,
                                    .engine = completed - submitted_,
                                    .output = now - completed},
                                   checked_.rows, now);
  } else {
    model_->counters.CountFailed(status.code(), now - arrival_);
  }
  Answered(std::move(status));
}

bool InferTask::wants_classes() const {
  if (!model_->label_output.has_value()) return false;
  return !checked_.parameters.labels.empty() || (model_->feedback.remembers() && !id().empty());
}

void InferTask::NoteClasses() const {
  const Engine& engine = *model_->engine;
  const auto output = static_cast<size_t>(*model_->label_output);
  const CascadeSpec& cascade = model_->cascade();
  std::vector<AnsweredClass> rows;
  SlotId slot = key_.first_slot;
  for (int row = 0; row < checked_.rows; ++row, slot = engine.NextSlot(slot)) {
    const int stage = engine.answer(slot).stage;
    const int tensor = cascade.stages[static_cast<size_t>(stage)].answer[output];
    rows.push_back({.stage = stage,
                    .label = LabelOf(cascade.outputs[output], engine.output(slot, stage, tensor))});
  }
  if (checked_.parameters.labels.empty()) {
    model_->feedback.Remember(id(), rows, Clock::now());
  } else {
    model_->feedback.Count(rows, checked_.parameters.labels);
  }
}

void InferTask::FormAnswer() {
  constexpr size_t kUsualRows = 16;
  const Engine& engine = *model_->engine;
  absl::InlinedVector<SlotId, kUsualRows> slots;
  absl::InlinedVector<SampleAnswer, kUsualRows> rows;
  SlotId slot = key_.first_slot;
  int brown_out = 0;
  for (int row = 0; row < checked_.rows; ++row, slot = engine.NextSlot(slot)) {
    slots.push_back(slot);
    rows.push_back(engine.answer(slot));
    brown_out = std::max(brown_out, int{rows.back().brown_out});
  }
  const std::vector<StageSpec>& stages = model_->cascade().stages;
  const auto data = [&](int row, int output) {
    const int stage = rows[static_cast<size_t>(row)].stage;
    return engine.output(slots[static_cast<size_t>(row)], stage,
                         stages[static_cast<size_t>(stage)].answer[static_cast<size_t>(output)]);
  };
  Form(*model_, {.id = id(),
                 .rows = rows,
                 .outputs = checked_.outputs,
                 .brown_out = brown_out,
                 .data = data});
}

TimePoint ToMonotonic(gpr_timespec deadline) {
  constexpr std::chrono::seconds kForever = std::chrono::hours(24 * 366);
  const TimePoint now = Clock::now();
  const gpr_timespec left = gpr_time_sub(deadline, gpr_now(deadline.clock_type));
  if (left.tv_sec >= kForever.count()) return TimePoint::max();
  if (left.tv_sec < 0) return now;
  return now + std::chrono::seconds(left.tv_sec) + std::chrono::nanoseconds(left.tv_nsec);
}

}  // namespace escan
