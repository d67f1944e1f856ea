#include "server/admin/admin_status.h"

#include <algorithm>
#include <cmath>
#include <string>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "scheduling/brown_out.h"
#include "scheduling/interval.h"
#include "server/admin/worker_state.h"

namespace escan {
namespace {

double Ratio(uint64_t numerator, uint64_t denominator) {
  return denominator == 0 ? 0.0 : static_cast<double>(numerator) / static_cast<double>(denominator);
}

void Describe(const ExitEstimate& exits, v1::ExitRatio* to) {
  to->set_ratio(exits.ratio());
  to->set_low(exits.interval().low);
  to->set_high(exits.interval().high);
  to->set_samples(exits.reached);
}

void Describe(uint64_t hits, uint64_t samples, v1::Proportion* to) {
  const Interval interval = WilsonInterval(hits, samples);
  to->set_ratio(Ratio(hits, samples));
  to->set_low(interval.low);
  to->set_high(interval.high);
  to->set_samples(samples);
}

void Describe(const DriftStatus& drift, v1::Drift* to) {
  to->set_state(std::string(Name(drift.state)));
  to->set_windows(drift.windows);
  to->set_windows_drifted(drift.windows_drifted);
  to->set_samples(drift.samples);
  to->set_chi_square(drift.statistic);
  to->set_limit(drift.limit);
  to->set_moved(drift.moved);
}

void Describe(const ArrivalEstimate& arrivals, v1::Arrivals* to) {
  to->set_samples_per_second(arrivals.samples_per_second);
  to->set_low(arrivals.interval.low);
  to->set_high(arrivals.interval.high);
  to->set_rows_per_request(arrivals.rows_per_request);
  to->set_offered_samples(arrivals.offered_samples);
  to->set_refused_samples(arrivals.refused_samples);
}

void Describe(const StageSpec& spec, bool can_exit, const EngineStatus::Stage& stage,
              v1::StageStatus* to) {
  const StageStatistics& statistics = stage.statistics;
  to->set_name(spec.name);
  to->set_max_batch(static_cast<uint32_t>(stage.policy.max_batch));
  SetDuration(stage.policy.max_delay, to->mutable_max_delay());
  to->set_speculate(stage.policy.speculate);
  if (can_exit) to->set_threshold(stage.threshold);
  to->set_ready_workers(static_cast<uint32_t>(stage.ready_workers));
  to->set_queued(static_cast<uint32_t>(stage.queued));
  to->set_in_flight(static_cast<uint32_t>(stage.in_flight));
  to->set_samples_executed(statistics.samples_executed);
  to->set_samples_exited(statistics.samples_exited);
  to->set_samples_failed(statistics.samples_failed);
  to->set_score_nan(statistics.score_nan);
  to->set_answers_checked(statistics.answers_checked);
  to->set_answers_wrong(statistics.answers_wrong);
  to->set_answers_doubtful(statistics.answers_doubtful);
  to->set_mean_batch_rows(Ratio(statistics.samples_executed, statistics.batches));
  const auto step_ns = static_cast<Duration::rep>(Ratio(statistics.execute_ns, statistics.batches));
  SetDuration(Duration(step_ns), to->mutable_mean_step_time());
  const ExitEstimate& exits = statistics.exits.estimate();
  if (can_exit && exits.reached > 0) Describe(exits, to->mutable_exit_ratio());
  if (statistics.drift.state != DriftStatus::State::kOff) {
    Describe(statistics.drift, to->mutable_drift());
  }
  const AuditCount& audits = stage.audits;
  if (audits.audited > 0) Describe(audits.disagreed, audits.audited, to->mutable_disagreement());
}

void Describe(const CascadeSpec& cascade, const std::vector<Device>& devices,
              const EngineStatus::Worker& worker, v1::WorkerStatus* to) {
  const WorkerGroup& role = worker.member.role;
  to->set_id(static_cast<uint32_t>(worker.member.id));
  to->set_pid(worker.pid);
  to->set_state(std::string(StateName(worker)));
  to->set_progress_done(static_cast<uint32_t>(worker.progress_done));
  to->set_progress_total(static_cast<uint32_t>(worker.progress_total));
  to->set_device(devices[static_cast<size_t>(role.device)].name);
  to->set_thread_percent(static_cast<uint32_t>(role.thread_percent));
  to->set_credits(static_cast<uint32_t>(role.credits));
  for (const int stage : role.stages) {
    to->add_stages(cascade.stages[static_cast<size_t>(stage)].name);
  }
  to->set_restarts(static_cast<uint32_t>(worker.member.restarts));
  to->set_last_end(worker.member.last_end);
  to->set_device_index(static_cast<uint32_t>(role.device));
  to->set_multiprocessors(static_cast<uint32_t>(worker.multiprocessors));
  to->set_device_memory_bytes(worker.device_memory);
}

void Describe(const CascadeSpec& cascade, const DoubtfulShare& share, v1::DoubtfulShare* to) {
  to->set_device_index(static_cast<uint32_t>(share.device));
  to->set_thread_percent(static_cast<uint32_t>(share.thread_percent));
  for (const int stage : share.stages) {
    to->add_stages(cascade.stages[static_cast<size_t>(stage)].name);
  }
  to->set_replaced(static_cast<uint32_t>(share.replaced));
}

bool ThresholdsDiffer(const CascadeSpec& cascade, const EngineStatus& status) {
  for (size_t i = 0; i < status.stages.size(); ++i) {
    if (!CanExitEarly(cascade, static_cast<int>(i))) continue;
    if (status.stages[i].set_threshold != cascade.stages[i].exit.threshold) return true;
  }
  return false;
}

}  // namespace

v1::CascadeStatus DescribeStatus(const CascadeConfig& config, const std::vector<Device>& devices,
                                 const EngineStatus& status, ControlLoop::Mode mode) {
  v1::CascadeStatus described;
  described.set_name(config.spec.name);
  for (size_t i = 0; i < status.stages.size(); ++i) {
    Describe(config.spec.stages[i], CanExitEarly(config.spec, static_cast<int>(i)),
             status.stages[i], described.add_stages());
  }
  for (const EngineStatus::Worker& worker : status.workers) {
    Describe(config.spec, devices, worker, described.add_workers());
  }
  for (const DoubtfulShare& share : status.doubtful_shares) {
    Describe(config.spec, share, described.add_doubtful_shares());
  }
  described.set_slots(static_cast<uint32_t>(status.slots));
  described.set_slots_in_use(static_cast<uint32_t>(status.slots_in_use));
  described.set_requests(static_cast<uint32_t>(status.requests));
  described.set_plan_differs_from_file(PlanDiffers(config, status.plan, mode));
  described.set_plan_mode(std::string(Name(mode)));
  described.set_thresholds_differ_from_file(ThresholdsDiffer(config.spec, status));
  described.set_plan_changes(status.plan_changes);
  described.set_plan_change_in_progress(status.plan_change_in_progress);
  Describe(status.arrivals, described.mutable_arrivals());
  if (!config.spec.lowest_thresholds.empty()) {
    v1::BrownOut* const brown_out = described.mutable_brown_out();
    brown_out->set_level(static_cast<uint32_t>(status.brown_out));
    brown_out->set_levels(BrownOut::kLevels);
    brown_out->set_steps(status.brown_out_steps);
  }
  return described;
}

void DescribeAccuracy(const std::vector<StageAccuracy>& accuracy, v1::CascadeStatus* to) {
  for (size_t i = 0; i < accuracy.size(); ++i) {
    if (accuracy[i].labelled == 0) continue;
    Describe(accuracy[i].correct, accuracy[i].labelled,
             to->mutable_stages(static_cast<int>(i))->mutable_accuracy());
  }
}

bool PlanDiffers(const CascadeConfig& config, const Plan& plan, ControlLoop::Mode mode) {
  return mode == ControlLoop::Mode::kFixed && plan != config.plan;
}

v1::DeviceStatus DescribeDevice(int index, const Device& device) {
  v1::DeviceStatus described;
  described.set_index(static_cast<uint32_t>(index));
  described.set_kind(device.kind == Device::Kind::kGpu ? "gpu" : "cpu");
  described.set_name(device.name);
  described.set_uuid(device.uuid);
  described.set_multiprocessors(static_cast<uint32_t>(device.multiprocessors));
  described.set_memory_bytes(device.memory_bytes);
  return described;
}

v1::MpsStatus DescribeMps(const MpsReport& mps) {
  v1::MpsStatus described;
  described.set_mode(std::string(Name(mps.mode)));
  described.set_running(mps.running);
  for (const pid_t pid : mps.server_pids) described.add_server_pids(pid);
  described.set_restarts(mps.restarts);
  described.set_reason(mps.reason);
  return described;
}

bool CanExitEarly(const CascadeSpec& cascade, int stage) {
  return stage + 1 < cascade.stage_count() &&
         cascade.stages[static_cast<size_t>(stage)].exit.score != ExitScore::kNone;
}

absl::StatusOr<std::vector<std::pair<int, float>>> CheckThresholds(
    const CascadeSpec& cascade, const google::protobuf::Map<std::string, float>& thresholds) {
  std::vector<std::pair<int, float>> checked;
  for (const auto& [name, threshold] : thresholds) {
    const std::optional<int> stage = cascade.FindStage(name);
    if (!stage.has_value()) {
      return absl::InvalidArgumentError(absl::StrCat(
          "unknown stage '", name, "': model '", cascade.name, "' has ",
          absl::StrJoin(cascade.stages, ", ", [](std::string* out, const StageSpec& spec) {
            absl::StrAppend(out, "'", spec.name, "'");
          })));
    }
    if (!CanExitEarly(cascade, *stage)) {
      return absl::InvalidArgumentError(absl::StrCat("stage '", name, "': has no threshold, ",
                                                     *stage + 1 == cascade.stage_count()
                                                         ? "the last stage always answers"
                                                         : "it is not scored"));
    }
    const bool any_value =
        cascade.stages[static_cast<size_t>(*stage)].exit.score == ExitScore::kOutput;
    if (!std::isfinite(threshold) || (!any_value && (threshold < 0 || threshold > 1))) {
      return absl::InvalidArgumentError(absl::StrCat("stage '", name, "': threshold ", threshold,
                                                     " is not ",
                                                     any_value ? "a finite number" : "in [0, 1]"));
    }
    checked.emplace_back(*stage, threshold);
  }
  std::sort(checked.begin(), checked.end());
  return checked;
}

void SetDuration(Duration duration, google::protobuf::Duration* to) {
  const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(duration);
  to->set_seconds(seconds.count());
  to->set_nanos(static_cast<int32_t>((duration - seconds).count()));
}

}  // namespace escan
