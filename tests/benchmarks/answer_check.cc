#include "answer_check.h"

#include <algorithm>
#include <cstring>
#include <future>
#include <numeric>
#include <string_view>
#include <utility>

#include "absl/strings/str_cat.h"
#include "arrays/tensor_comparison.h"

namespace escan {
namespace {

// Sizes that workers prepare, sizes between and beyond them.
constexpr int kRows[] = {1, 2, 4, 5, 16, 17, 32, 33, 64};
constexpr int kMixedRows = 7;
constexpr int kMixedRequests = 48;
constexpr int kMixedRounds = 6;
constexpr Duration kDeadline = std::chrono::seconds(30);

}  // namespace

absl::StatusOr<KnownAnswers> KnownAnswers::FromFolder(const std::filesystem::path& folder,
                                                      const CascadeSpec& cascade) {
  absl::StatusOr<loadgen::SampleSet> samples = loadgen::SampleSet::FromFiles(
      cascade.inputs, {{.input = "", .file = folder / "samples.npz"}});
  if (!samples.ok()) return samples.status();
  absl::StatusOr<RightAnswers> right = RightAnswers::FromFile(
      folder / "expected.npz", cascade.outputs, samples->rows(), kFp16Tolerance);
  if (!right.ok()) return right.status();
  return KnownAnswers{.samples = *std::move(samples), .right = *std::move(right)};
}

class AnswerCheck::Request : public Completion {
 public:
  Request(const RequestKey& key, int rows) : key(key), rows(rows) {}

  void OnComplete(const Outcome& outcome) override { outcome_.set_value(outcome); }
  Outcome Wait() { return outcome_.get_future().get(); }

  const RequestKey key;
  const int rows;

 private:
  std::promise<Outcome> outcome_;
};

AnswerCheck::AnswerCheck(Engine* engine, const KnownAnswers* known, int difficulty, int first_stage)
    : engine_(engine), known_(*known), difficulty_(difficulty), first_stage_(first_stage) {}

absl::StatusOr<std::optional<std::string>> AnswerCheck::FindWrong() {
  const CascadeSpec& cascade = engine_->cascade();
  std::vector<int> stages(static_cast<size_t>(cascade.stage_count()));
  std::iota(stages.begin(), stages.end(), 0);
  const int most = std::min(cascade.max_rows, cascade.slots);
  for (const int stage : stages) {
    for (const int rows : kRows) {
      if (rows > most) break;
      const absl::StatusOr<std::optional<std::string>> wrong = Send(1, rows, {stage});
      if (!wrong.ok() || wrong->has_value()) return wrong;
    }
  }
  const int rows = std::min(kMixedRows, most);
  const int requests = std::clamp(cascade.slots / 2 / rows, 1, kMixedRequests);
  for (int round = 0; round < kMixedRounds; ++round) {
    const absl::StatusOr<std::optional<std::string>> wrong = Send(requests, rows, stages);
    if (!wrong.ok() || wrong->has_value()) return wrong;
  }
  return std::nullopt;
}

absl::StatusOr<std::optional<std::string>> AnswerCheck::Send(int requests, int rows,
                                                             const std::vector<int>& stages) {
  engine_->WaitUntilIdle(Clock::now() + kDeadline);  // copies of earlier requests hold their slots
  std::vector<std::unique_ptr<Request>> sent;
  absl::Status status;
  for (int i = 0; i < requests && status.ok(); ++i) {
    const absl::StatusOr<RequestKey> key = engine_->Acquire(rows);
    status = key.status();
    if (!key.ok()) break;
    sent.push_back(std::make_unique<Request>(*key, rows));
    Fill(*sent.back(), i, stages);
    const TimePoint now = Clock::now();
    engine_->Submit({.key = *key, .rows = rows, .arrival = now, .deadline = now + kDeadline},
                    sent.back().get());
  }
  std::optional<std::string> first_wrong;
  for (size_t i = 0; i < sent.size(); ++i) {
    const Outcome outcome = sent[i]->Wait();
    if (outcome.code != OutcomeCode::kOk) {
      status.Update(
          absl::InternalError(absl::StrCat("a request of ", rows, " rows failed with outcome ",
                                           static_cast<int>(outcome.code), ": ", outcome.message)));
    } else if (!first_wrong) {
      first_wrong = Judge(*sent[i], static_cast<int>(i), stages);
    }
    engine_->Release(sent[i]->key);
  }
  if (!status.ok()) return status;
  return first_wrong;
}

void AnswerCheck::Fill(const Request& request, int first_sample, const std::vector<int>& stages) {
  const int64_t count = known_.samples.rows();
  SlotId slot = request.key.first_slot;
  for (int row = 0; row < request.rows; ++row, slot = engine_->NextSlot(slot)) {
    const int sample = first_sample + row;
    for (int input = 0; input < known_.samples.input_count(); ++input) {
      const std::string_view contents = known_.samples.Rows(input, sample % count, 1);
      std::memcpy(engine_->input(slot, input), contents.data(), contents.size());
    }
    const int stage = stages[static_cast<size_t>(sample) % stages.size()];
    const float difficulty = static_cast<float>(stage) + 0.5f;
    std::memcpy(engine_->input(slot, difficulty_), &difficulty, sizeof(difficulty));
  }
}

std::optional<std::string> AnswerCheck::Judge(const Request& request, int first_sample,
                                              const std::vector<int>& stages) const {
  const CascadeSpec& cascade = engine_->cascade();
  std::vector<std::string_view> outputs(cascade.outputs.size());
  SlotId slot = request.key.first_slot;
  for (int row = 0; row < request.rows; ++row, slot = engine_->NextSlot(slot)) {
    const int left_at = engine_->answer(slot).stage;
    for (size_t i = 0; i < outputs.size(); ++i) {
      const std::byte* bytes =
          engine_->output(slot, left_at, cascade.stages[static_cast<size_t>(left_at)].answer[i]);
      outputs[i] = {reinterpret_cast<const char*>(bytes), cascade.outputs[i].row_bytes()};
    }
    const int sample = first_sample + row;
    const int stage = stages[static_cast<size_t>(sample) % stages.size()];
    const int64_t known_sample = sample % known_.right.samples();
    const RightAnswers::Verdict verdict =
        known_.right.Judge(known_sample, first_stage_ + stage + 1, outputs);
    if (verdict.known && !verdict.wrong) continue;
    return absl::StrCat("sample ", known_sample, ", stage ", cascade.stages[stage].name,
                        left_at == stage ? "" : " (it left at another)", ", in a request of ",
                        request.rows, request.rows == 1 ? " row: " : " rows: ",
                        verdict.wrong.value_or("no right answer is known"));
  }
  return std::nullopt;
}

}  // namespace escan
