#pragma once

#include <cstdint>
#include <list>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "absl/status/status.h"
#include "contracts/mutex.h"
#include "escan/calibration.h"
#include "escan/time.h"

namespace escan {

// What one row of a request was answered.
struct AnsweredClass {
  int stage = 0;  // that answered it
  int64_t label = 0;
};

// How many rows that a stage answered were labelled later, and how many of them rightly answered.
struct StageAccuracy {
  uint64_t labelled = 0;
  uint64_t correct = 0;

  friend bool operator==(const StageAccuracy&, const StageAccuracy&) = default;
};

// Compares answers of one model with labels that come with the request or later. For the latter it
// remembers the latest answers by request id, within bounds of number and time. Any thread; a lock
// is held for the time of one request.
class AnswerFeedback {
 public:
  // A request with a longer id is not remembered.
  static constexpr size_t kLongestId = 256;

  // `spec` without samples: nothing is remembered.
  AnswerFeedback(const FeedbackSpec& spec, int stages);

  bool remembers() const { return spec_.samples > 0; }
  // A request was answered. One without an id is not remembered; of two with the same id the later.
  void Remember(std::string_view id, std::span<const AnsweredClass> rows, TimePoint now);
  // The right classes of a remembered request's rows. It is forgotten then: labels count once.
  // NotFound: it is not remembered. InvalidArgument: it has another number of rows.
  // FailedPrecondition: nothing is remembered.
  absl::Status Label(std::string_view id, std::span<const int64_t> labels, TimePoint now);

  // Rows and their right classes, as many.
  void Count(std::span<const AnsweredClass> rows, std::span<const int64_t> labels);
  std::vector<StageAccuracy> accuracy() const;  // one a stage

  // For tests.
  size_t remembered_samples() const;

 private:
  struct Remembered {
    std::string id;
    std::vector<AnsweredClass> rows;
    TimePoint time;
  };
  using Requests = std::list<Remembered>;

  void Forget(Requests::iterator request) ESCAN_REQUIRES(mutex_);
  void ForgetOld(TimePoint now) ESCAN_REQUIRES(mutex_);
  void CountLocked(std::span<const AnsweredClass> rows, std::span<const int64_t> labels)
      ESCAN_REQUIRES(mutex_);

  const FeedbackSpec spec_;
  mutable Mutex mutex_;
  Requests requests_ ESCAN_GUARDED_BY(mutex_);  // the oldest first
  // The keys lie in requests_.
  std::unordered_map<std::string_view, Requests::iterator> by_id_ ESCAN_GUARDED_BY(mutex_);
  size_t samples_ ESCAN_GUARDED_BY(mutex_) = 0;
  std::vector<StageAccuracy> accuracy_ ESCAN_GUARDED_BY(mutex_);
};

}  // namespace escan
