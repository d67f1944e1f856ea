#pragma once

#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"

namespace escan {

// What decides where libtorch is looked for.
struct TorchSearch {
  std::string version;  // that the programs were built with: 2.11.0 takes 2.11.0+cu130 too
  std::string option;   // what --torch names; empty when it was not given
  // The value of an environment variable; empty when it is not set. Asked for ESCAN_TORCH,
  // LD_LIBRARY_PATH, PATH, VIRTUAL_ENV, HOME and XDG_CACHE_HOME.
  std::function<std::string(const std::string& name)> variable;
  std::filesystem::path root = "/";  // holds usr/ and opt/
};

// Says which of the libraries of `program` are missing under an LD_LIBRARY_PATH: MissingLibraries
// of library_check.h, which has the contract.
using LibraryCheck = std::function<absl::StatusOr<std::vector<std::string>>(
    const std::filesystem::path& program, const std::string& library_path)>;

// The LD_LIBRARY_PATH with which `program`, a worker, finds all its libraries: that of the
// environment, after the folders of the first torch that serves. Looked at are the folder that
// --torch names, alone; else that of ESCAN_TORCH, alone; else nothing if the program needs nothing
// (as where libtorch lies beside it, or in a build tree); else the usual places: site-packages of
// the virtual environment, of each python3 in PATH, of the system and of the user, the cache of
// scripts/setup.sh, /opt/libtorch. A folder may be a site-packages folder, that of torch itself, or
// a libtorch distribution. A torch serves if its version fits and the loader finds everything with
// it. Reads folders and runs the check once for each torch of the right version; called before
// serving. NotFound, naming everything that was looked at and what was there, when none serves; the
// check's errors.
absl::StatusOr<std::string> LibraryPathWithTorch(const std::filesystem::path& program,
                                                 const TorchSearch& search,
                                                 const LibraryCheck& missing_libraries);

}  // namespace escan
