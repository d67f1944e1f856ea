#include "config/node_reader.h"

#include <algorithm>
#include <cmath>
#include <sstream>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "config/files.h"
#include "yaml-cpp/eventhandler.h"

namespace escan {
namespace {

int LineOf(const YAML::Mark& mark) { return mark.line + 1; }

// What a message shows of a text from the document.
std::string Shortened(const std::string& text) {
  constexpr size_t kLongest = 80;
  return absl::StrCat(text.substr(0, kLongest), text.size() > kLongest ? "..." : "");
}

std::string SizeRange(size_t min_size, size_t max_size) {
  return min_size == max_size ? absl::StrCat(min_size) : absl::StrCat(min_size, " to ", max_size);
}

// Notes the lines in which documents begin.
class DocumentLines : public YAML::EventHandler {
 public:
  const std::vector<int>& lines() const { return lines_; }

  void OnDocumentStart(const YAML::Mark& mark) override { lines_.push_back(LineOf(mark)); }
  void OnDocumentEnd() override {}
  void OnNull(const YAML::Mark&, YAML::anchor_t) override {}
  void OnAlias(const YAML::Mark&, YAML::anchor_t) override {}
  void OnScalar(const YAML::Mark&, const std::string&, YAML::anchor_t,
                const std::string&) override {}
  void OnSequenceStart(const YAML::Mark&, const std::string&, YAML::anchor_t,
                       YAML::EmitterStyle::value) override {}
  void OnSequenceEnd() override {}
  void OnMapStart(const YAML::Mark&, const std::string&, YAML::anchor_t,
                  YAML::EmitterStyle::value) override {}
  void OnMapEnd() override {}

 private:
  std::vector<int> lines_;
};

// The lines in which the first two documents begin, as far as there are any. YAML::LoadAll, which
// reads all of them, never returns where one begins with a stray comma or bracket.
std::vector<int> FirstDocuments(const std::string& yaml) {
  std::istringstream stream(yaml);
  YAML::Parser parser(stream);
  DocumentLines documents;
  for (int i = 0; i < 2 && parser; ++i) parser.HandleNextDocument(documents);
  return documents.lines();
}

}  // namespace

NodeReader NodeReader::Parse(const std::string& yaml, Mistakes* mistakes) {
  try {
    const std::vector<int> lines = FirstDocuments(yaml);
    if (lines.size() == 1) {
      const YAML::Node root = YAML::Load(yaml);
      return NodeReader(root, "", LineOf(root.Mark()), mistakes);
    }
    if (lines.empty()) {
      mistakes->Add(1, "", "nothing but comments, expected a map");
    } else {
      mistakes->Add(
          lines[1], "",
          "the YAML document ends before this, expected no more (is it indented wrongly?)");
    }
  } catch (const YAML::Exception& error) {
    mistakes->Add(LineOf(error.mark), "", absl::StrCat("not YAML: ", error.msg));
  }
  return NodeReader(std::nullopt, "", 1, mistakes);
}

NodeReader::NodeReader(std::optional<YAML::Node> node, std::string path, int line,
                       Mistakes* mistakes)
    : node_(std::move(node)), path_(std::move(path)), line_(line), mistakes_(mistakes) {}

bool NodeReader::Is(const std::string& text) const {
  return present() && node_->IsScalar() && node_->Scalar() == text;
}

std::optional<std::string> NodeReader::AsString() const {
  if (!present()) return std::nullopt;
  if (node_->IsScalar()) return node_->Scalar();
  AddMistake(absl::StrCat("expected a string, found ", Found()));
  return std::nullopt;
}

std::optional<bool> NodeReader::AsBool() const {
  if (!present()) return std::nullopt;
  if (IsPlainScalar() && node_->Scalar() == "true") return true;
  if (IsPlainScalar() && node_->Scalar() == "false") return false;
  AddMistake(absl::StrCat("expected true or false, found ", Found()));
  return std::nullopt;
}

std::optional<int64_t> NodeReader::AsInteger(int64_t min, int64_t max) const {
  if (!present()) return std::nullopt;
  int64_t value = 0;
  if (!IsPlainScalar() || !absl::SimpleAtoi(node_->Scalar(), &value)) {
    AddMistake(absl::StrCat("expected an integer in [", min, ", ", max, "], found ", Found()));
    return std::nullopt;
  }
  if (min <= value && value <= max) return value;
  AddMistake(absl::StrCat(value, " is not in [", min, ", ", max, "]"));
  return std::nullopt;
}

std::optional<int> NodeReader::AsInt(int min, int max) const {
  const std::optional<int64_t> value = AsInteger(min, max);
  if (!value.has_value()) return std::nullopt;
  return static_cast<int>(*value);
}

std::optional<double> NodeReader::AsNumber(double min, double max) const {
  if (!present()) return std::nullopt;
  double value = 0;
  if (!IsPlainScalar() || !absl::SimpleAtod(node_->Scalar(), &value) || !std::isfinite(value)) {
    AddMistake(absl::StrCat("expected a finite number, found ", Found()));
    return std::nullopt;
  }
  if (min <= value && value <= max) return value;
  AddMistake(absl::StrCat(Found(), " is not in [", min, ", ", max, "]"));
  return std::nullopt;
}

std::optional<std::filesystem::path> NodeReader::AsPath(const std::filesystem::path& folder) const {
  const std::optional<std::string> name = AsString();
  if (!name.has_value()) return std::nullopt;
  if (!name->empty()) return AbsolutePath(folder, *name);
  AddMistake("is empty, expected a path");
  return std::nullopt;
}

std::vector<NodeReader> NodeReader::AsList(size_t min_size, size_t max_size) const {
  std::vector<NodeReader> elements;
  if (!present()) return elements;
  if (!node_->IsSequence()) {
    AddMistake(absl::StrCat("expected a list, found ", Found()));
    return elements;
  }
  if (node_->size() < min_size || node_->size() > max_size) {
    AddMistake(
        absl::StrCat("has ", node_->size(), " elements, expected ", SizeRange(min_size, max_size)));
    return elements;
  }
  for (const auto& element : *node_) {
    const int line = element.IsNull() ? line_ : LineOf(element.Mark());  // nothing has no place
    elements.push_back(
        NodeReader(element, absl::StrCat(path_, "[", elements.size(), "]"), line, mistakes_));
  }
  return elements;
}

bool NodeReader::IsPlainScalar() const { return node_->IsScalar() && node_->Tag() == "?"; }

std::string NodeReader::Found() const {
  if (node_->IsMap()) return "a map";
  if (node_->IsSequence()) return "a list";
  if (node_->IsNull()) return "nothing";
  if (IsPlainScalar()) return Shortened(node_->Scalar());
  return absl::StrCat("\"", Shortened(node_->Scalar()), "\"");
}

std::optional<std::string> NodeReader::AsWord(const std::vector<std::string>& words) const {
  const std::optional<std::string> text = AsString();
  if (!text.has_value()) return std::nullopt;
  if (std::find(words.begin(), words.end(), *text) != words.end()) return text;
  AddMistake(absl::StrCat(Found(), " is not one of ", absl::StrJoin(words, ", ")));
  return std::nullopt;
}

MapReader::MapReader(const NodeReader& node, const std::vector<std::string>& keys) : node_(node) {
  if (!node.present()) return;
  if (!node.IsMap()) {
    node.AddMistake(absl::StrCat("expected a map, found ", node.Found()));
    return;
  }
  for (const auto& pair : *node.node_) {
    const int line = LineOf(pair.first.Mark());
    if (!pair.first.IsScalar()) {
      node.mistakes_->Add(line, node.path_, "expected a string as key");
      continue;
    }
    const std::string& key = pair.first.Scalar();
    if (std::find(keys.begin(), keys.end(), key) == keys.end()) {
      node.mistakes_->Add(line, PathOf(Shortened(key)),
                          absl::StrCat("unknown key, expected one of ", absl::StrJoin(keys, ", ")));
    } else if (const Entry* first = Find(key); first != nullptr) {
      node.mistakes_->Add(line, PathOf(key),
                          absl::StrCat("given twice, first in line ", first->line));
    } else {
      entries_.push_back({key, line, pair.second});
    }
  }
}

NodeReader MapReader::operator[](const std::string& key) const {
  const Entry* entry = Find(key);
  if (entry == nullptr) return NodeReader(std::nullopt, PathOf(key), node_.line_, node_.mistakes_);
  return NodeReader(entry->value, PathOf(key), entry->line, node_.mistakes_);
}

NodeReader MapReader::Required(const std::string& key) const {
  NodeReader value = (*this)[key];
  if (!value.present() && node_.IsMap()) value.AddMistake("missing");
  return value;
}

const MapReader::Entry* MapReader::Find(const std::string& key) const {
  const auto found = std::find_if(entries_.begin(), entries_.end(),
                                  [&](const Entry& entry) { return entry.key == key; });
  return found == entries_.end() ? nullptr : &*found;
}

std::string MapReader::PathOf(const std::string& key) const {
  return absl::StrCat(node_.path_, node_.path_.empty() ? "" : ".", key);
}

}  // namespace escan
