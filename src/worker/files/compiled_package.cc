#include "worker/files/compiled_package.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/file.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <nlohmann/json.hpp>
#include <system_error>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "worker/files/shared_library.h"

namespace escan {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kModels = "data/aotinductor/";
constexpr std::string_view kReference = "extra/reference.pt";
constexpr char kFolderPrefix[] = "escan-model-";
constexpr char kLockName[] = ".lock";

bool IsIn(std::string_view record, std::string_view folder) {
  return record.starts_with(folder) && record.size() > folder.size() && record.back() != '/';
}

absl::Status WriteFile(const fs::path& file, std::string_view content) {
  std::ofstream stream(file, std::ios::binary);
  stream.write(content.data(), static_cast<std::streamsize>(content.size()));
  stream.close();
  if (stream) return absl::OkStatus();
  return absl::InternalError(
      absl::StrCat("cannot write ", file.string(), ": ", std::strerror(errno)));
}

// What a process that was killed left. One that is being filled is locked.
void RemoveOrphans(const fs::path& parent) {
  std::error_code ignored;
  for (const fs::directory_entry& entry : fs::directory_iterator(parent, ignored)) {
    if (!entry.path().filename().string().starts_with(kFolderPrefix)) continue;
    const UniqueFd lock(::open((entry.path() / kLockName).c_str(), O_RDWR | O_CLOEXEC));
    if (lock && ::flock(lock.get(), LOCK_EX | LOCK_NB) == 0) fs::remove_all(entry.path(), ignored);
  }
}

// "AVX512 AVX512_VNNI AMX_TILE", what inductor's vectors are made for, as gcc calls it.
std::vector<std::string> InstructionSets(const std::string& names) {
  std::vector<std::string> sets;
  for (const absl::string_view name : absl::StrSplit(names, ' ', absl::SkipEmpty())) {
    sets.push_back(absl::AsciiStrToLower(name));
  }
  return sets;
}

bool CpuHas(const std::string& instruction_set) {
  if (instruction_set == "avx2") return __builtin_cpu_supports("avx2") != 0;
  if (instruction_set == "avx512") return __builtin_cpu_supports("avx512f") != 0;
  if (instruction_set == "avx512_vnni") return __builtin_cpu_supports("avx512vnni") != 0;
  return true;  // what only chooses between kernels at run time, or is not known here
}

absl::Status CheckCpu(const CompiledModel& model) {
  for (const std::string& needed : model.cpu_needs) {
    if (CpuHas(needed)) continue;
    return absl::InvalidArgumentError(
        absl::StrCat("the package was compiled for processors with ", needed,
                     ", which this one has not: compile it on this kind of machine"));
  }
  return absl::OkStatus();
}

}  // namespace

UnpackedModel::UnpackedModel(UnpackedModel&& other) noexcept
    : folder_(std::exchange(other.folder_, {})),
      library_(std::move(other.library_)),
      lock_(std::move(other.lock_)) {}

UnpackedModel::~UnpackedModel() {
  std::error_code ignored;
  if (!folder_.empty()) fs::remove_all(folder_, ignored);
}

absl::StatusOr<CompiledPackage> CompiledPackage::Open(std::string_view content) {
  absl::StatusOr<ZipArchive> archive = ZipArchive::Open(content);
  if (!archive.ok()) return archive.status();
  CompiledPackage package(*std::move(archive));
  for (const ZipArchive::Record& record : package.archive_.records()) {
    const size_t models = record.name.find(kModels);
    if (models == std::string_view::npos || !record.name.ends_with(".so")) continue;
    absl::StatusOr<CompiledModel> model = package.ReadModel(record);
    if (!model.ok()) return model.status();
    package.models_.push_back(*std::move(model));
  }
  if (!package.models_.empty()) return package;
  return absl::InvalidArgumentError(
      "the package of AOTInductor holds no compiled model (a .so file): was it made with "
      "package_cpp_only?");
}

absl::StatusOr<CompiledModel> CompiledPackage::ReadModel(const ZipArchive::Record& library) const {
  const std::string_view name = library.name;
  CompiledModel model = {.folder = std::string(name.substr(0, name.rfind('/') + 1)),
                         .library = std::string(name)};
  const std::string metadata = std::string(name.substr(0, name.rfind('.'))) + "_metadata.json";
  bool any_gpu = false;
  for (const ZipArchive::Record& record : archive_.records()) {
    if (record.name.starts_with(model.folder) && record.name.ends_with(".blob")) {
      return absl::InvalidArgumentError(
          "the weights lie beside the compiled model (package_constants_in_so=False), expected "
          "them "
          "in it");
    }
    // Kernels for several kinds of GPU.
    any_gpu =
        any_gpu || (record.name.starts_with(model.folder) && record.name.ends_with(".fatbin"));
    if (record.name != metadata) continue;
    const absl::StatusOr<std::string> text = archive_.Read(record);
    if (!text.ok()) return text.status();
    const nlohmann::json json = nlohmann::json::parse(*text, nullptr, /*allow_exceptions=*/false);
    const auto value = [&json](const char* key) {
      const nlohmann::json found = json.is_object() ? json.value(key, nlohmann::json()) : json;
      return found.is_string() ? found.get<std::string>() : std::string();
    };
    model.device = value("AOTI_DEVICE_KEY");
    if (model.device == "cpu") model.cpu_needs = InstructionSets(value("AOTI_CPU_ISA"));
    int architecture = 0;
    if (absl::SimpleAtoi(value("AOTI_COMPUTE_CAPABILITY"), &architecture)) {
      model.gpu_architecture = architecture;
    }
  }
  if (any_gpu) model.gpu_architecture.reset();
  if (!model.device.empty()) return model;
  return absl::InvalidArgumentError(absl::StrCat(
      metadata, " with AOTI_DEVICE_KEY is missing: expected what aoti_compile_and_package writes"));
}

absl::StatusOr<CompiledModel> CompiledPackage::ModelFor(std::string_view device) const {
  const auto found = std::ranges::find(models_, device, &CompiledModel::device);
  if (found == models_.end()) {
    const std::string devices = absl::StrJoin(
        models_, ", ",
        [](std::string* out, const CompiledModel& model) { absl::StrAppend(out, model.device); });
    return absl::InvalidArgumentError(absl::StrCat("the package was compiled for ", devices,
                                                   ", expected a model for ", std::string(device),
                                                   " in it"));
  }
  if (const absl::Status status = CheckCpu(*found); !status.ok()) return status;
  return *found;
}

bool CompiledPackage::HasModelFor(std::string_view device) const {
  return std::ranges::find(models_, device, &CompiledModel::device) != models_.end();
}

std::optional<std::string> CompiledPackage::Reference() const {
  for (const ZipArchive::Record& record : archive_.records()) {
    if (!record.name.ends_with(kReference)) continue;
    absl::StatusOr<std::string> content = archive_.Read(record);
    if (content.ok()) return *std::move(content);
  }
  return std::nullopt;
}

absl::StatusOr<UnpackedModel> CompiledPackage::Unpack(const CompiledModel& model) const {
  const fs::path parent = fs::temp_directory_path();
  RemoveOrphans(parent);
  std::string folder = (parent / absl::StrCat(kFolderPrefix, "XXXXXX")).string();
  if (::mkdtemp(folder.data()) == nullptr) {
    return absl::ErrnoToStatus(errno, absl::StrCat("cannot make a folder in ", parent.string()));
  }
  UnpackedModel unpacked;
  unpacked.folder_ = folder;
  // It has its name once it is locked, so that no one takes the folder for an orphan.
  const fs::path unlocked = unpacked.folder_ / absl::StrCat(kLockName, ".new");
  unpacked.lock_ = UniqueFd(::open(unlocked.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
  std::error_code error;
  if (unpacked.lock_ && ::flock(unpacked.lock_.get(), LOCK_EX) == 0) {
    fs::rename(unlocked, unpacked.folder_ / kLockName, error);
  } else {
    error = std::error_code(errno, std::generic_category());
  }
  if (error)
    return absl::InternalError(absl::StrCat("cannot lock ", folder, ": ", error.message()));
  for (const ZipArchive::Record& record : archive_.records()) {
    const std::string_view name = record.name;
    if (!IsIn(name, model.folder) || name.ends_with(".cpp")) continue;
    const std::string_view base = name.substr(model.folder.size());
    if (base.find('/') != base.npos || base == "..") continue;  // no place outside of the folder
    absl::StatusOr<std::string> content = archive_.Read(record);
    if (!content.ok()) return content.status();
    const fs::path file = unpacked.folder_ / base;
    if (name == model.library) {
      // It names all of libtorch, CUDA included, though a processor's model needs none of that; the
      // part that it needs is in the process, as is what a GPU's model needs.
      const absl::Status status = ReplaceNeeded(&*content, "libtorch.so", "libtorch_cpu.so");
      if (!status.ok()) return status;
      unpacked.library_ = file;
    }
    if (const absl::Status status = WriteFile(file, *content); !status.ok()) return status;
  }
  return unpacked;
}

}  // namespace escan
