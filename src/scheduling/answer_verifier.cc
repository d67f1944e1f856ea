#include "scheduling/answer_verifier.h"

#include <algorithm>
#include <span>

namespace escan {
AnswerVerifier::AnswerVerifier(int every, const SpareTime* spare, std::vector<StageState>* stages,
                               RequestTable* requests, WorkerTable* workers, Dispatcher* dispatcher,
                               SchedulerActions* actions)
    : every_(static_cast<uint64_t>(every)),
      spare_(spare),
      stages_(stages),
      requests_(requests),
      workers_(workers),
      dispatcher_(dispatcher),
      actions_(actions) {}

void AnswerVerifier::Exempt(int stage) { exempt_ |= StageBit(stage); }

void AnswerVerifier::Offer(WorkerId worker, const Flight& batch, const BatchResult& result,
                           TimePoint now) {
  if (every_ == 0 || Contains(exempt_, batch.stage)) return;
  uint64_t& executed = executed_[static_cast<size_t>(batch.stage)];
  executed += static_cast<uint64_t>(batch.rows);
  if (executed < every_ || state_ != State::kNone || spare_->SlotsAreShort()) return;
  stage_ = batch.stage;
  const std::vector<int>& buckets = stage().spec->buckets;
  answered_ = worker;
  answered_samples_ = (*workers_)[worker].answered();
  bucket_ = static_cast<size_t>(std::ranges::lower_bound(buckets, batch.rows) - buckets.begin());
  round_ = 0;
  compared_ = -1;
  rows_ = batch.rows;
  rows_ = TakeRows(batch, result, RowsOfRound());
  if (rows_ == 0) return;
  executed = 0;
  message_.clear();
  state_ = State::kWaits;
  due_ = now + SpareTime::kLongestWait;
}

int AnswerVerifier::TakeRows(const Flight& batch, const BatchResult& result, int most) {
  int taken = 0;
  for (size_t row = 0; row < batch.samples().size() && taken < most; ++row) {
    const SlotId slot = batch.slots[row];
    // A failed row has no outputs; that of a request which is over is not kept any longer.
    if (result.failed[row] != 0 || requests_->sample(slot).answered) continue;
    requests_->Hold(slot);
    slots_[static_cast<size_t>(taken++)] = slot;
  }
  return taken;
}

// The nearest smaller bucket first, then the ones below it, then those above.
int AnswerVerifier::RowsOfRound() const {
  const std::vector<int>& buckets = stage().spec->buckets;
  if (buckets.size() == 1) return rows_;
  const size_t step = static_cast<size_t>(round_) % (buckets.size() - 1);
  return buckets[step < bucket_ ? bucket_ - 1 - step : step + 1];
}

void AnswerVerifier::Advance(TimePoint now) {
  if (state_ != State::kWaits) return;
  if (now >= due_ || spare_->SlotsAreShort()) return GiveUp();
  const WorkerId worker = PickWorker();
  if (worker < 0) return;
  // Rows are repeated where they are too few for the bucket.
  std::array<SlotId, kMaxBatchRows> slots;
  const int count = RowsOfRound();
  for (int row = 0; row < count; ++row) {
    slots[static_cast<size_t>(row)] = slots_[static_cast<size_t>(row % rows_)];
  }
  state_ = State::kInFlight;
  dispatcher_->Compare(worker, stage_, std::span(slots).first(static_cast<size_t>(count)), now);
}

TimePoint AnswerVerifier::due() const { return state_ == State::kWaits ? due_ : TimePoint::max(); }

WorkerId AnswerVerifier::PickWorker() const {
  const WorkerId other = FreeHost();
  switch (round_) {
    case 0:
      return other >= 0 || !IsFree(answered_) ? other : answered_;
    case 1:
      return other >= 0 || HasThirdHost() || !IsFree(answered_) ? other : answered_;
    default:
      return IsFree(compared_) ? compared_ : -1;
  }
}

WorkerId AnswerVerifier::FreeHost() const {
  for (const WorkerId id : workers_->by_preference()) {
    if (id != answered_ && id != compared_ && IsFree(id)) return id;
  }
  return -1;
}

bool AnswerVerifier::HasThirdHost() const {
  return std::ranges::any_of(workers_->by_preference(), [&](WorkerId id) {
    return id != answered_ && id != compared_ && Contains((*workers_)[id].hosts(), stage_);
  });
}

void AnswerVerifier::Land(WorkerId worker, const BatchResult& result, TimePoint now) {
  if (state_ == State::kAbandoned) return End();
  int computed = 0;
  int differ = 0;
  for (size_t row = 0; row < std::min(static_cast<size_t>(rows_), result.failed.size()); ++row) {
    if (result.failed[row] != 0) continue;
    ++computed;
    differ += result.differs[row] != 0 ? 1 : 0;
  }
  if (computed == 0) return Lost();
  if (round_ == 0) {
    compared_ = worker;
    checked_ = computed;
    if (differ > 0) KeepThoseThatDiffer(result);
  }
  Judge(worker, differ > 0, now);
}

void AnswerVerifier::KeepThoseThatDiffer(const BatchResult& result) {
  message_ = result.message;
  int kept = 0;
  for (int row = 0; row < rows_; ++row) {
    const SlotId slot = slots_[static_cast<size_t>(row)];
    const auto index = static_cast<size_t>(row);
    if (index < result.differs.size() && result.failed[index] == 0 && result.differs[index] != 0) {
      slots_[static_cast<size_t>(kept++)] = slot;
    } else {
      requests_->Release(slot);
    }
  }
  rows_ = kept;
}

void AnswerVerifier::Judge(WorkerId worker, bool differs, TimePoint now) {
  switch (round_) {
    case 0:
      if (!differs) return Conclude(-1);
      return worker == answered_ ? Conclude(answered_) : NextRound(now);
    case 1:
      if (differs) return Conclude(answered_);
      return worker == answered_ ? NextRound(now) : Conclude(compared_);
    default:
      return Conclude(differs ? -1 : compared_);
  }
}

void AnswerVerifier::NextRound(TimePoint now) {
  ++round_;
  state_ = State::kWaits;
  due_ = now + SpareTime::kLongestWait;
}

void AnswerVerifier::Lost() {
  if (state_ != State::kAbandoned && round_ > 0) return Conclude(-1);
  End();
}

void AnswerVerifier::GiveUp() {
  if (state_ == State::kWaits) Lost();
}

void AnswerVerifier::Forget(WorkerId worker) {
  if (state_ == State::kNone || (worker != answered_ && worker != compared_)) return;
  if (state_ == State::kWaits) return End();
  state_ = State::kAbandoned;
}

void AnswerVerifier::Conclude(WorkerId wrong) {
  StageStatistics& statistics = stage().statistics;
  const int differ = round_ == 0 && wrong < 0 ? 0 : rows_;
  statistics.answers_checked += static_cast<uint64_t>(checked_);
  (wrong < 0 ? statistics.answers_doubtful : statistics.answers_wrong) +=
      static_cast<uint64_t>(differ);
  const Comparison comparison{.stage = stage_,
                              .rows = checked_,
                              .differ = differ,
                              .answered = answered_,
                              .compared = compared_,
                              .wrong = wrong,
                              .unverified = wrong < 0 ? 0 : (*workers_)[wrong].unverified(),
                              .message = message_};
  if (differ == 0 || (wrong >= 0 && wrong != answered_)) {
    workers_->SeenRight(answered_, answered_samples_);
  }
  if (differ == 0) workers_->SeenRight(compared_, (*workers_)[compared_].answered());
  End();
  actions_->Compared(comparison);
}

void AnswerVerifier::End() {
  state_ = State::kNone;
  for (int row = 0; row < rows_; ++row) requests_->Release(slots_[static_cast<size_t>(row)]);
}

}  // namespace escan
