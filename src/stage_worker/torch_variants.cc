#include "stage_worker/torch_variants.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fstream>

#include "absl/strings/str_cat.h"

namespace escan {
namespace {

using torch::jit::Module;

absl::Status CheckReadable(const std::string& file) {
  errno = 0;
  if (std::ifstream(file, std::ios::binary)) return absl::OkStatus();
  return absl::NotFoundError(absl::StrCat("cannot open the model: ", std::strerror(errno)));
}

absl::StatusOr<Module> LoadModule(const std::string& file) {
  absl::StatusOr<Module> module = CatchTorchErrors([&]() -> absl::StatusOr<Module> {
    Module loaded = torch::jit::load(file, at::kCPU);
    loaded.eval();
    return loaded;
  });
  if (module.ok()) return module;
  return absl::InvalidArgumentError(
      absl::StrCat("not a TorchScript file: ", module.status().message()));
}

}  // namespace

absl::StatusOr<Module> ReadModule(const std::string& file) {
  if (const absl::Status readable = CheckReadable(file); !readable.ok()) return readable;
  absl::StatusOr<Module> loaded = LoadModule(file);
  if (loaded.ok() && !loaded->find_method("forward")) {
    return absl::InvalidArgumentError("the module has no method 'forward'");
  }
  return loaded;
}

absl::StatusOr<Module> FreezeModule(const Module& module) {
  absl::StatusOr<Module> frozen =
      CatchTorchErrors([&]() -> absl::StatusOr<Module> { return torch::jit::freeze(module); });
  if (frozen.ok()) return frozen;
  return absl::InvalidArgumentError(
      absl::StrCat("cannot freeze the module: ", frozen.status().message()));
}

absl::StatusOr<std::vector<ModuleVariant>> ReadModuleVariants(const std::string& file) {
  const absl::StatusOr<Module> loaded = ReadModule(file);
  if (!loaded.ok()) return loaded.status();
  const absl::StatusOr<Module> frozen = FreezeModule(*loaded);
  if (!frozen.ok()) return frozen.status();
  std::vector<ModuleVariant> variants = {{"frozen", *frozen}};

  // Optimises in place, so it gets a frozen module of its own.
  const absl::StatusOr<Module> optimized = CatchTorchErrors([&]() -> absl::StatusOr<Module> {
    Module module = torch::jit::freeze(*loaded);
    return torch::jit::optimize_for_inference(module);
  });
  if (optimized.ok()) variants.push_back({"optimized", *optimized});
  variants.push_back({.name = "plain", .module = *loaded, .last_resort = true});
  return variants;
}

absl::Status CheckArgumentCount(const Module& module, size_t tensors) {
  const auto& arguments = module.get_method("forward").function().getSchema().arguments();
  const auto most = arguments.size() - 1;  // the first is the module
  const auto least = static_cast<size_t>(std::count_if(
      arguments.begin() + 1, arguments.end(),
      [](const c10::Argument& argument) { return !argument.default_value().has_value(); }));
  if (least <= tensors && tensors <= most) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat("forward() takes ", most, " tensors, the stage has ", tensors, " inputs"));
}

}  // namespace escan
