#include "server/daemon/torch_locator.h"

#include <glob.h>

#include <algorithm>
#include <fstream>
#include <optional>
#include <string_view>
#include <system_error>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"

namespace escan {
namespace {

using Path = std::filesystem::path;

constexpr char kPackages[] = "{lib,lib64}/python3*/{site,dist}-packages";

struct Torch {
  std::string version;
  std::vector<Path> libraries;  // folders of its libraries and of those that came with it
};

bool Exists(const Path& path) {
  std::error_code error;
  return std::filesystem::exists(path, error);
}

std::vector<Path> Glob(const Path& pattern) {
  glob_t found{};
  std::vector<Path> paths;
  if (::glob(pattern.c_str(), GLOB_BRACE, nullptr, &found) == 0) {
    paths.assign(found.gl_pathv, found.gl_pathv + found.gl_pathc);
  }
  ::globfree(&found);
  return paths;
}

// version.py of a wheel has a line __version__ = '2.11.0+cu130'; build-version of a libtorch
// distribution has nothing but the version.
std::string VersionOf(const Path& torch) {
  constexpr std::string_view kAssignment = "__version__ = '";
  std::string line;
  std::ifstream module(torch / "version.py");
  while (std::getline(module, line)) {
    if (line.compare(0, kAssignment.size(), kAssignment) == 0) {
      return line.substr(kAssignment.size(), line.rfind('\'') - kAssignment.size());
    }
  }
  if (std::getline(std::ifstream(torch / "build-version"), line)) return line;
  return "of unknown version";
}

std::optional<Torch> TorchIn(const Path& folder) {
  for (const Path& torch : {folder / "torch", folder}) {
    if (!Exists(torch / "lib" / "libtorch_cpu.so")) continue;
    Torch found{.version = VersionOf(torch), .libraries = {torch / "lib"}};
    for (Path& path : Glob(torch.parent_path() / "nvidia" / "*" / "lib")) {
      found.libraries.push_back(std::move(path));
    }
    return found;
  }
  return std::nullopt;
}

bool Fits(const std::string& version, const std::string& expected) {
  return version == expected || version.compare(0, expected.size() + 1, expected + "+") == 0;
}

// Folders in which python3 has been installed, or a virtual environment of it.
std::vector<Path> PythonPrefixes(const TorchSearch& search) {
  std::vector<Path> prefixes;
  if (const std::string environment = search.variable("VIRTUAL_ENV"); !environment.empty()) {
    prefixes.emplace_back(environment);
  }
  const std::string path = search.variable("PATH");
  for (const std::string& folder : std::vector<std::string>(absl::StrSplit(path, ':'))) {
    const Path python = Path(folder) / "python3";
    if (folder.empty() || !Exists(python)) continue;
    prefixes.push_back(python.parent_path().parent_path());
    std::error_code error;
    const Path target = std::filesystem::canonical(python, error);
    if (!error) prefixes.push_back(target.parent_path().parent_path());
  }
  prefixes.push_back(search.root / "usr/local");
  prefixes.push_back(search.root / "usr");
  if (const std::string home = search.variable("HOME"); !home.empty()) {
    prefixes.push_back(Path(home) / ".local");
  }
  return prefixes;
}

// Patterns of folders, each once, in the order in which they are looked at.
std::vector<Path> UsualPlaces(const TorchSearch& search) {
  std::vector<Path> places;
  for (const Path& prefix : PythonPrefixes(search)) places.push_back(prefix / kPackages);
  Path cache = search.variable("XDG_CACHE_HOME");
  if (const std::string home = search.variable("HOME"); cache.empty() && !home.empty()) {
    cache = Path(home) / ".cache";
  }
  if (!cache.empty()) places.push_back(cache / "escan" / "torch-*");
  places.push_back(search.root / "opt/libtorch");

  std::vector<Path> once;
  for (const Path& place : places) {
    const Path normal = place.lexically_normal();
    if (std::find(once.begin(), once.end(), normal) == once.end()) once.push_back(normal);
  }
  return once;
}

// Looks for the torch of one program and remembers what it saw.
class Locator {
 public:
  Locator(const Path& program, const TorchSearch& search, const LibraryCheck& missing_libraries)
      : program_(program),
        search_(search),
        missing_libraries_(missing_libraries),
        given_(search.variable("LD_LIBRARY_PATH")) {}

  absl::StatusOr<std::string> Locate() {
    const std::string variable = search_.variable("ESCAN_TORCH");
    if (!search_.option.empty())
      return LocateIn({std::filesystem::absolute(search_.option)}, "--torch");
    if (!variable.empty()) return LocateIn({std::filesystem::absolute(variable)}, "ESCAN_TORCH");
    const absl::StatusOr<std::vector<std::string>> missing = missing_libraries_(program_, given_);
    if (!missing.ok()) return missing.status();
    if (missing->empty()) return given_;
    return LocateIn(UsualPlaces(search_), "the usual places");
  }

 private:
  absl::StatusOr<std::string> LocateIn(const std::vector<Path>& places, const char* origin) {
    for (const Path& place : places) {
      const std::vector<Path> folders = Exists(place) ? std::vector<Path>{place} : Glob(place);
      if (folders.empty()) seen_.push_back(absl::StrCat(place.string(), " (no such folder)"));
      for (const Path& folder : folders) {
        absl::StatusOr<std::optional<std::string>> library_path = Try(folder);
        if (!library_path.ok()) return library_path.status();
        if (library_path->has_value()) return **std::move(library_path);
      }
    }
    return absl::NotFoundError(absl::StrCat(
        program_.string(), " needs libtorch ", search_.version, ", which is not in ", origin, ": ",
        absl::StrJoin(seen_, ", "), ". Install it (pip install torch==", search_.version,
        ") or name the folder that has it by --torch or ESCAN_TORCH"));
  }

  // The LD_LIBRARY_PATH with the torch in `folder`; nullopt, and a note, when it does not serve.
  absl::StatusOr<std::optional<std::string>> Try(const Path& folder) {
    const std::optional<Torch> torch = TorchIn(folder);
    if (!torch.has_value()) return DoesNotServe(folder, "no torch");
    if (!Fits(torch->version, search_.version)) {
      return DoesNotServe(folder, absl::StrCat("torch ", torch->version));
    }
    std::vector<std::string> folders;
    for (const Path& path : torch->libraries) folders.push_back(path.string());
    if (!given_.empty()) folders.push_back(given_);
    const std::string library_path = absl::StrJoin(folders, ":");
    const absl::StatusOr<std::vector<std::string>> missing =
        missing_libraries_(program_, library_path);
    if (!missing.ok()) return missing.status();
    if (missing->empty()) return std::optional<std::string>(library_path);
    return DoesNotServe(
        folder, absl::StrCat("torch ", torch->version, " without ", absl::StrJoin(*missing, " ")));
  }

  std::optional<std::string> DoesNotServe(const Path& folder, const std::string& reason) {
    seen_.push_back(absl::StrCat(folder.string(), " (", reason, ")"));
    return std::nullopt;
  }

  const Path& program_;
  const TorchSearch& search_;
  const LibraryCheck& missing_libraries_;
  const std::string given_;
  std::vector<std::string> seen_;
};

}  // namespace

absl::StatusOr<std::string> LibraryPathWithTorch(const std::filesystem::path& program,
                                                 const TorchSearch& search,
                                                 const LibraryCheck& missing_libraries) {
  return Locator(program, search, missing_libraries).Locate();
}

}  // namespace escan
