#include "config/mistakes.h"

#include <algorithm>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

namespace escan {

void Mistakes::Add(int line, const std::string& path, const std::string& message) {
  std::string text =
      absl::StrCat(source_, ":", line, ": ", path, path.empty() ? "" : ": ", message);
  std::replace_if(text.begin(), text.end(), absl::ascii_iscntrl, ' ');
  own_.push_back({line, std::move(text)});
}

void Mistakes::Append(const Mistakes& other) {
  const std::vector<std::string> texts = other.SortedTexts();
  appended_.insert(appended_.end(), texts.begin(), texts.end());
}

absl::Status Mistakes::ToStatus() const {
  if (count() == 0) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrJoin(SortedTexts(), "\n"));
}

std::vector<std::string> Mistakes::SortedTexts() const {
  std::vector<Mistake> sorted = own_;
  std::stable_sort(sorted.begin(), sorted.end(),
                   [](const Mistake& a, const Mistake& b) { return a.line < b.line; });
  std::vector<std::string> texts;
  texts.reserve(count());
  for (Mistake& mistake : sorted) texts.push_back(std::move(mistake.text));
  texts.insert(texts.end(), appended_.begin(), appended_.end());
  return texts;
}

}  // namespace escan
