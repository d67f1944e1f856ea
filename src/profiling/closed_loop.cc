#include "profiling/closed_loop.h"

#include <algorithm>
#include <limits>
#include <utility>

#include "absl/strings/str_cat.h"

namespace escan {
namespace {

constexpr Duration kDeadline = std::chrono::minutes(1);  // of a request
// Slots can become free without an answer, when copies of answered samples have been executed.
constexpr Duration kRetry = std::chrono::milliseconds(1);

}  // namespace

class ClosedLoop::Client : public Completion {
 public:
  explicit Client(ClosedLoop* loop) : loop_(loop) {}
  void OnComplete(const Outcome& outcome) override { loop_->OnAnswer(this, outcome); }

  RequestKey key;
  TimePoint sent;

 private:
  ClosedLoop* const loop_;
};

ClosedLoop::ClosedLoop(Engine* engine, Options options)
    : engine_(engine), options_(std::move(options)) {
  if (options_.rotate_slots) rotation_.emplace(engine_, options_.rows);
  for (int i = 0; i < options_.clients; ++i) clients_.push_back(std::make_unique<Client>(this));
  {
    MutexLock lock(mutex_);
    for (const auto& client : clients_) waiting_.push_back(client.get());
  }
  SendWaiting();
}

ClosedLoop::~ClosedLoop() {
  MutexLock lock(mutex_);
  stopping_ = true;
  while (waiting_.size() < clients_.size() || answering_ > 0) changed_.Wait(mutex_);
}

absl::Status ClosedLoop::WaitUntil(TimePoint deadline) {
  return WaitForAnswers(std::numeric_limits<int64_t>::max(), deadline);
}

absl::Status ClosedLoop::WaitForAnswers(int64_t total, TimePoint deadline) {
  while (true) {
    {
      MutexLock lock(mutex_);
      wanted_ = total;
      if (!failure_.ok() || answered_ >= total || Clock::now() >= deadline) return failure_;
      changed_.WaitUntil(mutex_, std::min(deadline, Clock::now() + kRetry));
    }
    SendWaiting();
  }
}

int64_t ClosedLoop::answered() const {
  MutexLock lock(mutex_);
  return answered_;
}

std::vector<Duration> ClosedLoop::TakeLatencies() {
  MutexLock lock(mutex_);
  return std::exchange(latencies_, {});
}

void ClosedLoop::OnAnswer(Client* client, const Outcome& outcome) {
  const Duration latency = Clock::now() - client->sent;
  ReturnSlots(client->key);
  {
    MutexLock lock(mutex_);
    if (outcome.code != OutcomeCode::kOk) {
      failure_.Update(
          absl::InternalError(absl::StrCat("a request failed with outcome ",
                                           static_cast<int>(outcome.code), ": ", outcome.message)));
    }
    latencies_.push_back(latency);
    waiting_.push_back(client);
    if (++answered_ >= wanted_ || !failure_.ok()) changed_.NotifyAll();
    ++answering_;
  }
  SendWaiting();
  MutexLock lock(mutex_);
  --answering_;
  if (stopping_) changed_.NotifyAll();
}

void ClosedLoop::SendWaiting() {
  while (true) {
    Client* client = nullptr;
    {
      MutexLock lock(mutex_);
      if (stopping_ || !failure_.ok() || waiting_.empty()) return;
      client = waiting_.back();
      waiting_.pop_back();
    }
    if (Send(client)) continue;
    MutexLock lock(mutex_);
    waiting_.push_back(client);
    changed_.NotifyAll();
    return;
  }
}

// False when there are no free slots.
bool ClosedLoop::Send(Client* client) {
  const std::optional<RequestKey> key = TakeSlots();
  if (!key.has_value()) return false;
  client->key = *key;
  for (SlotId slot = key->first_slot; slot != kNoSlot; slot = engine_->NextSlot(slot)) {
    options_.fill(slot);
  }
  client->sent = Clock::now();
  engine_->Submit({.key = *key,
                   .rows = options_.rows,
                   .arrival = client->sent,
                   .deadline = client->sent + kDeadline},
                  client);
  return true;
}

std::optional<RequestKey> ClosedLoop::TakeSlots() {
  if (rotation_.has_value()) return rotation_->Take();
  const absl::StatusOr<RequestKey> key = engine_->Acquire(options_.rows);
  if (!key.ok()) return std::nullopt;
  return *key;
}

void ClosedLoop::ReturnSlots(const RequestKey& key) {
  if (rotation_.has_value()) {
    rotation_->Return(key);
  } else {
    engine_->Release(key);
  }
}

}  // namespace escan
