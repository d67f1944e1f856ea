#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"

namespace escan {

// FNV-1a over 64-bit words, the last one padded with zeros: tells contents apart, and is no
// protection against someone who wants two to look the same.
uint64_t ContentHash(std::string_view bytes);

// That of a file. NotFound when it cannot be read.
absl::StatusOr<uint64_t> ContentHashOfFile(const std::filesystem::path& file);

// That of an open file, whose position stays. The error is the system's.
absl::StatusOr<uint64_t> ContentHashOfFile(int fd);

// "fnv1a64:00000000000000ff": a hash as files and messages name it.
std::string HashName(uint64_t hash);

}  // namespace escan
