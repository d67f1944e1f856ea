#include "worker/files/shared_library.h"

#include <elf.h>

#include <cstdint>
#include <cstring>
#include <optional>

namespace escan {
namespace {

// Reads and writes what ELF(5) describes, within the bounds of the content.
class Library {
 public:
  explicit Library(std::string* content) : content_(*content) {}

  template <typename T>
  std::optional<T> At(uint64_t offset) const {
    T value;
    if (offset > content_.size() || content_.size() - offset < sizeof value) return std::nullopt;
    std::memcpy(&value, content_.data() + offset, sizeof value);
    return value;
  }

  template <typename T>
  void Put(uint64_t offset, const T& value) {
    std::memcpy(content_.data() + offset, &value, sizeof value);
  }

  // A string that ends in a zero; empty where there is none.
  std::string_view TextAt(uint64_t offset) const {
    if (offset >= content_.size()) return "";
    const std::string_view rest = std::string_view(content_).substr(offset);
    const size_t end = rest.find('\0');
    return end == rest.npos ? "" : rest.substr(0, end);
  }

  std::optional<Elf64_Shdr> Section(const Elf64_Ehdr& header, uint64_t index) const {
    return At<Elf64_Shdr>(header.e_shoff + index * sizeof(Elf64_Shdr));
  }

 private:
  std::string& content_;
};

absl::Status NoLibrary() {
  return absl::InvalidArgumentError(
      "the compiled model is no shared library for 64-bit x86 Linux, or is damaged");
}

}  // namespace

absl::Status ReplaceNeeded(std::string* content, std::string_view from, std::string_view to) {
  Library library(content);
  const auto header = library.At<Elf64_Ehdr>(0);
  if (!header || std::memcmp(header->e_ident, ELFMAG, SELFMAG) != 0 ||
      header->e_ident[EI_CLASS] != ELFCLASS64 || header->e_machine != EM_X86_64) {
    return NoLibrary();
  }
  for (uint64_t index = 0; index < header->e_shnum; ++index) {
    const auto section = library.Section(*header, index);
    if (!section) return NoLibrary();
    if (section->sh_type != SHT_DYNAMIC) continue;
    const auto strings = library.Section(*header, section->sh_link);
    if (!strings) return NoLibrary();
    std::optional<uint64_t> place;
    std::optional<uint64_t> replacement;
    for (uint64_t at = 0; at + sizeof(Elf64_Dyn) <= section->sh_size; at += sizeof(Elf64_Dyn)) {
      const auto entry = library.At<Elf64_Dyn>(section->sh_offset + at);
      if (!entry) return NoLibrary();
      if (entry->d_tag != DT_NEEDED) continue;
      const std::string_view name = library.TextAt(strings->sh_offset + entry->d_un.d_val);
      if (name == from) place = section->sh_offset + at;
      if (name == to) replacement = entry->d_un.d_val;
    }
    if (place && replacement) {
      library.Put(*place, Elf64_Dyn{.d_tag = DT_NEEDED, .d_un = {.d_val = *replacement}});
    }
    return absl::OkStatus();
  }
  return NoLibrary();
}

}  // namespace escan
