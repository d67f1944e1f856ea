#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "contracts/mutex.h"
#include "escan/time.h"
#include "server/inference/served_model.h"
#include "server/protocol/contract.h"
#include "server/rollout/rollout_judgement.h"

namespace escan {

// What an operator asks for.
struct RolloutTerms {
  double canary = 0.05;  // part of the requests that the new version answers
  double compare = 1;    // part of those whose rows the old one answers too
  RolloutConditions abort_if;
  Duration duration{};  // after which it is promoted
};

// A new version of a cascade that answers a part of its requests. Which requests is by turns, so
// the part is exact. Any thread; does not block.
class Rollout {
 public:
  enum class State { kRunning, kPromoted, kAborted };

  Rollout(std::shared_ptr<ServedModel> before, std::shared_ptr<ServedModel> after,
          const RolloutTerms& terms);

  // Whether the next request is for the new version: one that names a version is for that.
  bool Takes(absl::string_view version);
  // Whether one that it took is to be compared.
  bool Compares();

  // Of requests that it took. `status` is what its own version made of it.
  void Count(const absl::Status& status, Duration total);
  void CountCompared(uint64_t rows, uint64_t agreeing);

  struct Report {
    State state = State::kRunning;
    std::string reason;
    Duration elapsed{};
    RolloutFigures figures;
    uint64_t before_answered = 0;  // since it began, as the next
    uint64_t before_errors = 0;
  };
  Report Read() const;
  // By what was counted so far; of one that runs.
  std::optional<std::string> ReasonToAbort(TimePoint now) const;
  bool OverAt(TimePoint now) const { return now - begun_ >= terms_.duration; }
  void End(State state, const std::string& reason);

  // Null once it has ended: nobody keeps what is not served.
  std::shared_ptr<ServedModel> before() const;
  std::shared_ptr<ServedModel> after() const;

  const std::string& model() const { return model_; }
  const std::string& version_before() const { return version_before_; }
  const std::string& version_after() const { return version_after_; }
  const RolloutTerms& terms() const { return terms_; }

 private:
  static bool NextOf(std::atomic<uint64_t>& turn, double part);
  RolloutFigures Figures() const;

  const RolloutTerms terms_;
  const std::string model_;
  const std::string version_before_;
  const std::string version_after_;
  const RequestCounters::Snapshot at_begin_;  // of the old version
  const TimePoint begun_ = Clock::now();
  std::atomic<uint64_t> requests_{0};
  std::atomic<uint64_t> taken_{0};
  std::atomic<uint64_t> answered_{0};
  std::atomic<uint64_t> slow_{0};
  std::atomic<uint64_t> errors_{0};
  std::atomic<uint64_t> compared_{0};
  std::atomic<uint64_t> agreeing_{0};

  mutable Mutex mutex_;
  std::shared_ptr<ServedModel> before_ ESCAN_GUARDED_BY(mutex_);
  std::shared_ptr<ServedModel> after_ ESCAN_GUARDED_BY(mutex_);
  Report ended_ ESCAN_GUARDED_BY(mutex_);  // its last one, where it has ended
};

}  // namespace escan
