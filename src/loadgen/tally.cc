#include "loadgen/tally.h"

#include <cmath>
#include <cstring>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "escan/cascade.h"

namespace escan::loadgen {
namespace {

template <typename T>
T Element(std::string_view bytes, size_t index) {
  T value;
  std::memcpy(&value, bytes.data() + index * sizeof(T), sizeof(T));
  return value;
}

// Where a sample of this difficulty is to exit: k + 1 for one in [k, k + 1).
int32_t StageOf(float difficulty) { return static_cast<int32_t>(std::floor(difficulty)) + 1; }

// Index of the row's largest score; the first of equal ones.
int64_t ArgMax(std::string_view scores, size_t row, size_t classes) {
  size_t best = 0;
  for (size_t i = 1; i < classes; ++i) {
    if (Element<float>(scores, row * classes + i) > Element<float>(scores, row * classes + best)) {
      best = i;
    }
  }
  return static_cast<int64_t>(best);
}

void Add(const ExitCounts& counts, ExitCounts& to) {
  for (const auto& [stage, count] : counts) {
    to[stage].samples += count.samples;
    to[stage].correct += count.correct;
  }
}

// Says what is wrong with an answer's tensors; empty when they are as expected.
std::string Defect(const AnswerTensors& tensors, size_t rows, bool labelled) {
  if (!tensors.defect.empty()) return tensors.defect;
  const std::string_view exits = tensors.exit_stages;
  if (!exits.empty() && exits.size() != rows * sizeof(int32_t)) {
    return absl::StrFormat("%s has %d bytes, expected %d", kExitStageOutput, exits.size(),
                           rows * sizeof(int32_t));
  }
  for (size_t row = 0; row < exits.size() / sizeof(int32_t); ++row) {
    const auto stage = Element<int32_t>(exits, row);
    if (stage < 1 || stage > kMaxStages) {
      return absl::StrFormat("%s is %d, expected 1 to %d", kExitStageOutput, stage, kMaxStages);
    }
  }
  const size_t scores = tensors.scores.size();
  if (labelled && (scores == 0 || scores % (rows * sizeof(float)) != 0)) {
    return absl::StrCat("the label output has ", scores, " raw bytes, expected FP32 for ", rows,
                        " rows");
  }
  return {};
}

}  // namespace

bool Tally::AddAnswer(const AnsweredRequest& request, const AnswerTensors& tensors) {
  const absl::Span<const int64_t> labels = request.labels;
  const auto row_count = static_cast<size_t>(request.time.rows);
  std::string defect = Defect(tensors, row_count, !labels.empty());
  if (defect.empty() && request.right != nullptr) defect = Compare(request, tensors);
  if (!defect.empty()) {
    CountError(std::string(kBadAnswer), defect, 1);
    return false;
  }
  answers_.push_back(request.time);
  samples_ += request.time.rows;
  const size_t classes = tensors.scores.size() / sizeof(float) / row_count;
  ExitCounts& exits = exits_[request.exit_segment];
  for (size_t row = 0; row < row_count; ++row) {
    const bool correct = !labels.empty() && ArgMax(tensors.scores, row, classes) == labels[row];
    correct_ += correct;
    if (tensors.exit_stages.empty()) continue;
    const auto exit = Element<int32_t>(tensors.exit_stages, row);
    if (!request.difficulties.empty()) {
      misplaced_ += exit != StageOf(Element<float>(request.difficulties, row));
    }
    StageCount& stage = exits[exit];
    ++stage.samples;
    stage.correct += correct;
  }
  return true;
}

std::string Tally::Compare(const AnsweredRequest& request, const AnswerTensors& tensors) {
  const auto rows = static_cast<size_t>(request.time.rows);
  std::string first_wrong;
  std::vector<std::string_view> row_of_each(tensors.outputs.size());
  for (size_t row = 0; row < rows; ++row) {
    for (size_t i = 0; i < row_of_each.size(); ++i) {
      const size_t bytes = tensors.outputs[i].size() / rows;
      row_of_each[i] = tensors.outputs[i].substr(row * bytes, bytes);
    }
    const int64_t sample =
        (request.first_row + static_cast<int64_t>(row)) % request.right->samples();
    const int left_at =
        tensors.exit_stages.empty() ? 1 : Element<int32_t>(tensors.exit_stages, row);
    const int stage =
        request.difficulties.empty() ? left_at : StageOf(Element<float>(request.difficulties, row));
    const RightAnswers::Verdict verdict = request.right->Judge(sample, stage, row_of_each);
    compared_.unknown += !verdict.known;
    compared_.right += verdict.known && !verdict.wrong;
    compared_.wrong += verdict.known && verdict.wrong;
    if (verdict.wrong && first_wrong.empty()) {
      first_wrong = absl::StrCat(
          "sample ", sample, ", stage ", stage,
          stage == left_at ? "" : absl::StrCat(" (it left at ", left_at, ")"), ", in a request of ",
          rows, rows == 1 ? " row: " : " rows: ", *verdict.wrong);
    }
  }
  if (compared_.first_wrong.empty()) compared_.first_wrong = first_wrong;
  return first_wrong;
}

void Tally::AddError(const absl::Status& status) {
  CountError(absl::StatusCodeToString(status.code()), std::string(status.message()), 1);
}

void Tally::CountError(const std::string& code, const std::string& message, int64_t count) {
  ErrorCount& error = errors_[code];
  if (error.count == 0) error.first_message = message;
  error.count += count;
}

void Tally::Merge(Tally&& other) {
  answers_.insert(answers_.end(), other.answers_.begin(), other.answers_.end());
  samples_ += other.samples_;
  correct_ += other.correct_;
  misplaced_ += other.misplaced_;
  for (const auto& [segment, exits] : other.exits_) Add(exits, exits_[segment]);
  compared_.right += other.compared_.right;
  compared_.wrong += other.compared_.wrong;
  compared_.unknown += other.compared_.unknown;
  if (compared_.first_wrong.empty()) compared_.first_wrong = other.compared_.first_wrong;
  for (const auto& [code, error] : other.errors_) {
    CountError(code, error.first_message, error.count);
  }
}

std::vector<Duration> Tally::latencies() const {
  std::vector<Duration> latencies;
  latencies.reserve(answers_.size());
  for (const TimedAnswer& answer : answers_) latencies.push_back(answer.latency);
  return latencies;
}

ExitCounts Tally::exits() const {
  ExitCounts sum;
  for (const auto& [segment, exits] : exits_) Add(exits, sum);
  return sum;
}

ExitCounts Tally::exits_in(int exit_segment) const {
  const auto exits = exits_.find(exit_segment);
  return exits == exits_.end() ? ExitCounts() : exits->second;
}

int64_t Tally::failed() const {
  int64_t failed = 0;
  for (const auto& [code, error] : errors_) failed += error.count;
  return failed;
}

}  // namespace escan::loadgen
