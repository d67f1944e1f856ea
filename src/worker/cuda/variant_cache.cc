#include "worker/cuda/variant_cache.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <utility>

#include "absl/strings/str_cat.h"
#include "contracts/content_hash.h"

namespace escan {
namespace {

using Json = nlohmann::json;

Json ToJson(const GpuChoiceKey& key) {
  return {{"model_hash", key.model_hash},
          {"model_bytes", key.model_bytes},
          {"inputs", key.inputs},
          {"precision", Name(key.options.precision)},
          {"layout", Name(key.options.layout)},
          {"execution", Name(key.options.execution)},
          {"fp32_fallback", key.options.fp32_fallback},
          {"buckets", key.buckets},
          {"device", key.device},
          {"libraries", key.libraries},
          {"multiprocessors", key.multiprocessors},
          {"probes", key.probes}};
}

std::string Dump(const Json& json) {
  return json.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

Json ToJson(const GpuChoice& choice) {
  return {{"variant", Name(choice.variant)},
          {"benchmarked", choice.benchmarked},
          {"graph", choice.graph},
          {"eager_reason", choice.eager_reason},
          {"cublaslt", choice.blas.cublaslt},
          {"blas_multiprocessors", choice.blas.multiprocessors},
          {"cudnn", choice.cudnn},
          {"fp32", choice.fp32},
          {"verdict", choice.verdict},
          {"wrong", choice.wrong}};
}

// InvalidArgument for what ToJson() did not make.
absl::StatusOr<GpuChoice> ChoiceOf(const Json& json) {
  GpuChoice choice;
  try {
    const std::optional<GpuVariant> variant =
        ParseGpuVariant(json.at("variant").get<std::string>());
    if (!variant) return absl::InvalidArgumentError("'variant' is not a known name");
    choice = {.variant = *variant,
              .benchmarked = json.at("benchmarked").get<std::vector<int>>(),
              .graph = json.at("graph").get<bool>(),
              .eager_reason = json.at("eager_reason").get<std::string>(),
              .blas = {.cublaslt = json.at("cublaslt").get<bool>(),
                       .multiprocessors = json.at("blas_multiprocessors").get<int>()},
              .cudnn = json.at("cudnn").get<bool>(),
              .fp32 = json.at("fp32").get<bool>(),
              .verdict = json.at("verdict").get<Verdict>(),
              .wrong = json.at("wrong").get<std::string>()};
  } catch (const Json::exception& error) {
    return absl::InvalidArgumentError(absl::StrCat("is no choice of a variant: ", error.what()));
  }
  if (choice.verdict <= Verdict::kUnknown) return choice;
  return absl::InvalidArgumentError("'verdict' is not a known number");
}

absl::StatusOr<GpuChoice> Parse(const Json& document, const GpuChoiceKey& key) {
  if (!document.is_object()) return absl::InvalidArgumentError("is no JSON object");
  if (document.value("key", Json()) != ToJson(key)) {
    return absl::InvalidArgumentError("'key' is that of another model, device or configuration");
  }
  return ChoiceOf(document.value("choice", Json()));
}

std::string NameOf(const GpuChoiceKey& key) {
  const uint64_t hash = ContentHash(Dump(ToJson(key)));
  return absl::StrCat("gpu-", absl::Hex(hash, absl::kZeroPad16), ".json");
}

}  // namespace

std::filesystem::path VariantCache::FileOf(const GpuChoiceKey& key) const {
  return folder_.FileOf(NameOf(key));
}

absl::StatusOr<GpuChoice> VariantCache::Find(const GpuChoiceKey& key) const {
  const absl::StatusOr<std::string> text = folder_.Read(NameOf(key));
  if (!text.ok()) return text.status();
  absl::StatusOr<GpuChoice> choice =
      Parse(Json::parse(*text, nullptr, /*allow_exceptions=*/false), key);
  if (choice.ok()) return choice;
  return absl::InvalidArgumentError(
      absl::StrCat(FileOf(key).string(), ": ", choice.status().message()));
}

absl::Status VariantCache::Store(const GpuChoiceKey& key, const GpuChoice& choice) const {
  return folder_.Write(NameOf(key), Dump({{"key", ToJson(key)}, {"choice", ToJson(choice)}}));
}

UniqueFd VariantCache::Reserve(const GpuChoiceKey& key) const {
  return folder_.Reserve(NameOf(key));
}

}  // namespace escan
