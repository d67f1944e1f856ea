#pragma once

#include <cstddef>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"

namespace escan {

// What is wrong with one document, each mistake with its place. Reading goes on after a mistake, so
// that an operator sees all of them at once. Plain code, one thread.
class Mistakes {
 public:
  // `source` names the document in messages: the path of its file.
  explicit Mistakes(std::string source) : source_(std::move(source)) {}

  // `line` counts from 1. `path` is the key's place, as "cascades[0].name"; empty: the document.
  // Control characters, which a message may quote, become spaces: a mistake stays one line.
  void Add(int line, const std::string& path, const std::string& message);

  // Appends those of another document that belongs to this one.
  void Append(const Mistakes& other);

  size_t count() const { return own_.size() + appended_.size(); }

  // OK when there are none; else InvalidArgument with one line a mistake, in the order of lines.
  absl::Status ToStatus() const;

 private:
  struct Mistake {
    int line;
    std::string text;
  };
  std::vector<std::string> SortedTexts() const;

  std::string source_;
  std::vector<Mistake> own_;
  std::vector<std::string> appended_;
};

}  // namespace escan
