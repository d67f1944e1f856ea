#include "contracts/content_hash.h"

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <string>

#include "absl/strings/str_cat.h"

namespace escan {
namespace {

constexpr uint64_t kFnvBasis = 0xcbf29ce484222325;
constexpr uint64_t kFnvPrime = 0x100000001b3;

// What is read of a file at a time: a multiple of a word.
constexpr size_t kBlock = size_t{1} << 20;

uint64_t Fnv1a(std::string_view bytes, uint64_t hash) {
  for (size_t i = 0; i < bytes.size(); i += sizeof(uint64_t)) {
    uint64_t word = 0;
    std::memcpy(&word, bytes.data() + i, std::min(sizeof(word), bytes.size() - i));
    hash = (hash ^ word) * kFnvPrime;
  }
  return hash;
}

}  // namespace

uint64_t ContentHash(std::string_view bytes) { return Fnv1a(bytes, kFnvBasis); }

absl::StatusOr<uint64_t> ContentHashOfFile(const std::filesystem::path& file) {
  std::ifstream stream(file, std::ios::binary);
  std::string block(kBlock, '\0');
  uint64_t hash = kFnvBasis;
  while (stream) {
    stream.read(block.data(), static_cast<std::streamsize>(block.size()));
    hash = Fnv1a(std::string_view(block).substr(0, static_cast<size_t>(stream.gcount())), hash);
  }
  if (!stream.eof()) return absl::NotFoundError(absl::StrCat("cannot read ", file.string()));
  return hash;
}

absl::StatusOr<uint64_t> ContentHashOfFile(int fd) {
  std::string block(kBlock, '\0');
  uint64_t hash = kFnvBasis;
  size_t filled = 0;
  off_t offset = 0;
  while (true) {
    const ssize_t part = ::pread(fd, block.data() + filled, kBlock - filled, offset);
    if (part < 0 && errno == EINTR) continue;
    if (part < 0) return absl::ErrnoToStatus(errno, "cannot read the file");
    filled += static_cast<size_t>(part);
    offset += part;
    if (part > 0 && filled < kBlock) continue;
    hash = Fnv1a(std::string_view(block).substr(0, filled), hash);
    if (part == 0) return hash;
    filled = 0;
  }
}

std::string HashName(uint64_t hash) {
  return absl::StrCat("fnv1a64:", absl::Hex(hash, absl::kZeroPad16));
}

}  // namespace escan
