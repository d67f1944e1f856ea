#include "arrays/zip_archive.h"

#include <zlib.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <limits>
#include <optional>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"

namespace escan {
namespace {

constexpr std::string_view kRecordSignature("PK\3\4", 4);
constexpr std::string_view kEntrySignature("PK\1\2", 4);
constexpr std::string_view kEndSignature("PK\5\6", 4);
constexpr std::string_view kEnd64Signature("PK\6\6", 4);
constexpr std::string_view kLocator64Signature("PK\6\7", 4);

constexpr size_t kRecordHeaderSize = 30;
constexpr size_t kEntrySize = 46;
constexpr size_t kEndSize = 22;
constexpr size_t kEnd64Size = 56;
constexpr size_t kLocator64Size = 20;
constexpr size_t kMostComment = 65535;

constexpr uint16_t kSizes64 = 1;  // the extra field with numbers that 32 bits do not hold
constexpr uint16_t kFull16 = std::numeric_limits<uint16_t>::max();
constexpr uint32_t kFull32 = std::numeric_limits<uint32_t>::max();

constexpr uint16_t kEncrypted = 1;  // the flag
constexpr int kStored = 0;
constexpr int kDeflated = 8;

// A number of the archive, which are little-endian as this processor's.
template <typename Number>
Number At(std::string_view bytes, size_t offset) {
  Number number;
  std::memcpy(&number, bytes.data() + offset, sizeof(number));
  return number;
}

// So many bytes from `offset` on that begin with `signature`, if they are there.
std::optional<std::string_view> Part(std::string_view bytes, uint64_t offset, size_t size,
                                     std::string_view signature) {
  if (offset > bytes.size() || bytes.size() - offset < size) return std::nullopt;
  const std::string_view part = bytes.substr(offset, size);
  if (!part.starts_with(signature)) return std::nullopt;
  return part;
}

std::optional<size_t> FindEnd(std::string_view bytes) {
  const size_t first = bytes.size() - std::min(bytes.size(), kEndSize + kMostComment);
  for (size_t at = bytes.rfind(kEndSignature); at != bytes.npos && at >= first;
       at = bytes.rfind(kEndSignature, at - 1)) {
    const auto end = Part(bytes, at, kEndSize, kEndSignature);
    if (end && At<uint16_t>(*end, 20) <= bytes.size() - at - kEndSize) return at;
    if (at == 0) break;
  }
  return std::nullopt;
}

struct Directory {
  uint64_t entries = 0;
  uint64_t size = 0;
  uint64_t offset = 0;
};

std::optional<Directory> FindDirectory(std::string_view bytes, size_t end_offset) {
  const std::string_view end = bytes.substr(end_offset);
  const Directory directory{At<uint16_t>(end, 10), At<uint32_t>(end, 12), At<uint32_t>(end, 16)};
  if (directory.entries != kFull16 && directory.size != kFull32 && directory.offset != kFull32) {
    return directory;
  }
  if (end_offset < kLocator64Size) return std::nullopt;
  const auto locator =
      Part(bytes, end_offset - kLocator64Size, kLocator64Size, kLocator64Signature);
  if (!locator) return std::nullopt;
  const auto end64 = Part(bytes, At<uint64_t>(*locator, 8), kEnd64Size, kEnd64Signature);
  if (!end64) return std::nullopt;
  return Directory{At<uint64_t>(*end64, 32), At<uint64_t>(*end64, 40), At<uint64_t>(*end64, 48)};
}

// Puts the numbers that do not fit into the entry in their places; false when one is missing.
bool ReadSizes64(std::string_view extra, ZipArchive::Record* record) {
  std::vector<uint64_t*> missing;
  for (uint64_t* number : {&record->size, &record->stored_size, &record->offset}) {
    if (*number == kFull32) missing.push_back(number);
  }
  while (!missing.empty() && extra.size() >= 4) {
    const auto size = std::min<size_t>(At<uint16_t>(extra, 2), extra.size() - 4);
    if (At<uint16_t>(extra, 0) != kSizes64) {
      extra.remove_prefix(4 + size);
      continue;
    }
    if (size < missing.size() * sizeof(uint64_t)) return false;
    for (size_t i = 0; i < missing.size(); ++i) {
      *missing[i] = At<uint64_t>(extra, 4 + i * sizeof(uint64_t));
    }
    return true;
  }
  return missing.empty();
}

// Takes the next entry off the directory's bytes; nullopt when they are not one.
std::optional<ZipArchive::Record> TakeEntry(std::string_view* directory) {
  const auto entry = Part(*directory, 0, kEntrySize, kEntrySignature);
  if (!entry) return std::nullopt;
  const size_t name = At<uint16_t>(*entry, 28);
  const size_t extra = At<uint16_t>(*entry, 30);
  const size_t comment = At<uint16_t>(*entry, 32);
  if (directory->size() < kEntrySize + name + extra + comment) return std::nullopt;
  ZipArchive::Record record{.name = directory->substr(kEntrySize, name),
                            .method = At<uint16_t>(*entry, 10),
                            .encrypted = (At<uint16_t>(*entry, 8) & kEncrypted) != 0,
                            .checksum = At<uint32_t>(*entry, 16),
                            .stored_size = At<uint32_t>(*entry, 20),
                            .size = At<uint32_t>(*entry, 24),
                            .offset = At<uint32_t>(*entry, 42)};
  if (!ReadSizes64(directory->substr(kEntrySize + name, extra), &record)) return std::nullopt;
  directory->remove_prefix(kEntrySize + name + extra + comment);
  return record;
}

absl::Status DamagedDirectory() {
  return absl::InvalidArgumentError("the directory of this zip archive is damaged");
}

absl::Status Damaged(const ZipArchive::Record& record, const std::string& why) {
  return absl::InvalidArgumentError(
      absl::StrCat("record '", std::string(record.name), "' is damaged: ", why));
}

// Takes the content of a record part by part, and compares its end with what is expected.
class ContentCheck {
 public:
  ContentCheck(const ZipArchive::Record& record, const std::function<void(std::string_view)>& take)
      : record_(record), take_(take) {}

  // False: there is more than the record is to have, which is not handed on.
  bool Add(std::string_view part) {
    size_ += part.size();
    if (size_ > record_.size) return false;
    checksum_ = static_cast<uint32_t>(
        ::crc32_z(checksum_, reinterpret_cast<const Bytef*>(part.data()), part.size()));
    take_(part);
    return true;
  }

  absl::Status Finish() const {
    if (size_ > record_.size) {
      return Damaged(record_,
                     absl::StrCat("its content is larger than its ", record_.size, " bytes"));
    }
    if (size_ < record_.size) {
      return Damaged(record_,
                     absl::StrCat("its size is ", record_.size, ", its content's ", size_));
    }
    if (checksum_ == record_.checksum) return absl::OkStatus();
    return Damaged(record_,
                   absl::StrCat("its checksum is ", absl::Hex(record_.checksum, absl::kZeroPad8),
                                ", its content's ", absl::Hex(checksum_, absl::kZeroPad8)));
  }

 private:
  const ZipArchive::Record& record_;
  const std::function<void(std::string_view)>& take_;
  uint64_t size_ = 0;
  uint32_t checksum_ = 0;
};

// False when it cannot be decompressed. Ends early when `content` has enough.
bool Inflate(std::string_view stored, ContentCheck* content) {
  // A window of 2^15 bytes, without the header of the zlib format.
  constexpr int kRaw = -15;
  z_stream stream{};
  if (::inflateInit2(&stream, kRaw) != Z_OK) return false;
  std::array<Bytef, size_t{1} << 16> block;
  int result = Z_OK;
  bool wanted = true;
  while (result == Z_OK && wanted) {
    if (stream.avail_in == 0) {
      const size_t part = std::min<size_t>(stored.size(), kFull32);
      stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(stored.data()));
      stream.avail_in = static_cast<uInt>(part);
      stored.remove_prefix(part);
    }
    stream.next_out = block.data();
    stream.avail_out = block.size();
    result = ::inflate(&stream, Z_NO_FLUSH);
    wanted = content->Add(
        {reinterpret_cast<const char*>(block.data()), block.size() - stream.avail_out});
  }
  ::inflateEnd(&stream);
  return result == Z_STREAM_END || !wanted;
}

}  // namespace

bool ZipArchive::LooksLikeOne(std::string_view bytes) {
  return bytes.starts_with(kRecordSignature) || bytes.starts_with(kEndSignature);
}

absl::StatusOr<ZipArchive> ZipArchive::Open(std::string_view bytes) {
  const std::optional<size_t> end = FindEnd(bytes);
  if (!end) {
    return absl::InvalidArgumentError(
        "this is a zip archive that was cut short: the directory at its end is missing");
  }
  const std::optional<Directory> directory = FindDirectory(bytes, *end);
  if (!directory || directory->offset > *end || directory->size > *end - directory->offset) {
    return DamagedDirectory();
  }
  ZipArchive archive(bytes, directory->offset);
  std::string_view rest = bytes.substr(directory->offset, directory->size);
  for (uint64_t i = 0; i < directory->entries; ++i) {
    const std::optional<Record> record = TakeEntry(&rest);
    if (!record) return DamagedDirectory();
    archive.records_.push_back(*record);
  }
  if (!rest.empty()) return DamagedDirectory();
  return archive;
}

absl::Status ZipArchive::Check() const {
  for (const Record& record : records_) {
    if (const absl::Status status = Unpack(record, [](std::string_view) {}); !status.ok()) {
      return status;
    }
  }
  return absl::OkStatus();
}

absl::StatusOr<std::string> ZipArchive::Read(const Record& record) const {
  std::string content;
  const absl::Status status =
      Unpack(record, [&content](std::string_view part) { content.append(part); });
  if (!status.ok()) return status;
  return content;
}

absl::StatusOr<std::string_view> ZipArchive::FindStored(const Record& record) const {
  const std::string_view listed = bytes_.substr(0, directory_);
  const auto header = Part(listed, record.offset, kRecordHeaderSize, kRecordSignature);
  const uint64_t name = record.offset + kRecordHeaderSize;
  if (!header || At<uint16_t>(*header, 26) != record.name.size() ||
      !Part(listed, name, record.name.size(), record.name)) {
    return Damaged(record, absl::StrCat("its header is not at byte ", record.offset));
  }
  // The header's sizes may be zero or stand in an extension; the directory has the real ones.
  const uint64_t content = name + record.name.size() + At<uint16_t>(*header, 28);
  if (content > directory_ || record.stored_size > directory_ - content) {
    return Damaged(record, absl::StrCat("there is no room for its ", record.stored_size, " bytes"));
  }
  return bytes_.substr(content, record.stored_size);
}

absl::Status ZipArchive::Unpack(const Record& record, const Take& take) const {
  if (record.encrypted) {
    return absl::InvalidArgumentError(
        absl::StrCat("record '", std::string(record.name), "' is encrypted"));
  }
  const absl::StatusOr<std::string_view> stored = FindStored(record);
  if (!stored.ok()) return stored.status();
  ContentCheck content(record, take);
  if (record.method == kStored) {
    content.Add(*stored);
  } else if (record.method == kDeflated) {
    if (!Inflate(*stored, &content)) return Damaged(record, "it cannot be decompressed");
  } else {
    return Damaged(record, absl::StrCat("its compression method ", record.method, " is unknown"));
  }
  return content.Finish();
}

}  // namespace escan
