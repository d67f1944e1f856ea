#include "stage_worker/variant_cache.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>
#include <system_error>
#include <utility>

#include "absl/strings/str_cat.h"
#include "escan/content_hash.h"

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
          {"buckets", key.buckets},
          {"device", key.device},
          {"libraries", key.libraries}};
}

std::string Dump(const Json& json) {
  return json.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

absl::Status FileError(const char* what, const std::filesystem::path& file, int error) {
  return absl::InternalError(
      absl::StrCat("cannot ", what, " ", file.string(), ": ", std::strerror(error)));
}

bool IsListOfIntegers(const Json& json) {
  return json.is_array() && std::all_of(json.begin(), json.end(), [](const Json& element) {
           return element.is_number_integer();
         });
}

absl::StatusOr<GpuChoice> Parse(const Json& document, const GpuChoiceKey& key) {
  if (!document.is_object()) return absl::InvalidArgumentError("is no JSON object");
  if (document.value("key", Json()) != ToJson(key)) {
    return absl::InvalidArgumentError("'key' is that of another model, device or configuration");
  }
  const Json variant = document.value("variant", Json());
  const Json benchmarked = document.value("benchmarked", Json());
  const Json graph = document.value("graph", Json());
  const Json reason = document.value("eager_reason", Json());
  const std::optional<GpuVariant> parsed =
      variant.is_string() ? ParseGpuVariant(variant.get<std::string>()) : std::nullopt;
  if (!parsed || !IsListOfIntegers(benchmarked) || !graph.is_boolean() || !reason.is_string()) {
    return absl::InvalidArgumentError(
        "has no valid 'variant', 'benchmarked', 'graph' and 'eager_reason', expected a known name, "
        "a list of integers, a boolean and a string");
  }
  return GpuChoice{*parsed, benchmarked.get<std::vector<int>>(), graph.get<bool>(),
                   reason.get<std::string>()};
}

}  // namespace

std::filesystem::path VariantCache::FileOf(const GpuChoiceKey& key) const {
  const uint64_t hash = ContentHash(Dump(ToJson(key)));
  return folder_ / absl::StrCat("gpu-", absl::Hex(hash, absl::kZeroPad16), ".json");
}

absl::StatusOr<GpuChoice> VariantCache::Find(const GpuChoiceKey& key) const {
  const std::filesystem::path file = FileOf(key);
  std::ifstream stream(file);
  if (folder_.empty() || !stream) return absl::NotFoundError("nothing was kept");
  std::ostringstream text;
  text << stream.rdbuf();
  absl::StatusOr<GpuChoice> choice =
      Parse(Json::parse(text.str(), nullptr, /*allow_exceptions=*/false), key);
  if (choice.ok()) return choice;
  return absl::InvalidArgumentError(absl::StrCat(file.string(), ": ", choice.status().message()));
}

absl::Status VariantCache::Store(const GpuChoiceKey& key, const GpuChoice& choice) const {
  if (folder_.empty()) return absl::OkStatus();
  std::error_code error;
  std::filesystem::create_directories(folder_, error);
  if (error) return FileError("make", folder_, error.value());
  const std::filesystem::path file = FileOf(key);
  const std::filesystem::path unfinished = absl::StrCat(file.string(), ".", ::getpid());
  std::ofstream stream(unfinished);
  stream << Dump({{"key", ToJson(key)},
                  {"variant", Name(choice.variant)},
                  {"benchmarked", choice.benchmarked},
                  {"graph", choice.graph},
                  {"eager_reason", choice.eager_reason}});
  stream.close();
  absl::Status status = stream ? absl::OkStatus() : FileError("write", unfinished, errno);
  if (status.ok()) std::filesystem::rename(unfinished, file, error);
  if (error) status = FileError("rename to", file, error.value());
  if (!status.ok()) ::unlink(unfinished.c_str());
  return status;
}

UniqueFd VariantCache::Reserve(const GpuChoiceKey& key) const {
  if (folder_.empty()) return UniqueFd();
  std::error_code ignored;  // the lock then cannot be had
  std::filesystem::create_directories(folder_, ignored);
  const std::string file = absl::StrCat(FileOf(key).string(), ".lock");
  UniqueFd lock(::open(file.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
  if (!lock || ::flock(lock.get(), LOCK_EX) != 0) return UniqueFd();
  return lock;
}

}  // namespace escan
