#include "worker/verification/probes.h"

#include <cstring>
#include <nlohmann/json.hpp>
#include <numeric>
#include <utility>

#include "absl/strings/str_cat.h"
#include "contracts/content_hash.h"
#include "worker/loop/stage_tensors.h"

namespace escan {
namespace {

using Json = nlohmann::json;

std::string Dump(const Json& json) {
  return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

Json TensorsOf(const std::vector<SlabTensor>& tensors) {
  Json json = Json::array();
  for (const SlabTensor& tensor : tensors) {
    json.push_back({std::string(Name(tensor.datatype)), tensor.shape});
  }
  return json;
}

std::vector<SlotId> AllSlots(const Slab& slab) {
  std::vector<SlotId> slots(slab.slots());
  std::iota(slots.begin(), slots.end(), SlotId{0});
  return slots;
}

size_t BytesOf(const std::vector<SlabTensor>& tensors, int rows) {
  size_t bytes = 0;
  for (const SlabTensor& tensor : tensors) bytes += RowBytes(tensor) * static_cast<size_t>(rows);
  return bytes;
}

// A line of JSON, then the outputs.
std::string Encode(const std::string& key, const Reference& reference) {
  return absl::StrCat(Dump({{"key", key},
                            {"zeros_only", reference.zeros_only},
                            {"comparable", reference.comparable},
                            {"remark", reference.remark},
                            {"outputs_hash", ContentHash(reference.outputs)}}),
                      "\n", reference.outputs);
}

// nullopt for what Encode() did not make for this key, or what was damaged since.
std::optional<Reference> Decode(const std::string& content, const std::string& key, size_t bytes) {
  const size_t end = content.find('\n');
  if (end == std::string::npos || content.size() != end + 1 + bytes) return std::nullopt;
  const Json head = Json::parse(content.begin(), content.begin() + static_cast<ptrdiff_t>(end),
                                nullptr, /*allow_exceptions=*/false);
  if (!head.is_object() || head.value("key", Json()) != Json(key)) return std::nullopt;
  const Json zeros_only = head.value("zeros_only", Json());
  const Json comparable = head.value("comparable", Json());
  const Json remark = head.value("remark", Json());
  if (!zeros_only.is_boolean() || !comparable.is_boolean() || !remark.is_string())
    return std::nullopt;
  Reference reference{.outputs = content.substr(end + 1),
                      .zeros_only = zeros_only.get<bool>(),
                      .comparable = comparable.get<bool>(),
                      .remark = remark.get<std::string>()};
  if (head.value("outputs_hash", Json()) != Json(ContentHash(reference.outputs))) {
    return std::nullopt;
  }
  return reference;
}

}  // namespace

absl::StatusOr<Probes> Probes::Copy(const Slab& given, size_t stride) {
  absl::StatusOr<Slab> slab = Slab::Create({.slots = given.slots() + 1, .stride = stride});
  if (!slab.ok()) return slab.status();
  for (SlotId slot = 0; slot < given.slots(); ++slot) {
    std::memcpy(slab->At(slot, 0), given.At(slot, 0), stride);
  }
  return Probes(*std::move(slab), stride);
}

absl::StatusOr<Slab> Probes::Scratch() const {
  return Slab::Create({.slots = slab_.slots(), .stride = stride_});
}

std::vector<SlotId> Probes::Batch(int stage, int rows) const {
  std::vector<SlotId> slots(static_cast<size_t>(rows), zeros());
  if (at(stage).zeros_only) return slots;
  for (size_t row = 0; row < slots.size(); ++row) {
    slots[row] = static_cast<SlotId>(row % slab_.slots());
  }
  return slots;
}

absl::Status Probes::Prepare(const std::vector<WorkerStage>& stages, const CacheFolder& cache,
                             const std::string& libraries, const Compute& compute) {
  for (const WorkerStage& stage : stages) {
    absl::StatusOr<Reference> reference = Find(stage, cache, libraries, compute);
    if (!reference.ok()) return reference.status();
    const auto* rows = reinterpret_cast<const std::byte*>(reference->outputs.data());
    for (const SlabTensor& output : stage.outputs) {
      ScatterRows(slab_, AllSlots(slab_), output, rows);
      rows += RowBytes(output) * slab_.slots();
    }
    references_[static_cast<size_t>(stage.index)] = *std::move(reference);
  }
  return absl::OkStatus();
}

uint64_t Probes::InputsHash(const WorkerStage& stage) const {
  std::string inputs(BytesOf(stage.inputs, rows()), '\0');
  auto* batch = reinterpret_cast<std::byte*>(inputs.data());
  for (const SlabTensor& input : stage.inputs) {
    GatherRows(slab_, AllSlots(slab_), input, batch);
    batch += RowBytes(input) * slab_.slots();
  }
  return ContentHash(inputs);
}

std::string Probes::KeyOf(const WorkerStage& stage, const std::string& libraries) const {
  return Dump({{"model", stage.model_digest},
               {"rows", rows()},
               {"inputs", TensorsOf(stage.inputs)},
               {"inputs_hash", InputsHash(stage)},
               {"outputs", TensorsOf(stage.outputs)},
               {"libraries", libraries}});
}

absl::StatusOr<Reference> Probes::Find(const WorkerStage& stage, const CacheFolder& cache,
                                       const std::string& libraries, const Compute& compute) const {
  const size_t bytes = BytesOf(stage.outputs, rows());
  if (stage.executor == ExecutorKind::kNull) {
    return Reference{.outputs = std::string(bytes, '\0'), .remark = ""};
  }
  if (stage.model_digest.empty()) return compute(stage, *this);  // the model may be any
  const std::string key = KeyOf(stage, libraries);
  const std::string name =
      absl::StrCat("reference-", absl::Hex(ContentHash(key), absl::kZeroPad16));
  const auto kept = [&]() -> std::optional<Reference> {
    const absl::StatusOr<std::string> content = cache.Read(name);
    return content.ok() ? Decode(*content, key, bytes) : std::nullopt;
  };
  if (std::optional<Reference> found = kept()) return *std::move(found);
  // Workers start together: one computes, the others wait for it.
  const UniqueFd reserved = cache.Reserve(name);
  if (std::optional<Reference> found = kept()) return *std::move(found);
  absl::StatusOr<Reference> computed = compute(stage, *this);
  // What cannot be kept is computed at each start.
  if (computed.ok()) cache.Write(name, Encode(key, *computed)).IgnoreError();
  return computed;
}

}  // namespace escan
