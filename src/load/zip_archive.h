#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace escan {

struct ZipMember {
  std::string name;
  std::string content;
};

// True when `content` begins as a ZIP archive does.
bool IsZip(absl::string_view content);

// The members of a ZIP archive, in its order, checked against their checksums: those stored as they
// are and those compressed with deflate. InvalidArgument says what is wrong, and with which member;
// an archive or a member of 4 GiB or more and encrypted members are refused. Messages do not name a
// file.
absl::StatusOr<std::vector<ZipMember>> ReadZip(absl::string_view archive);

}  // namespace escan
