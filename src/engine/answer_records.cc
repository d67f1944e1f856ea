#include "engine/answer_records.h"

#include <algorithm>
#include <cstdint>

namespace escan {

void AnswerRecords::Assign(WorkerId worker, const WorkerGroup& role) {
  const auto [known, is_new] = roles_.try_emplace(worker, role);
  if (is_new || known->second == role) return;
  known->second = role;
  times_wrong_.erase(worker);
  std::erase_if(answers_, [worker](const auto& entry) { return entry.first.first == worker; });
}

bool AnswerRecords::Add(const Comparison& comparison) {
  at(comparison.answered, comparison.stage).checked += static_cast<uint64_t>(comparison.rows);
  if (comparison.wrong < 0) return false;
  at(comparison.wrong, comparison.stage).wrong += static_cast<uint64_t>(comparison.differ);
  return ++times_wrong_[comparison.wrong] == kMostTimesWrong;
}

void AnswerRecords::Doubt(const WorkerGroup& role) {
  const auto known = std::ranges::find_if(doubtful_shares_, [&](const DoubtfulShare& share) {
    return share.device == role.device && share.stages == role.stages &&
           share.thread_percent == role.thread_percent;
  });
  if (known != doubtful_shares_.end()) {
    ++known->replaced;
    return;
  }
  doubtful_shares_.push_back({.device = role.device,
                              .stages = role.stages,
                              .thread_percent = role.thread_percent,
                              .replaced = 1});
}

WorkerAnswers AnswerRecords::of(WorkerId worker, int stage) const {
  const auto found = answers_.find({worker, stage});
  return found == answers_.end() ? WorkerAnswers{.worker = worker, .stage = stage} : found->second;
}

std::vector<WorkerAnswers> AnswerRecords::all() const {
  std::vector<WorkerAnswers> all;
  for (const auto& [key, answers] : answers_) all.push_back(answers);
  return all;
}

WorkerAnswers& AnswerRecords::at(WorkerId worker, int stage) {
  return answers_.try_emplace({worker, stage}, WorkerAnswers{.worker = worker, .stage = stage})
      .first->second;
}

}  // namespace escan
