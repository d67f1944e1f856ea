#pragma once

#include <zlib.h>

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace escan {

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

// A ZIP archive of files with their contents. As NumPy writes them, the members' own headers have
// an extension, and their sizes stand in the directory only.
inline std::string Zip(const std::vector<std::pair<std::string, std::string>>& files,
                       bool deflate = false, const std::string& comment = "") {
  std::string archive, directory;
  for (const auto& [name, content] : files) {
    const std::string packed = deflate ? Deflated(content) : content;
    const std::string extension(20, '\x01');
    const auto checksum = static_cast<uint32_t>(
        crc32_z(0, reinterpret_cast<const Bytef*>(content.data()), content.size()));
    const std::string kind = LittleEndian<uint16_t>(20) + LittleEndian<uint16_t>(0) +
                             LittleEndian<uint16_t>(deflate ? 8 : 0) + LittleEndian<uint32_t>(0) +
                             LittleEndian<uint32_t>(checksum);
    const auto name_size = LittleEndian<uint16_t>(static_cast<uint16_t>(name.size()));
    directory += "PK\x01\x02" + LittleEndian<uint16_t>(20) + kind +
                 LittleEndian<uint32_t>(static_cast<uint32_t>(packed.size())) +
                 LittleEndian<uint32_t>(static_cast<uint32_t>(content.size())) + name_size +
                 LittleEndian<uint16_t>(0) + std::string(10, '\0') +
                 LittleEndian<uint32_t>(static_cast<uint32_t>(archive.size())) + name;
    archive += "PK\x03\x04" + kind + LittleEndian<uint64_t>(~uint64_t{0}) + name_size +
               LittleEndian<uint16_t>(static_cast<uint16_t>(extension.size())) + name + extension +
               packed;
  }
  const auto count = LittleEndian<uint16_t>(static_cast<uint16_t>(files.size()));
  return archive + directory + "PK\x05\x06" + std::string(4, '\0') + count + count +
         LittleEndian<uint32_t>(static_cast<uint32_t>(directory.size())) +
         LittleEndian<uint32_t>(static_cast<uint32_t>(archive.size())) +
         LittleEndian<uint16_t>(static_cast<uint16_t>(comment.size())) + comment;
}

}  // namespace escan
