#pragma once

#include <zlib.h>

#include <cstdint>
#include <string>
#include <vector>

namespace escan {

struct ZipRecord {
  std::string name;
  std::string content;
  bool deflated = false;
};

template <typename Integer>
std::string LittleEndian(Integer value) {
  return {reinterpret_cast<const char*>(&value), sizeof(value)};
}

inline std::string Deflated(const std::string& content) {
  std::string packed(compressBound(content.size()) + 16, '\0');
  z_stream stream{};
  deflateInit2(&stream, Z_BEST_COMPRESSION, Z_DEFLATED, -MAX_WBITS, 8, Z_DEFAULT_STRATEGY);
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(content.data()));
  stream.avail_in = static_cast<uInt>(content.size());
  stream.next_out = reinterpret_cast<Bytef*>(packed.data());
  stream.avail_out = static_cast<uInt>(packed.size());
  deflate(&stream, Z_FINISH);
  packed.resize(stream.total_out);
  deflateEnd(&stream);
  return packed;
}

// Bytes that Zip() leaves between a name and what follows it.
inline constexpr size_t kZipPadding = 6;

// A zip archive of these records. As NumPy writes them, a record's own header does not tell its
// sizes; as torch does, padding aligns the content. With `large`, sizes and offsets stand in the
// fields of 64 bits, as both write those that 32 bits do not hold.
inline std::string Zip(const std::vector<ZipRecord>& records, bool large = false,
                       const std::string& comment = "") {
  constexpr uint32_t kElsewhere = 0xffffffff;
  const auto number32 = [large](size_t number) {
    return LittleEndian(large ? kElsewhere : static_cast<uint32_t>(number));
  };
  const std::string padding("FB\2\0ZZ", kZipPadding);
  std::string archive, directory;
  for (const ZipRecord& record : records) {
    const std::string stored = record.deflated ? Deflated(record.content) : record.content;
    const auto checksum = static_cast<uint32_t>(
        crc32_z(0, reinterpret_cast<const Bytef*>(record.content.data()), record.content.size()));
    const std::string kind = LittleEndian<uint16_t>(20) /* version */ + std::string(2, '\0') +
                             LittleEndian<uint16_t>(record.deflated ? 8 : 0) +
                             std::string(4, '\0') /* time */ + LittleEndian(checksum);
    const std::string name_size = LittleEndian(static_cast<uint16_t>(record.name.size()));
    std::string extra = padding;
    if (large) {
      extra += LittleEndian<uint16_t>(1) + LittleEndian<uint16_t>(24) +
               LittleEndian<uint64_t>(record.content.size()) +
               LittleEndian<uint64_t>(stored.size()) + LittleEndian<uint64_t>(archive.size());
    }
    directory += std::string("PK\1\2\0\0", 6) + kind + number32(stored.size()) +
                 number32(record.content.size()) + name_size +
                 LittleEndian(static_cast<uint16_t>(extra.size())) +
                 std::string(10, '\0') /* comment, disk, attributes */ + number32(archive.size()) +
                 record.name + extra;
    archive += "PK\3\4" + kind + LittleEndian(kElsewhere) + LittleEndian(kElsewhere) + name_size +
               LittleEndian(static_cast<uint16_t>(padding.size())) + record.name + padding + stored;
  }
  const uint64_t offset = archive.size();
  archive += directory;
  if (large) {
    const uint64_t end = archive.size();
    archive += "PK\6\6" + LittleEndian<uint64_t>(44) /* bytes that follow */ +
               std::string(12, '\0') /* versions, disks */ +
               LittleEndian<uint64_t>(records.size()) + LittleEndian<uint64_t>(records.size()) +
               LittleEndian<uint64_t>(directory.size()) + LittleEndian(offset) +
               std::string("PK\6\7\0\0\0\0", 8) + LittleEndian(end) + LittleEndian<uint32_t>(1);
  }
  const std::string count = LittleEndian(static_cast<uint16_t>(records.size()));
  return archive + std::string("PK\5\6\0\0\0\0", 8) + count + count + number32(directory.size()) +
         number32(offset) + LittleEndian(static_cast<uint16_t>(comment.size())) + comment;
}

}  // namespace escan
