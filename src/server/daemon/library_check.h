#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "absl/status/statusor.h"

namespace escan {

// The shared libraries that `program` or its libraries need and the dynamic loader does not find,
// by name; `library_path` is the value of LD_LIBRARY_PATH, perhaps empty. Asks the loader itself,
// by running the program in the mode of ldd(1): none of its code is executed. Blocks for some tens
// of milliseconds. Errors are those of ChildProcess::Spawn.
absl::StatusOr<std::vector<std::string>> MissingLibraries(const std::filesystem::path& program,
                                                          const std::string& library_path);

}  // namespace escan
