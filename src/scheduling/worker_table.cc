#include "scheduling/worker_table.h"

#include <algorithm>
#include <bit>

namespace escan {

void Worker::Start(StageMask hosts, int credits, size_t domain) {
  const auto count = static_cast<size_t>(std::max(credits, 1));
  started_ = accepts_ = true;
  hosts_ = hosts;
  domain_ = domain;
  flights_.resize(count);
  free_.clear();
  for (size_t i = 0; i < count; ++i) free_.push_back(i);
  in_flight_.clear();
  in_flight_.reserve(count);
  answered_ = right_ = 0;
}

void Worker::End() {
  started_ = accepts_ = false;
  hosts_ = 0;
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

void WorkerTable::Start(WorkerId id, StageMask hosts, int credits, int fault_domain) {
  const auto index = static_cast<size_t>(id);
  if (index >= workers_.size()) workers_.resize(index + 1);
  at(id).Start(hosts, credits, DomainOf(id, fault_domain));
  Refresh();
}

void WorkerTable::Drain(WorkerId id) {
  at(id).Drain();
  Refresh();
}

void WorkerTable::End(WorkerId id) {
  at(id).End();
  Refresh();
}

const Worker* WorkerTable::Find(WorkerId id) const {
  if (id < 0 || static_cast<size_t>(id) >= workers_.size()) return nullptr;
  return &(*this)[id];
}

void WorkerTable::Launch(WorkerId id) {
  Worker& worker = at(id);
  FaultDomain& domain = domains_[worker.domain()];
  ++domain.load;
  if (worker.draft().alone) {
    domain.trial = true;
    ++domain.trials;
  }
  worker.Launch();
}

void WorkerTable::Land(WorkerId id, const Flight& flight, TimePoint now) {
  Worker& worker = at(id);
  FaultDomain& domain = domains_[worker.domain()];
  --domain.load;
  if (flight.alone) domain.trial = false;
  worker.Land(flight, now);
}

size_t WorkerTable::DomainOf(WorkerId id, int fault_domain) {
  const int name = fault_domain >= 0 ? fault_domain : -1 - id;
  const auto found = std::ranges::find(domains_, name, &FaultDomain::name);
  if (found == domains_.end()) {
    domains_.push_back({.name = name});
    return domains_.size() - 1;
  }
  return static_cast<size_t>(found - domains_.begin());
}

void WorkerTable::Refresh() {
  by_preference_.clear();
  hosted_ = 0;
  for (FaultDomain& domain : domains_) domain.hosts = 0;
  for (size_t id = 0; id < workers_.size(); ++id) {
    const Worker& worker = workers_[id];
    if (!worker.accepts()) continue;
    by_preference_.push_back(static_cast<WorkerId>(id));
    hosted_ |= worker.hosts();
    domains_[worker.domain()].hosts |= worker.hosts();
  }
  std::stable_sort(by_preference_.begin(), by_preference_.end(), [&](WorkerId a, WorkerId b) {
    return std::popcount((*this)[a].hosts()) < std::popcount((*this)[b].hosts());
  });
}

}  // namespace escan
