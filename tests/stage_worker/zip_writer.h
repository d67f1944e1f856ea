#pragma once

#include <string>
#include <vector>

namespace escan {

struct ZipRecord {
  std::string name;
  std::string content;
  bool deflated = false;
};

// A zip archive of these records. With `large`, sizes and offsets stand in the fields of 64 bits,
// as torch writes those that 32 bits do not hold.
std::string Zip(const std::vector<ZipRecord>& records, bool large = false);

}  // namespace escan
