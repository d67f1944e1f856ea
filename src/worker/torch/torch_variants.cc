#include "worker/torch/torch_variants.h"

#include <caffe2/serialize/read_adapter_interface.h>

#include <algorithm>
#include <cstring>
#include <memory>
#include <string_view>

#include "absl/strings/str_cat.h"
#include "worker/files/compiled_package.h"
#include "worker/torch/compiled_function.h"
#include "worker/torch/script_function.h"

namespace escan {
namespace {

using torch::jit::Module;

// Gives libtorch what lies in memory, which outlives this.
class MemoryReader : public caffe2::serialize::ReadAdapterInterface {
 public:
  explicit MemoryReader(std::string_view bytes) : bytes_(bytes) {}

  size_t size() const override { return bytes_.size(); }
  size_t read(uint64_t position, void* to, size_t size, const char* /*what*/) const override {
    if (position >= bytes_.size()) return 0;
    const std::string_view part = bytes_.substr(position, size);
    std::memcpy(to, part.data(), part.size());
    return part.size();
  }

 private:
  const std::string_view bytes_;
};

absl::StatusOr<Module> LoadModule(std::string_view bytes) {
  absl::StatusOr<Module> module = CatchTorchErrors([&]() -> absl::StatusOr<Module> {
    Module loaded = torch::jit::load(std::make_shared<MemoryReader>(bytes), at::kCPU);
    loaded.eval();
    return loaded;
  });
  if (module.ok()) return module;
  return absl::InvalidArgumentError(
      absl::StrCat("libtorch cannot load it: ", module.status().message()));
}

}  // namespace

absl::StatusOr<Module> ReadModule(std::string_view content) {
  absl::StatusOr<Module> loaded = LoadModule(content);
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

namespace {

ModelVariant AsVariant(const char* name, const Module& module) {
  return {.name = name, .function = std::make_shared<ScriptFunction>(module)};
}

absl::StatusOr<std::vector<ModelVariant>> ScriptVariants(std::string_view content, size_t tensors,
                                                         std::string_view only) {
  const absl::StatusOr<Module> loaded = ReadModule(content);
  if (!loaded.ok()) return loaded.status();
  const absl::Status status = CheckArgumentCount(*loaded, tensors);
  if (!status.ok()) return status;
  const absl::StatusOr<Module> frozen = FreezeModule(*loaded);
  if (!frozen.ok()) return frozen.status();
  std::vector<ModelVariant> variants = {AsVariant("frozen", *frozen)};
  if (only == variants.front().name) return variants;

  // Optimises in place, so it gets a frozen module of its own.
  const absl::StatusOr<Module> optimized = CatchTorchErrors([&]() -> absl::StatusOr<Module> {
    Module module = torch::jit::freeze(*loaded);
    return torch::jit::optimize_for_inference(module);
  });
  if (optimized.ok()) {
    variants.push_back(AsVariant("optimized", *optimized));
    if (only == variants.back().name) return std::vector{variants.back()};
  }
  variants.push_back(AsVariant("plain", *loaded));
  variants.back().last_resort = true;
  return variants;
}

}  // namespace

absl::StatusOr<std::vector<ModelVariant>> ReadVariants(const ModelFile& file, size_t tensors,
                                                       std::string_view only) {
  if (file.format() == ModelFormat::kTorchScript) {
    return ScriptVariants(file.content(), tensors, only);
  }
  const absl::StatusOr<CompiledPackage> package = CompiledPackage::Open(file.content());
  if (!package.ok()) return package.status();
  const absl::StatusOr<std::shared_ptr<CompiledFunction>> compiled =
      CompiledFunction::Load(*package, "cpu");
  if (!compiled.ok()) return compiled.status();
  const absl::Status status = (*compiled)->CheckArgumentCount(tensors);
  if (!status.ok()) return status;
  return std::vector<ModelVariant>{{.name = "aot_inductor", .function = *compiled}};
}

}  // namespace escan
