#include "supervision/fleet.h"

#include <algorithm>
#include <cassert>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/time.h"

namespace escan {
namespace {

std::string ToString(Duration duration) { return absl::FormatDuration(absl::FromChrono(duration)); }

}  // namespace

std::string_view Name(FleetState state) {
  switch (state) {
    case FleetState::kStarting:
      return "starting";
    case FleetState::kReady:
      return "ready";
    case FleetState::kDraining:
      return "draining";
    case FleetState::kStopping:
      return "stopping";
    case FleetState::kWaiting:
      return "waiting";
  }
  return "unknown";
}

Fleet::Fleet(FleetActions* actions, const FleetOptions& options)
    : actions_(actions), options_(options) {}

// --- what should be

void Fleet::SetGroups(const std::vector<WorkerGroup>& groups, TimePoint now) {
  const bool first = members_.empty();
  const size_t members_before = members_.size();
  for (Member& member : members_) member.outgoing = true;
  for (const WorkerGroup& group : groups) {
    WorkerGroup role = group;
    role.count = 1;
    for (int i = 0; i < group.count; ++i) {
      if (!Keep(role)) Add(role, now);
    }
  }
  // What a change that is superseded here began, and nobody wants now.
  for (Member& member : members_) {
    member.leaving = member.leaving || (member.incoming && member.outgoing);
  }
  BeginChange(members_before);
  if (!first) return;
  change_ = Change::kNone;
  Switch();
}

void Fleet::Renew(int device, TimePoint now) {
  assert(change_ != Change::kInProgress);
  const size_t members_before = members_.size();
  std::vector<WorkerGroup> roles;
  for (Member& member : members_) {
    member.outgoing = member.leaving || member.role.device == device;
    if (member.outgoing && !member.leaving) roles.push_back(member.role);
  }
  for (const WorkerGroup& role : roles) Add(role, now);
  BeginChange(members_before);
}

void Fleet::BeginChange(size_t members_before) {
  change_ = Change::kInProgress;
  switched_ = false;
  change_error_.clear();
  change_started_ = static_cast<int>(members_.size() - members_before);
  change_stopped_ =
      static_cast<int>(std::count_if(members_.begin(), members_.end(), [](const Member& member) {
        return member.outgoing && !member.leaving;
      }));
}

// Lets a member that already has `role` stay, a ready one if there is one.
bool Fleet::Keep(const WorkerGroup& role) {
  Member* kept = nullptr;
  for (Member& member : members_) {
    if (!member.outgoing || member.leaving || member.role != role) continue;
    if (kept == nullptr || kept->state != FleetState::kReady) kept = &member;
  }
  if (kept == nullptr) return false;
  kept->outgoing = false;
  kept->failed_starts = 0;
  return true;
}

void Fleet::Add(const WorkerGroup& role, TimePoint now) {
  Member& member = members_.emplace_back();
  member.id = FreeId();
  member.role = role;
  member.incoming = true;
  member.due = now;
}

WorkerId Fleet::FreeId() const {
  WorkerId id = 0;
  while (Find(id) != nullptr) ++id;
  return id;
}

void Fleet::StopAll(TimePoint /*now*/) {
  if (change_ == Change::kInProgress && !switched_) GiveUp("all workers are being stopped");
  for (Member& member : members_) member.leaving = true;
}

// --- facts

void Fleet::Ready(WorkerId worker, uint32_t incarnation, TimePoint now) {
  Member* member = FindIncarnation(worker, incarnation);
  if (member == nullptr || member->state != FleetState::kStarting) return;
  member->state = FleetState::kReady;
  member->due = TimePoint::max();
  member->failed_starts = 0;
  member->served = true;
  member->start_took = now - member->started;
}

void Fleet::StartDelayed(WorkerId worker, uint32_t incarnation, TimePoint now) {
  Member* member = FindIncarnation(worker, incarnation);
  if (member == nullptr || member->state != FleetState::kStarting) return;
  member->started = now;
  member->due = now + options_.start_timeout;
}

void Fleet::Drained(WorkerId worker, TimePoint now) {
  Member* member = FindMutable(worker);
  if (member == nullptr || member->state != FleetState::kDraining) return;
  member->state = FleetState::kStopping;
  member->due = now + options_.stop_timeout;
  actions_->StopWorker(worker);
}

void Fleet::Exited(WorkerId worker, uint32_t incarnation, const std::string& how, TimePoint now) {
  Member* member = FindIncarnation(worker, incarnation);
  if (member == nullptr || member->state == FleetState::kWaiting) return;
  const bool was_ready = member->state == FleetState::kReady;
  member->state = FleetState::kWaiting;
  member->last_end =
      member->kill_reason.empty() ? how : absl::StrCat(member->kill_reason, ", ended: ", how);
  if (!was_ready) ++member->failed_starts;
  member->due = now + Backoff(member->failed_starts);
}

Duration Fleet::Backoff(int failed_starts) const {
  if (failed_starts == 0) return Duration::zero();
  Duration backoff = options_.first_backoff;
  for (int i = 1; i < failed_starts && backoff < options_.last_backoff; ++i) backoff *= 2;
  return std::min(backoff, options_.last_backoff);
}

// --- what is done about the difference

TimePoint Fleet::Advance(TimePoint now) {
  MoveChange();
  for (Member& member : members_) Step(member, now);
  std::erase_if(members_, [](const Member& member) {
    return member.leaving && member.state == FleetState::kWaiting;
  });
  MoveChange();
  TimePoint next = TimePoint::max();
  for (const Member& member : members_) next = std::min(next, member.due);
  return next;
}

void Fleet::MoveChange() {
  if (change_ != Change::kInProgress) return;
  if (!switched_) {
    bool all_ready = true;
    for (const Member& member : members_) {
      if (member.outgoing) continue;
      all_ready = all_ready && member.state == FleetState::kReady;
      if (member.failed_starts >= options_.change_start_attempts) {
        return GiveUp(absl::StrCat("worker ", member.id, " did not become ready in ",
                                   member.failed_starts, " starts: ", member.last_end));
      }
    }
    if (all_ready) Switch();
  }
  const bool old_ones_left = std::any_of(members_.begin(), members_.end(),
                                         [](const Member& member) { return member.outgoing; });
  if (switched_ && !old_ones_left) change_ = Change::kDone;
}

void Fleet::Switch() {
  switched_ = true;
  for (Member& member : members_) {
    member.incoming = false;
    member.leaving = member.leaving || member.outgoing;
  }
}

void Fleet::GiveUp(std::string error) {
  change_ = Change::kFailed;
  change_error_ = std::move(error);
  for (Member& member : members_) {
    member.leaving = member.leaving || member.incoming;
    member.outgoing = member.leaving;
    member.incoming = false;
  }
}

void Fleet::Step(Member& member, TimePoint now) {
  if (member.leaving) return Leave(member, now);
  if (now < member.due) return;
  if (member.state == FleetState::kWaiting) {
    Start(member, now);
  } else if (member.state == FleetState::kStarting) {
    Kill(member, absl::StrCat("not ready ", ToString(options_.start_timeout), " after its start"));
  }
}

void Fleet::Leave(Member& member, TimePoint now) {
  switch (member.state) {
    case FleetState::kWaiting:
      return;
    case FleetState::kStarting:
      return Kill(member, "not wanted any more");
    case FleetState::kReady:
      member.state = FleetState::kDraining;
      member.due = now + options_.drain_timeout;
      return actions_->DrainWorker(member.id);
    case FleetState::kDraining:
      if (now < member.due) return;
      return Kill(member, absl::StrCat("not idle ", ToString(options_.drain_timeout),
                                       " after it was given its last batch"));
    case FleetState::kStopping:
      if (now < member.due) return;
      return Kill(member, absl::StrCat("running ", ToString(options_.stop_timeout),
                                       " after it was asked to end"));
  }
}

void Fleet::Start(Member& member, TimePoint now) {
  if (member.incarnation != 0) ++member.restarts;
  member.incarnation = ++last_incarnation_;
  member.state = FleetState::kStarting;
  member.started = now;
  member.due = now + options_.start_timeout;
  member.kill_reason.clear();
  actions_->StartWorker(member.id, member.incarnation, member.role);
}

void Fleet::Kill(Member& member, std::string reason) {
  member.state = FleetState::kStopping;
  member.due = TimePoint::max();
  member.kill_reason = std::move(reason);
  actions_->KillWorker(member.id);
}

// --- observation

bool Fleet::empty() const {
  return std::all_of(members_.begin(), members_.end(),
                     [](const Member& member) { return member.state == FleetState::kWaiting; });
}

const Fleet::Member* Fleet::Find(WorkerId worker) const {
  const auto found = std::find_if(members_.begin(), members_.end(),
                                  [&](const Member& member) { return member.id == worker; });
  return found == members_.end() ? nullptr : &*found;
}

Fleet::Member* Fleet::FindMutable(WorkerId worker) {
  return const_cast<Member*>(std::as_const(*this).Find(worker));
}

Fleet::Member* Fleet::FindIncarnation(WorkerId worker, uint32_t incarnation) {
  Member* member = FindMutable(worker);
  return member != nullptr && member->incarnation == incarnation ? member : nullptr;
}

}  // namespace escan
