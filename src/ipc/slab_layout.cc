#include "ipc/slab_layout.h"

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"

namespace escan {
namespace {

// Hands out aligned regions one after the other. Past the limit of a whole slab it only says so:
// sums of sizes below it cannot overflow.
class Regions {
 public:
  size_t Take(const TensorSpec& tensor) {
    const size_t offset = end_;
    size_t bytes = ByteSize(tensor.datatype);
    for (const int64_t dimension : tensor.shape) {
      if (static_cast<uint64_t>(dimension) > kMaxSlabBytes / bytes) {
        too_large_ = true;
        return offset;
      }
      bytes *= static_cast<size_t>(dimension);
    }
    end_ += (bytes + SlabLayout::kAlignment - 1) / SlabLayout::kAlignment * SlabLayout::kAlignment;
    too_large_ = too_large_ || end_ > kMaxSlabBytes;
    return offset;
  }

  size_t end() const { return end_; }
  bool too_large() const { return too_large_; }

 private:
  size_t end_ = 0;
  bool too_large_ = false;
};

}  // namespace

absl::StatusOr<SlabLayout> SlabLayout::For(const CascadeSpec& cascade) {
  if (cascade.slots < 1) {
    return absl::InvalidArgumentError(
        absl::StrCat("cascade ", cascade.name, ": found ", cascade.slots, " slots, expected >= 1"));
  }
  SlabLayout layout;
  layout.slots = static_cast<uint32_t>(cascade.slots);
  Regions regions;
  for (const TensorSpec& input : cascade.inputs) layout.inputs.push_back(regions.Take(input));
  for (const StageSpec& stage : cascade.stages) {
    std::vector<size_t>& outputs = layout.outputs.emplace_back();
    for (const TensorSpec& output : stage.outputs) outputs.push_back(regions.Take(output));
  }
  if (regions.too_large()) {
    return absl::InvalidArgumentError(
        absl::StrCat("cascade ", cascade.name, ": the tensors of one sample do not fit into the ",
                     kMaxSlabBytes, " bytes that all samples may take together"));
  }
  layout.stride = regions.end();
  if (layout.total_bytes() > kMaxSlabBytes) {
    return absl::InvalidArgumentError(absl::StrCat(
        "cascade ", cascade.name, ": ", layout.slots, " slots of ", layout.stride, " bytes take ",
        layout.total_bytes(), " bytes, expected at most ", kMaxSlabBytes, ": at most ",
        (kMaxSlabBytes - kHeaderBytes) / layout.stride, " slots fit"));
  }
  return layout;
}

}  // namespace escan
