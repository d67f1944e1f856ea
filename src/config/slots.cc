#include "config/slots.h"

#include <algorithm>
#include <cstdint>
#include <optional>

#include "absl/strings/str_cat.h"

namespace escan {
namespace {

constexpr size_t kCacheLine = 64;
constexpr size_t kHeaderBytes = 4096;  // a page of the slab describes it
constexpr int64_t kMostSlots = kSlabBytes / kCacheLine;
constexpr int64_t kFewestDefaultSlots = 1024;

size_t LineBytes(const std::vector<TensorSpec>& tensors) {
  size_t bytes = 0;
  for (const TensorSpec& tensor : tensors) {
    bytes += (tensor.row_bytes() + kCacheLine - 1) / kCacheLine * kCacheLine;
  }
  return bytes;
}

// The most rows that workers hold at the same time.
int64_t RowsInFlight(const Plan& plan) {
  int64_t rows = 0;
  for (const WorkerGroup& group : plan.workers) {
    int largest = 0;
    for (const int stage : group.stages) {
      largest = std::max(largest, plan.stages[static_cast<size_t>(stage)].max_batch);
    }
    rows += int64_t{group.count} * group.credits * largest;
  }
  return rows;
}

}  // namespace

size_t SlotBytes(const CascadeSpec& cascade) {
  size_t bytes = LineBytes(cascade.inputs);
  for (const StageSpec& stage : cascade.stages) bytes += LineBytes(stage.outputs);
  return bytes;
}

int ReadSlots(const NodeReader& node, const CascadeSpec& cascade, const Plan& plan) {
  const size_t slot_bytes = SlotBytes(cascade);
  const int64_t fitting = static_cast<int64_t>((kSlabBytes - kHeaderBytes) / slot_bytes);
  if (fitting < cascade.max_rows) {
    node.AddMistake(absl::StrCat("a sample takes ", slot_bytes, " bytes: 1 GiB holds ", fitting,
                                 " of them, fewer than max_rows, ", cascade.max_rows));
    return 0;
  }
  if (!node.present()) {
    const int64_t wanted =
        std::max({4 * RowsInFlight(plan), kFewestDefaultSlots, int64_t{cascade.max_rows}});
    return static_cast<int>(std::min(wanted, fitting));
  }
  const std::optional<int64_t> slots = node.AsInteger(1, kMostSlots);
  if (!slots.has_value()) return 0;
  if (*slots < cascade.max_rows) {
    node.AddMistake(absl::StrCat(*slots, " is less than max_rows, ", cascade.max_rows,
                                 ": the largest request could never be taken"));
  } else if (*slots > fitting) {
    node.AddMistake(absl::StrCat(*slots, " slots of ", slot_bytes,
                                 " bytes take more than 1 GiB, expected at most ", fitting));
  }
  return static_cast<int>(*slots);
}

}  // namespace escan
