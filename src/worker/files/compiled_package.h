#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "arrays/zip_archive.h"
#include "ipc/unique_fd.h"

namespace escan {

// One model of a package: a shared library for one kind of device, and what belongs to it.
struct CompiledModel {
  std::string folder;  // of its records, with a slash at the end
  std::string library;
  std::string device;                   // "cpu", "cuda"
  std::vector<std::string> cpu_needs;   // names of instruction sets, "avx512"
  std::optional<int> gpu_architecture;  // 90: of compute capability 9.0; none: not said
};

// A model's records as files, in a folder of their own that goes when this does. A process that
// ends without that leaves the folder to the next one that unpacks: it removes those that nobody
// holds.
class UnpackedModel {
 public:
  UnpackedModel(UnpackedModel&& other) noexcept;
  UnpackedModel& operator=(UnpackedModel&&) = delete;
  ~UnpackedModel();

  const std::filesystem::path& folder() const { return folder_; }
  const std::filesystem::path& library() const { return library_; }

 private:
  friend class CompiledPackage;
  UnpackedModel() = default;

  std::filesystem::path folder_;
  std::filesystem::path library_;
  UniqueFd lock_;
};

// What AOTInductor packs: a zip archive with models, and maybe the TorchScript that they were made
// of, as extra/reference.pt. No error names the file.
class CompiledPackage {
 public:
  // `content` outlives the result. InvalidArgument says what is missing.
  static absl::StatusOr<CompiledPackage> Open(std::string_view content);

  // The model for a device, "cpu" or "cuda". InvalidArgument says which ones there are instead, or
  // what the model needs that this processor has not.
  absl::StatusOr<CompiledModel> ModelFor(std::string_view device) const;

  bool HasModelFor(std::string_view device) const;

  // The content of the reference; nullopt when the package has none.
  std::optional<std::string> Reference() const;

  // Writes the model's records to a new folder in the system's folder for temporary files.
  absl::StatusOr<UnpackedModel> Unpack(const CompiledModel& model) const;

 private:
  explicit CompiledPackage(ZipArchive archive) : archive_(std::move(archive)) {}

  absl::StatusOr<CompiledModel> ReadModel(const ZipArchive::Record& library) const;

  ZipArchive archive_;
  std::vector<CompiledModel> models_;
};

}  // namespace escan
