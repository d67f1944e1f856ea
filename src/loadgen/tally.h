#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/types/span.h"
#include "arrays/right_answers.h"
#include "escan/time.h"

namespace escan::loadgen {

// What is read of an answer: raw contents, empty where the model has no such output.
struct AnswerTensors {
  std::string_view exit_stages;           // INT32 [rows], 1 = first stage
  std::string_view scores;                // FP32 [rows, classes]
  std::vector<std::string_view> outputs;  // all, in the model's order
  std::string defect;  // what an output lacks of what the model's metadata says; empty: nothing
};

struct ErrorCount {
  int64_t count = 0;
  std::string first_message;
};

struct StageCount {
  int64_t samples = 0;
  int64_t correct = 0;
};

// When a request that succeeded was due, and how long it took.
struct TimedAnswer {
  Duration due{};  // since the measurement began
  Duration latency{};
  int rows = 1;
};

// What is known of a request when its answer comes.
struct AnsweredRequest {
  TimedAnswer time;
  absl::Span<const int64_t> labels;  // one class a row; empty: accuracy is not asked for
  int exit_segment = 0;
  std::string_view difficulties;        // FP32 [rows], as sent; empty: exits are not controlled
  const RightAnswers* right = nullptr;  // null: answers are not compared
  int64_t first_row = 0;                // of the samples, which `right` may hold fewer of
};

// Samples whose answers were held against the right ones.
struct ComparedSamples {
  int64_t right = 0;
  int64_t wrong = 0;
  int64_t unknown = 0;      // answered by a stage of which no right answer is known
  std::string first_wrong;  // "sample 17, ...: 'scores'[3] is nan where 0.02 is right"
};

using ExitCounts = std::map<int, StageCount>;  // by stage, 1 = first; empty: none reported

// Counts and latencies of the measured requests. Each thread that receives answers fills one of its
// own; they are merged at the end.
class Tally {
 public:
  // Name under which answers are counted that have the status OK but not the expected tensors.
  static constexpr std::string_view kBadAnswer = "BAD_ANSWER";

  // A request was answered with OK. With labels, scores are required. False: the tensors are not as
  // expected or hold a wrong answer, which is an error.
  bool AddAnswer(const AnsweredRequest& request, const AnswerTensors& tensors);

  void AddError(const absl::Status& status);

  void Merge(Tally&& other);

  const std::vector<TimedAnswer>& answers() const { return answers_; }  // successes
  std::vector<Duration> latencies() const;                              // of successes
  int64_t succeeded() const { return static_cast<int64_t>(answers_.size()); }
  int64_t failed() const;
  int64_t samples() const { return samples_; }  // in answers that succeeded
  int64_t correct() const { return correct_; }
  // Of samples whose exit is controlled, those that left at another stage.
  int64_t misplaced() const { return misplaced_; }
  ExitCounts exits() const;  // in answers that succeeded
  ExitCounts exits_in(int exit_segment) const;
  const ComparedSamples& compared() const { return compared_; }
  const std::map<std::string, ErrorCount>& errors() const { return errors_; }

 private:
  // Describes the first wrong row; empty when there is none.
  std::string Compare(const AnsweredRequest& request, const AnswerTensors& tensors);
  void CountError(const std::string& code, const std::string& message, int64_t count);

  std::vector<TimedAnswer> answers_;
  int64_t samples_ = 0;
  int64_t correct_ = 0;
  int64_t misplaced_ = 0;
  std::map<int, ExitCounts> exits_;  // by segment
  ComparedSamples compared_;
  std::map<std::string, ErrorCount> errors_;
};

}  // namespace escan::loadgen
