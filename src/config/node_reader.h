#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <initializer_list>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "config/mistakes.h"
#include "yaml-cpp/yaml.h"

namespace escan {

// The value at one place of a YAML document, or the fact that the place is empty. It knows where it
// is, so that whatever is found wrong with it is noted with file, line and path.
//
// The As...() methods answer nullopt (or nothing) where the value is absent, and also after noting
// that it is not what was asked for: with .value_or(default) reading goes on either way.
class NodeReader {
 public:
  // The root of `yaml`. Absent, and noted, when it is not exactly one YAML document. `mistakes`
  // outlives every reader of the document.
  static NodeReader Parse(const std::string& yaml, Mistakes* mistakes);

  // As what yaml-cpp's nodes assign through to the document, readers are copied but not assigned.
  NodeReader(const NodeReader&) = default;
  NodeReader& operator=(const NodeReader&) = delete;

  bool present() const { return node_.has_value(); }
  bool IsNull() const { return present() && node_->IsNull(); }
  bool IsMap() const { return present() && node_->IsMap(); }
  bool Is(const std::string& text) const;  // a string with this text

  void AddMistake(const std::string& message) const { mistakes_->Add(line_, path_, message); }
  Mistakes* mistakes() const { return mistakes_; }

  std::optional<std::string> AsString() const;
  std::optional<bool> AsBool() const;
  std::optional<int64_t> AsInteger(int64_t min, int64_t max) const;
  std::optional<int> AsInt(int min, int max) const;
  std::optional<double> AsNumber(double min, double max) const;

  // The path of a file or a folder, which need not exist, relative to `folder`; absolute.
  std::optional<std::filesystem::path> AsPath(const std::filesystem::path& folder) const;

  // A list of `min_size` to `max_size` elements; none after a mistake.
  std::vector<NodeReader> AsList(size_t min_size, size_t max_size) const;

  // A string that `parse` understands; its error's message is the mistake.
  template <typename T>
  std::optional<T> AsParsed(absl::StatusOr<T> (*parse)(const std::string&)) const;

  // One of several words, as what it stands for.
  template <typename T>
  std::optional<T> AsOneOf(std::initializer_list<std::pair<std::string, T>> choices) const;

 private:
  friend class MapReader;
  NodeReader(std::optional<YAML::Node> node, std::string path, int line, Mistakes* mistakes);

  bool IsPlainScalar() const;
  std::string Found() const;
  std::optional<std::string> AsWord(const std::vector<std::string>& words) const;

  std::optional<YAML::Node> node_;
  std::string path_;
  int line_;
  Mistakes* mistakes_;
};

// A choice for AsOneOf by its Name().
template <typename Enum>
std::pair<std::string, Enum> Named(Enum value) {
  return {std::string(Name(value)), value};
}

// A map with fixed keys. The constructor notes what is not a map, and keys that are unknown or
// given twice; where it is not a map every key is absent.
class MapReader {
 public:
  MapReader(const NodeReader& node, const std::vector<std::string>& keys);

  // The value of a key, absent where it is not given.
  NodeReader operator[](const std::string& key) const;

  // The same, but notes that the key is missing.
  NodeReader Required(const std::string& key) const;

  const NodeReader& node() const { return node_; }

 private:
  struct Entry {
    std::string key;
    int line;
    YAML::Node value;
  };
  const Entry* Find(const std::string& key) const;
  std::string PathOf(const std::string& key) const;

  NodeReader node_;
  std::vector<Entry> entries_;
};

template <typename T>
std::optional<T> NodeReader::AsParsed(absl::StatusOr<T> (*parse)(const std::string&)) const {
  const std::optional<std::string> text = AsString();
  if (!text.has_value()) return std::nullopt;
  absl::StatusOr<T> value = parse(*text);
  if (value.ok()) return *std::move(value);
  AddMistake(std::string(value.status().message()));
  return std::nullopt;
}

template <typename T>
std::optional<T> NodeReader::AsOneOf(
    std::initializer_list<std::pair<std::string, T>> choices) const {
  std::vector<std::string> words;
  for (const auto& [word, value] : choices) words.push_back(word);
  const std::optional<std::string> found = AsWord(words);
  for (const auto& [word, value] : choices) {
    if (found == word) return value;
  }
  return std::nullopt;
}

}  // namespace escan
