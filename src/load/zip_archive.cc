#include "load/zip_archive.h"

#include <zlib.h>

#include <bit>
#include <cstdint>
#include <cstring>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"

namespace escan {
namespace {

static_assert(std::endian::native == std::endian::little, "ZIP's numbers are little-endian");

// https://pkware.cachefly.net/webdocs/casestudies/APPNOTE.TXT, section 4.3
constexpr absl::string_view kMemberMagic = "PK\x03\x04";
constexpr absl::string_view kEntryMagic = "PK\x01\x02";
constexpr absl::string_view kEndMagic = "PK\x05\x06";
constexpr size_t kMemberHeaderSize = 30;
constexpr size_t kEntrySize = 46;
constexpr size_t kEndSize = 22;
constexpr size_t kLongestComment = 65535;
constexpr uint16_t kEncrypted = 1;
constexpr uint16_t kStored = 0;
constexpr uint16_t kDeflated = 8;
constexpr uint32_t kInZip64 = 0xFFFFFFFF;  // the number stands in an extension
constexpr uint64_t kMostDeflation = 1032;  // bytes from one, https://zlib.net/zlib_tech.html

template <typename Integer>
Integer Read(absl::string_view bytes, size_t offset) {
  Integer value;
  std::memcpy(&value, bytes.data() + offset, sizeof(value));
  return value;
}

bool HasAt(absl::string_view bytes, size_t offset, absl::string_view magic, size_t size) {
  return offset <= bytes.size() && size <= bytes.size() - offset &&
         absl::StartsWith(bytes.substr(offset), magic);
}

// What the archive's directory says of one member.
struct Entry {
  std::string name;
  uint16_t flags = 0;
  uint16_t method = 0;
  uint32_t checksum = 0;
  uint32_t packed_size = 0;
  uint32_t size = 0;
  uint32_t offset = 0;  // of the member's header
};

absl::StatusOr<size_t> FindEnd(absl::string_view archive) {
  if (archive.size() >= kEndSize) {
    const size_t last = archive.size() - kEndSize;
    const size_t first = last > kLongestComment ? last - kLongestComment : 0;
    for (size_t at = last + 1; at-- > first;) {
      if (HasAt(archive, at, kEndMagic, kEndSize)) return at;
    }
  }
  return absl::InvalidArgumentError("is a ZIP archive without its directory: it was cut short");
}

absl::StatusOr<std::vector<Entry>> ReadDirectory(absl::string_view archive) {
  const absl::StatusOr<size_t> end = FindEnd(archive);
  if (!end.ok()) return end.status();
  const auto count = Read<uint16_t>(archive, *end + 10);
  size_t at = Read<uint32_t>(archive, *end + 16);
  if (at == kInZip64) return absl::InvalidArgumentError("is a ZIP archive of 4 GiB or more");
  std::vector<Entry> entries;
  for (int i = 0; i < count; ++i) {
    const absl::Status damaged = absl::InvalidArgumentError(
        absl::StrCat("is a ZIP archive with a damaged directory: entry ", i + 1, " of ", count));
    if (!HasAt(archive, at, kEntryMagic, kEntrySize)) return damaged;
    const absl::string_view entry = archive.substr(at);
    const size_t name_size = Read<uint16_t>(entry, 28);
    if (name_size > entry.size() - kEntrySize) return damaged;
    entries.push_back({.name = std::string(entry.substr(kEntrySize, name_size)),
                       .flags = Read<uint16_t>(entry, 8),
                       .method = Read<uint16_t>(entry, 10),
                       .checksum = Read<uint32_t>(entry, 16),
                       .packed_size = Read<uint32_t>(entry, 20),
                       .size = Read<uint32_t>(entry, 24),
                       .offset = Read<uint32_t>(entry, 42)});
    at += kEntrySize + name_size + Read<uint16_t>(entry, 30) + Read<uint16_t>(entry, 32);
  }
  return entries;
}

absl::StatusOr<std::string> Inflate(absl::string_view packed, size_t size) {
  const absl::Status damaged = absl::InvalidArgumentError("is not what deflate writes");
  if (size > packed.size() * kMostDeflation) return damaged;
  std::string content(size, '\0');
  z_stream stream{};
  if (inflateInit2(&stream, -MAX_WBITS) != Z_OK) return absl::ResourceExhaustedError("zlib");
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(packed.data()));
  stream.avail_in = static_cast<uInt>(packed.size());
  stream.next_out = reinterpret_cast<Bytef*>(content.data());
  stream.avail_out = static_cast<uInt>(content.size());
  const int result = inflate(&stream, Z_FINISH);
  const bool complete = result == Z_STREAM_END && stream.avail_out == 0;
  inflateEnd(&stream);
  if (!complete) return damaged;
  return content;
}

absl::StatusOr<std::string> Unpack(absl::string_view archive, const Entry& entry) {
  if ((entry.flags & kEncrypted) != 0) return absl::InvalidArgumentError("is encrypted");
  if (entry.method != kStored && entry.method != kDeflated) {
    return absl::InvalidArgumentError(
        absl::StrCat("is compressed with method ", entry.method, ", expected 0 or 8 (deflate)"));
  }
  if (entry.size == kInZip64 || entry.packed_size == kInZip64 || entry.offset == kInZip64) {
    return absl::InvalidArgumentError("has 4 GiB or more");
  }
  const absl::Status cut = absl::InvalidArgumentError("lies beyond the end of the archive");
  if (!HasAt(archive, entry.offset, kMemberMagic, kMemberHeaderSize)) return cut;
  const absl::string_view member = archive.substr(entry.offset);
  // The header's sizes may be zero or stand in an extension; the directory has the real ones.
  const size_t begin =
      kMemberHeaderSize + Read<uint16_t>(member, 26) + size_t{Read<uint16_t>(member, 28)};
  if (begin > member.size() || entry.packed_size > member.size() - begin) return cut;
  const absl::string_view packed = member.substr(begin, entry.packed_size);
  if (entry.method == kDeflated) return Inflate(packed, entry.size);
  if (entry.size != entry.packed_size) {
    return absl::InvalidArgumentError(
        absl::StrCat("is stored in ", entry.packed_size, " bytes, expected ", entry.size));
  }
  return std::string(packed);
}

}  // namespace

bool IsZip(absl::string_view content) {
  return absl::StartsWith(content, kMemberMagic) || absl::StartsWith(content, kEndMagic);
}

absl::StatusOr<std::vector<ZipMember>> ReadZip(absl::string_view archive) {
  const absl::StatusOr<std::vector<Entry>> entries = ReadDirectory(archive);
  if (!entries.ok()) return entries.status();
  std::vector<ZipMember> members;
  for (const Entry& entry : *entries) {
    absl::StatusOr<std::string> content = Unpack(archive, entry);
    if (content.ok() && crc32_z(0, reinterpret_cast<const Bytef*>(content->data()),
                                content->size()) != entry.checksum) {
      content = absl::InvalidArgumentError("has another checksum than was written");
    }
    if (!content.ok()) {
      return absl::Status(content.status().code(),
                          absl::StrCat("its member ", entry.name, " ", content.status().message()));
    }
    members.push_back({.name = entry.name, .content = *std::move(content)});
  }
  return members;
}

}  // namespace escan
