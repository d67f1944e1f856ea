#include "scheduling/worker_table.h"

#include <algorithm>
#include <bit>
#include <utility>

namespace escan {

void Worker::Start(StageMask hosts, int credits) {
  const auto count = static_cast<size_t>(std::max(credits, 1));
  started_ = accepts_ = true;
  hosts_ = hosts;
  flights_.resize(count);
  free_.clear();
  for (size_t i = 0; i < count; ++i) free_.push_back(i);
  in_flight_.clear();
  in_flight_.reserve(count);
}

void Worker::End() {
  started_ = accepts_ = false;
  hosts_ = 0;
}

bool Worker::has_credit() const {
  return accepts_ && !free_.empty() && (in_flight_.empty() || !oldest()->alone);
}

void Worker::Launch() {
  Flight& flight = draft();
  flight.head_since = flight.dispatched;
  in_flight_.push_back(free_.back());
  free_.pop_back();
}

const Flight* Worker::Find(uint64_t sequence) const {
  for (const size_t index : in_flight_) {
    if (flights_[index].sequence == sequence) return &flights_[index];
  }
  return nullptr;
}

void Worker::Land(const Flight& flight, TimePoint now) {
  const auto index = static_cast<size_t>(&flight - flights_.data());
  const bool was_oldest = in_flight_.front() == index;
  std::erase(in_flight_, index);
  free_.push_back(index);
  if (was_oldest && !in_flight_.empty()) flights_[in_flight_.front()].head_since = now;
}

const Flight* Worker::oldest() const {
  return in_flight_.empty() ? nullptr : &flights_[in_flight_.front()];
}

const Flight* Worker::newest() const {
  return in_flight_.empty() ? nullptr : &flights_[in_flight_.back()];
}

Worker& WorkerTable::At(WorkerId id) {
  const auto index = static_cast<size_t>(id);
  if (index >= workers_.size()) workers_.resize(index + 1);
  return workers_[index];
}

Worker* WorkerTable::Find(WorkerId id) {
  return const_cast<Worker*>(std::as_const(*this).Find(id));
}

const Worker* WorkerTable::Find(WorkerId id) const {
  if (id < 0 || static_cast<size_t>(id) >= workers_.size()) return nullptr;
  return &workers_[static_cast<size_t>(id)];
}

void WorkerTable::Refresh() {
  by_preference_.clear();
  hosted_ = 0;
  for (size_t id = 0; id < workers_.size(); ++id) {
    if (!workers_[id].accepts()) continue;
    by_preference_.push_back(static_cast<WorkerId>(id));
    hosted_ |= workers_[id].hosts();
  }
  std::stable_sort(by_preference_.begin(), by_preference_.end(), [&](WorkerId a, WorkerId b) {
    return std::popcount((*this)[a].hosts()) < std::popcount((*this)[b].hosts());
  });
}

}  // namespace escan
