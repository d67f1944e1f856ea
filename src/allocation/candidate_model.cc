#include "allocation/candidate_model.h"

namespace escan {

CandidateModel::CandidateModel(const SearchGrid& grid) : grid_(grid) {
  const Profile& profile = grid.profile();
  double bytes = 0;
  for (int stage = 0; stage < grid.stages(); ++stage) {
    const double reach = grid.reach(stage);
    bytes += reach * static_cast<double>(profile.stages[static_cast<size_t>(stage)].input_bytes);
    load_.stations.push_back({.stage = stage, .work = reach, .reach = reach});
  }
  load_.rows_per_request = grid.workload().rows_per_request;
  load_.knee = profile.knee;
  if (profile.bus_bytes_per_second > 0 && bytes > 0) {
    load_.bus_rate = profile.bus_bytes_per_second / bytes;
  }
}

const Capacity& CandidateModel::Predict(const Candidate& candidate) {
  for (int stage = 0; stage < grid_.stages(); ++stage) {
    const int bucket = candidate.bucket[static_cast<size_t>(stage)];
    Station& station = load_.stations[static_cast<size_t>(stage)];
    station.rows = grid_.rows(stage, bucket);
    station.max_batch = station.rows.back();
    station.max_delay = grid_.MaxDelay(stage, bucket);
  }
  load_.classes.clear();
  load_.costs.clear();
  const int clients = candidate.clients();
  for (const Candidate::Class& workers : candidate.used()) {
    const int credits = grid_.Credits(workers);
    load_.classes.push_back({.count = workers.count, .credits = credits});
    for (int stage = 0; stage < grid_.stages(); ++stage) {
      StationCost& cost = load_.costs.emplace_back();
      if (!workers.hosts(stage)) continue;
      const auto bucket = static_cast<size_t>(candidate.bucket[static_cast<size_t>(stage)]);
      cost.worker_time = grid_.worker_times(stage, workers.share, credits)[bucket];
      cost.device_time = grid_.device_times(stage, workers.share, clients)[bucket];
      cost.device_alone = grid_.devices_alone(stage, workers.share, clients)[bucket];
      cost.largest_worker = grid_.worker_times(stage, workers.share, 1).back();
      cost.largest_device = grid_.device_times(stage, workers.share, clients).back();
      cost.steps = grid_.steps(stage, workers.share).first(bucket + 1);
    }
  }
  capacity_ = model_.Predict(load_);
  return capacity_;
}

}  // namespace escan
