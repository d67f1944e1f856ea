#include "server/commands/verify_command.h"

#include <algorithm>
#include <atomic>
#include <functional>
#include <iterator>
#include <memory>
#include <set>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "server/commands/offline_command.h"
#include "supervision/cpu_quota.h"

namespace escan {
namespace {

// Of a GPU; multiprocessors are handed out in pairs, so that these cover most numbers of them.
constexpr int kLeastGpuShare = 10;
constexpr int kGpuShareStep = 5;

std::set<int> AllShares(const Device& device) {
  if (device.kind == Device::Kind::kCpu) return {25, 50, 75, 100};
  std::set<int> shares;
  for (int share = kLeastGpuShare; share <= 100; share += kGpuShareStep) shares.insert(share);
  return shares;
}

std::set<int> SharesOf(const CascadeConfig& cascade) {
  std::set<int> shares;
  for (const WorkerGroup& group : cascade.plan.workers) shares.insert(group.thread_percent);
  return shares;
}

std::set<int> SharesOf(const VerifyCommand& command, const CascadeConfig& cascade) {
  if (command.all_shares) return AllShares(command.config.devices.front());
  const auto profile = command.profiles.find(cascade.spec.name);
  if (!cascade.plan_is_auto || profile == command.profiles.end()) return SharesOf(cascade);
  return {profile->second.thread_percents.begin(), profile->second.thread_percents.end()};
}

std::string Milliseconds(const BucketCheck& check) {
  if (check.step == Duration::zero()) return "";
  return absl::StrFormat("%.3f", Seconds(check.step).count() * 1e3);
}

// The checks of one stage, by bucket.
std::vector<BucketCheck> ChecksOf(const ShareVerification& share, int stage) {
  std::vector<BucketCheck> checks;
  std::ranges::copy_if(share.checks, std::back_inserter(checks),
                       [stage](const BucketCheck& check) { return check.stage == stage; });
  return checks;
}

void AppendRow(const std::string& stage, const ShareVerification& share,
               const std::vector<BucketCheck>& checks, std::string* table) {
  const BucketCheck& first = checks.front();
  absl::StrAppend(table, "| ", stage, " | ", share.thread_percent, " % | ",
                  share.multiprocessors > 0 ? absl::StrCat(share.multiprocessors) : "", " | ",
                  std::string(Name(first.verdict)), " | ", first.way, " | ",
                  absl::StrJoin(checks, " | ",
                                [](std::string* out, const BucketCheck& check) {
                                  out->append(Milliseconds(check));
                                }),
                  " | ", first.message, " |\n");
}

// Runs a worker of every cascade at each of its shares.
class Verification {
 public:
  Verification(const VerifyCommand& command, int signal_fd)
      : command_(command), watch_(signal_fd, [this] { cancelled_ = true; }) {}

  // Calls `on_cascade` with all shares of one.
  template <typename OnCascade>
  absl::Status Run(const std::function<std::set<int>(const CascadeConfig&)>& shares_of,
                   const OnCascade& on_cascade) {
    const absl::Status free = CheckNobodyServes(command_.config.server);
    if (!free.ok()) return free;
    const absl::StatusOr<std::shared_ptr<MpsWorkerHost>> host =
        StartWorkerHost(command_.config, command_.programs, command_.torch);
    if (!host.ok()) return host.status();
    const CpuBudget cpus = UsableCpuBudget();
    const EngineOptions options = {.host = *host,
                                   .devices = command_.config.devices,
                                   .cache = command_.config.cache,
                                   .cpus = cpus.cpus,
                                   .pin_cpus = cpus.pinned};
    for (const CascadeConfig& cascade : command_.config.cascades) {
      std::vector<ShareVerification> shares;
      for (const int share : shares_of(cascade)) {
        absl::StatusOr<ShareVerification> found =
            VerifyShare(cascade.spec, share, options, cancelled_);
        if (!found.ok()) return found.status();
        shares.push_back(*std::move(found));
      }
      on_cascade(cascade.spec, shares);
    }
    return absl::OkStatus();
  }

 private:
  const VerifyCommand& command_;
  std::atomic<bool> cancelled_ = false;
  const ReadableWatch watch_;
};

// What did not become ready, a line each.
class Failures {
 public:
  void Add(const CascadeSpec& cascade, const std::vector<ShareVerification>& shares) {
    for (const ShareVerification& share : shares) {
      if (share.right()) continue;
      wrong_ = wrong_ || std::ranges::any_of(share.checks, [](const BucketCheck& check) {
                 return check.verdict == Verdict::kWrong;
               });
      lines_.push_back(
          absl::StrCat(cascade.name, " at ", share.thread_percent, " %: ", share.failure));
    }
  }

  absl::Status ToStatus() const {
    if (lines_.empty()) return absl::OkStatus();
    const std::string message = absl::StrJoin(lines_, "\n");
    return wrong_ ? absl::DataLossError(message) : absl::FailedPreconditionError(message);
  }

 private:
  std::vector<std::string> lines_;
  bool wrong_ = false;
};

}  // namespace

std::string VerificationTable(const CascadeSpec& cascade,
                              const std::vector<ShareVerification>& shares) {
  std::string table;
  for (int stage = 0; stage < cascade.stage_count(); ++stage) {
    const StageSpec& spec = cascade.stages[static_cast<size_t>(stage)];
    const std::string rows = absl::StrJoin(spec.buckets, " | ");
    absl::StrAppend(&table, "| stage | share | multiprocessors | answers | way | ms with ", rows,
                    " rows | remark |\n|---|---|---|---|---|");
    for (size_t i = 0; i < spec.buckets.size(); ++i) table += "---|";
    table += "---|\n";
    for (const ShareVerification& share : shares) {
      const std::vector<BucketCheck> checks = ChecksOf(share, stage);
      if (!checks.empty()) AppendRow(spec.name, share, checks, &table);
    }
    table += "\n";
  }
  return table;
}

absl::Status Verify(const VerifyCommand& command, int signal_fd, std::ostream& out) {
  Failures failures;
  const absl::Status status =
      Verification(command, signal_fd)
          .Run([&](const CascadeConfig& cascade) { return SharesOf(command, cascade); },
               [&](const CascadeSpec& cascade, const std::vector<ShareVerification>& shares) {
                 out << "## " << cascade.name << " on " << command.config.devices.front().name
                     << "\n\n"
                     << VerificationTable(cascade, shares) << std::flush;
                 failures.Add(cascade, shares);
               });
  return status.ok() ? failures.ToStatus() : status;
}

absl::Status LoadAll(const VerifyCommand& command, int signal_fd) {
  Failures failures;
  const absl::Status status =
      Verification(command, signal_fd)
          .Run([](const CascadeConfig& cascade) { return SharesOf(cascade); },
               [&](const CascadeSpec& cascade, const std::vector<ShareVerification>& shares) {
                 failures.Add(cascade, shares);
               });
  return status.ok() ? failures.ToStatus() : status;
}

}  // namespace escan
