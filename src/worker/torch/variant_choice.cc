#include "worker/torch/variant_choice.h"

#include <ATen/Version.h>
#include <torch/version.h>

#include <fstream>
#include <nlohmann/json.hpp>

#include "absl/strings/str_cat.h"
#include "contracts/content_hash.h"

namespace escan {
namespace {

using Json = nlohmann::json;

std::string Dump(const Json& json) {
  return json.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

std::string ProcessorName() {
  std::ifstream file("/proc/cpuinfo");
  for (std::string line; std::getline(file, line);) {
    if (line.starts_with("model name")) return line.substr(line.find(':') + 1);
  }
  return "";
}

}  // namespace

std::string CpuLibraries() {
  return absl::StrCat("torch ", TORCH_VERSION, ", ", at::get_cpu_capability(), ",",
                      ProcessorName());
}

std::string VariantChoices::KeyOf(const WorkerStage& stage) const {
  Json inputs = Json::array();
  for (const SlabTensor& input : stage.inputs) {
    inputs.push_back({std::string(Name(input.datatype)), input.shape});
  }
  return Dump({{"model", stage.model_digest},
               {"inputs", inputs},
               {"buckets", stage.buckets},
               {"threads", threads_},
               {"libraries", libraries_}});
}

std::string VariantChoices::FileOf(const WorkerStage& stage) const {
  return absl::StrCat("cpu-", HashName(ContentHash(KeyOf(stage))), ".json");
}

std::optional<std::string> VariantChoices::Find(const WorkerStage& stage) const {
  if (stage.model_digest.empty()) return std::nullopt;
  const absl::StatusOr<std::string> text = folder_.Read(FileOf(stage));
  if (!text.ok()) return std::nullopt;
  const Json kept = Json::parse(*text, nullptr, /*allow_exceptions=*/false);
  const bool ours = kept.is_object() && kept.value("key", Json()) == Json(KeyOf(stage)) &&
                    kept.contains("variant") && kept["variant"].is_string();
  return ours ? std::optional(kept["variant"].get<std::string>()) : std::nullopt;
}

absl::Status VariantChoices::Store(const WorkerStage& stage, const std::string& variant) const {
  if (stage.model_digest.empty()) return absl::OkStatus();
  return folder_.Write(FileOf(stage), Dump({{"key", KeyOf(stage)}, {"variant", variant}}));
}

UniqueFd VariantChoices::Reserve(const WorkerStage& stage) const {
  return stage.model_digest.empty() ? UniqueFd() : folder_.Reserve(FileOf(stage));
}

}  // namespace escan
