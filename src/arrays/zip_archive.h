#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace escan {

// A zip archive in memory, as its directory describes it: checks what the format allows to check.
// Reads what is stored as it is or deflated. See APPNOTE.TXT of PKWARE, 4.3 and 4.5.3. Messages do
// not name a file.
class ZipArchive {
 public:
  // What the directory says of one record. The name lies in the archive's memory.
  struct Record {
    std::string_view name;
    int method = 0;
    bool encrypted = false;
    uint32_t checksum = 0;  // CRC-32 of the content
    uint64_t stored_size = 0;
    uint64_t size = 0;
    uint64_t offset = 0;  // of its header
  };

  static bool LooksLikeOne(std::string_view bytes);

  // Reads the directory of an archive, whose memory outlives the result. InvalidArgument says what
  // is wrong with it.
  static absl::StatusOr<ZipArchive> Open(std::string_view bytes);

  const std::vector<Record>& records() const { return records_; }

  // OK when every record is where the directory says and its content has the checksum and the size
  // that stand there. InvalidArgument names the first that is not so.
  absl::Status Check() const;

  // The content of a record, checked in the same way.
  absl::StatusOr<std::string> Read(const Record& record) const;

 private:
  using Take = std::function<void(std::string_view part)>;

  ZipArchive(std::string_view bytes, uint64_t directory) : bytes_(bytes), directory_(directory) {}

  absl::StatusOr<std::string_view> FindStored(const Record& record) const;
  // Hands over the content, part by part; what was taken before an error is of no use.
  absl::Status Unpack(const Record& record, const Take& take) const;

  std::string_view bytes_;
  uint64_t directory_;  // where it begins and what is listed ends
  std::vector<Record> records_;
};

}  // namespace escan
