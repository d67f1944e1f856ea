#include "server/rollout/shadow_request.h"

#include <cstring>

#include "server/rollout/agreement.h"

namespace escan {
namespace {

// An answer of the cascade itself.
const std::byte* AnswerOf(const ServedModel& model, SlotId slot, size_t output) {
  const int stage = model.engine->answer(slot).stage;
  const std::vector<int>& answer = model.cascade().stages[static_cast<size_t>(stage)].answer;
  return model.engine->output(slot, stage, answer[output]);
}

}  // namespace

void ShadowRequest::Start(const std::shared_ptr<Rollout>& rollout, const ServedModel& after,
                          const RequestKey& key, int rows) {
  std::shared_ptr<ServedModel> before = rollout->before();
  if (before == nullptr) return;
  auto* const shadow = new ShadowRequest(rollout, std::move(before));
  if (!shadow->CopyRows(after, key, rows)) {
    delete shadow;
    return;
  }
  const TimePoint now = Clock::now();
  // It may be gone before the engine returns, and with it the last user of the engine.
  const std::shared_ptr<ServedModel> model = shadow->before_;
  model->engine->Submit({.key = shadow->key_,
                         .rows = rows,
                         .priority = kLowestPriority,
                         .arrival = now,
                         .deadline = now + model->cascade().deadline},
                        shadow);
}

bool ShadowRequest::CopyRows(const ServedModel& after, const RequestKey& key, int rows) {
  Engine& engine = *before_->engine;
  const absl::StatusOr<RequestKey> own = engine.Acquire(rows);
  if (!own.ok()) return false;
  key_ = *own;
  rows_ = rows;
  const CascadeSpec& cascade = before_->cascade();
  SlotId from = key.first_slot;
  SlotId to = key_.first_slot;
  for (int row = 0; row < rows; ++row) {
    for (size_t i = 0; i < cascade.inputs.size(); ++i) {
      std::memcpy(engine.input(to, static_cast<int>(i)),
                  after.engine->input(from, static_cast<int>(i)), cascade.inputs[i].row_bytes());
    }
    for (size_t i = 0; i < cascade.outputs.size(); ++i) {
      const std::byte* const answer = AnswerOf(after, from, i);
      answers_.insert(answers_.end(), answer, answer + cascade.outputs[i].row_bytes());
    }
    from = after.engine->NextSlot(from);
    to = engine.NextSlot(to);
  }
  return true;
}

void ShadowRequest::OnComplete(const Outcome& outcome) {
  if (outcome.code == OutcomeCode::kOk) {
    rollout_->CountCompared(static_cast<uint64_t>(rows_), Agreeing());
  }
  before_->engine->Release(key_);
  delete this;
}

uint64_t ShadowRequest::Agreeing() const {
  const std::vector<TensorSpec>& outputs = before_->cascade().outputs;
  uint64_t agreeing = 0;
  const std::byte* other = answers_.data();
  SlotId slot = key_.first_slot;
  for (int row = 0; row < rows_; ++row, slot = before_->engine->NextSlot(slot)) {
    bool agree = true;
    for (size_t i = 0; i < outputs.size(); ++i) {
      agree = Agree(outputs[i], AnswerOf(*before_, slot, i), other) && agree;
      other += outputs[i].row_bytes();
    }
    if (agree) ++agreeing;
  }
  return agreeing;
}

}  // namespace escan
