#pragma once

#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "arrays/right_answers.h"
#include "engine/engine.h"
#include "escan/cascade.h"
#include "loadgen/sample_set.h"

namespace escan {

// A benchmark cascade's samples and what each of its stages answers to them, as
// scripts/evaluate.py cascades writes them.
struct KnownAnswers {
  // Reads samples.npz and expected.npz of a cascade's folder. Errors name the file.
  static absl::StatusOr<KnownAnswers> FromFolder(const std::filesystem::path& folder,
                                                 const CascadeSpec& cascade);

  loadgen::SampleSet samples;
  RightAnswers right;
};

// Holds what an engine answers against what is known to be right. Used by one thread, while nobody
// else sends; it leaves known samples in the slots.
class AnswerCheck {
 public:
  // `difficulty` is the index of the input that says at which stage a sample leaves. The engine's
  // first stage is number `first_stage`, from 0, of the cascade that is known. Both outlive this.
  AnswerCheck(Engine* engine, const KnownAnswers* known, int difficulty, int first_stage);

  // Sends requests of many sizes alone, for each stage, and then enough at once for all workers.
  // Returns what is wrong with the first wrong answer; nullopt: all are right. A request that fails
  // is an error. Blocks.
  absl::StatusOr<std::optional<std::string>> FindWrong();

 private:
  class Request;

  // Sends requests of `rows` rows at once; sample by sample, each leaves at the next of `stages`.
  absl::StatusOr<std::optional<std::string>> Send(int requests, int rows,
                                                  const std::vector<int>& stages);
  void Fill(const Request& request, int first_sample, const std::vector<int>& stages);
  std::optional<std::string> Judge(const Request& request, int first_sample,
                                   const std::vector<int>& stages) const;

  Engine* const engine_;
  const KnownAnswers& known_;
  const int difficulty_;
  const int first_stage_;
};

}  // namespace escan
