#include "stage_worker/zip_writer.h"

#include <zlib.h>

#include <cstdint>

namespace escan {
namespace {

constexpr uint32_t kElsewhere = 0xffffffff;

template <typename Number>
void Put(std::string* out, Number number) {
  out->append(reinterpret_cast<const char*>(&number), sizeof(number));
}

std::string Deflate(const std::string& content) {
  std::string deflated(content.size() + 100, '\0');
  z_stream stream{};
  ::deflateInit2(&stream, Z_BEST_COMPRESSION, Z_DEFLATED, -15, 8, Z_DEFAULT_STRATEGY);
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(content.data()));
  stream.avail_in = static_cast<uInt>(content.size());
  stream.next_out = reinterpret_cast<Bytef*>(deflated.data());
  stream.avail_out = static_cast<uInt>(deflated.size());
  ::deflate(&stream, Z_FINISH);
  deflated.resize(stream.total_out);
  ::deflateEnd(&stream);
  return deflated;
}

// Of one record: what its header and the directory's entry have in common, up to the lengths.
std::string Facts(const ZipRecord& record, uint32_t stored, bool large) {
  std::string facts;
  Put<uint16_t>(&facts, 20);  // version
  Put<uint16_t>(&facts, 0);   // flags
  Put<uint16_t>(&facts, record.deflated ? 8 : 0);
  Put<uint32_t>(&facts, 0);  // time and date
  Put(&facts,
      static_cast<uint32_t>(::crc32(0, reinterpret_cast<const Bytef*>(record.content.data()),
                                    static_cast<uInt>(record.content.size()))));
  Put(&facts, large ? kElsewhere : stored);
  Put(&facts, large ? kElsewhere : static_cast<uint32_t>(record.content.size()));
  Put(&facts, static_cast<uint16_t>(record.name.size()));
  return facts;
}

}  // namespace

std::string Zip(const std::vector<ZipRecord>& records, bool large) {
  std::string out;
  std::string directory;
  for (const ZipRecord& record : records) {
    const std::string stored = record.deflated ? Deflate(record.content) : record.content;
    const std::string facts = Facts(record, static_cast<uint32_t>(stored.size()), large);
    const std::string padding("FB\2\0ZZ", 6);  // as torch aligns content
    std::string extra = padding;
    if (large) {
      Put<uint16_t>(&extra, 1);
      Put<uint16_t>(&extra, 24);
      Put<uint64_t>(&extra, record.content.size());
      Put<uint64_t>(&extra, stored.size());
      Put<uint64_t>(&extra, out.size());
    }
    directory += std::string("PK\1\2\0\0", 6) + facts;
    Put(&directory, static_cast<uint16_t>(extra.size()));
    directory.append(10, '\0');  // comment, disk, attributes
    Put(&directory, large ? kElsewhere : static_cast<uint32_t>(out.size()));
    directory += record.name + extra;

    out += "PK\3\4" + facts;
    Put(&out, static_cast<uint16_t>(padding.size()));
    out += record.name + padding + stored;
  }
  const uint64_t offset = out.size();
  out += directory;
  if (large) {
    const uint64_t end = out.size();
    out += "PK\6\6";
    Put<uint64_t>(&out, 44);  // what follows
    out.append(12, '\0');     // versions and disks
    Put<uint64_t>(&out, records.size());
    Put<uint64_t>(&out, records.size());
    Put<uint64_t>(&out, directory.size());
    Put<uint64_t>(&out, offset);
    out += std::string("PK\6\7\0\0\0\0", 8);
    Put<uint64_t>(&out, end);
    Put<uint32_t>(&out, 1);
  }
  out += std::string("PK\5\6\0\0\0\0", 8);
  Put(&out, static_cast<uint16_t>(records.size()));
  Put(&out, static_cast<uint16_t>(records.size()));
  Put(&out, large ? kElsewhere : static_cast<uint32_t>(directory.size()));
  Put(&out, large ? kElsewhere : static_cast<uint32_t>(offset));
  Put<uint16_t>(&out, 0);  // comment
  return out;
}

}  // namespace escan
