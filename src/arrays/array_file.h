#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "escan/tensor.h"

namespace escan {

// A dense array as the protocol's raw contents hold it: row-major, little-endian.
struct Array {
  Datatype datatype = Datatype::kUint8;
  std::vector<int64_t> shape;  // at least one dimension, all positive
  std::string bytes;
};

// Reads an IDX file (the format of MNIST) or a NumPy .npy file, each possibly compressed with gzip;
// the format is recognised by the first bytes. Blocks. Errors name the file and what was found.
absl::StatusOr<Array> ReadArrayFile(const std::filesystem::path& file);

// Parses the content of an IDX or .npy file. Messages do not name a file.
absl::StatusOr<Array> ParseArray(std::string content);

// Reads the arrays of a NumPy .npz file by their names. Blocks. Errors name the file, the array and
// what was found.
absl::StatusOr<std::map<std::string, Array>> ReadArrayArchive(const std::filesystem::path& file);

// One class index a row from an integer array of shape [N] or [N,1].
absl::StatusOr<std::vector<int64_t>> ReadLabels(const std::filesystem::path& file);

}  // namespace escan
