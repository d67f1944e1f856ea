#pragma once

#include <cstddef>
#include <span>

#include "absl/status/statusor.h"
#include "ipc/slab_layout.h"
#include "ipc/unique_fd.h"

namespace escan {

// The shared memory that holds every sample of one cascade: a sealed memfd, mapped by the daemon
// and by each worker. Nothing of it has a name in a file system, so nothing is left when the
// processes are gone. Thread-safe: the mapping never changes; who may touch which slot is agreed
// elsewhere:
//
//   - A request's owner writes a slot's inputs before it submits the request.
//   - A worker that holds a slot in a batch reads the inputs and earlier outputs, and writes the
//     outputs of that batch's stage.
//   - The owner reads the outputs of the stage that answered, after the request completed.
//
// Sending a frame over the socket and receiving it orders these accesses between the processes: all
// that the sender wrote before is visible to the receiver after.
class Slab {
 public:
  // Makes, sizes, prefaults and seals the memory. Internal or ResourceExhausted with the reason.
  static absl::StatusOr<Slab> Create(const SlabLayout& layout);

  // Maps a slab that another process made. `slots` and `stride` must be those in the slab's header,
  // else FailedPrecondition naming both values.
  static absl::StatusOr<Slab> Map(UniqueFd fd, uint32_t slots, size_t stride);

  Slab(Slab&& other) noexcept;
  Slab& operator=(Slab&& other) noexcept;
  ~Slab();

  // `offset` bytes into the slot; offsets come from SlabLayout.
  std::byte* At(SlotId slot, size_t offset) const;

  int fd() const { return fd_.get(); }
  uint32_t slots() const { return slots_; }
  std::span<std::byte> bytes() const { return {base_, size_}; }  // header included

 private:
  Slab(UniqueFd fd, std::byte* base, size_t size, uint32_t slots, size_t stride);

  UniqueFd fd_;
  std::byte* base_ = nullptr;
  size_t size_ = 0;
  uint32_t slots_ = 0;
  size_t stride_ = 0;
};

}  // namespace escan
