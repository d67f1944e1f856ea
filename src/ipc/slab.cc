#include "ipc/slab.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include <cassert>
#include <cerrno>
#include <cstdint>
#include <cstring>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"

namespace escan {
namespace {

constexpr uint64_t kSlabMagic = 0x42414c534e414353;  // "SCANSLAB"
constexpr uint32_t kSlabVersion = 1;

// Lies at the start of the slab, written once by its maker.
struct SlabHeader {
  uint64_t magic = kSlabMagic;
  uint32_t version = kSlabVersion;
  uint32_t slots = 0;
  uint64_t stride = 0;
};
static_assert(sizeof(SlabHeader) <= SlabLayout::kHeaderBytes);

absl::Status SlabError(const char* what, size_t bytes) {
  const int error = errno;
  const std::string message =
      absl::StrCat("slab of ", bytes, " bytes: ", what, ": ", std::strerror(error));
  if (error == ENOMEM || error == ENOSPC || error == EMFILE || error == ENFILE) {
    return absl::ResourceExhaustedError(message);
  }
  return absl::InternalError(message);
}

// Growing a file past RLIMIT_FSIZE raises SIGXFSZ, which ends the process: look first.
absl::Status CheckFileSizeLimit(size_t bytes) {
  rlimit limit{};
  if (::getrlimit(RLIMIT_FSIZE, &limit) != 0 || limit.rlim_cur == RLIM_INFINITY ||
      limit.rlim_cur >= bytes) {
    return absl::OkStatus();
  }
  return absl::ResourceExhaustedError(absl::StrCat("slab of ", bytes,
                                                   " bytes: the file size limit of this process "
                                                   "(ulimit -f) is ",
                                                   limit.rlim_cur, " bytes"));
}

// Takes all pages at once, so that a lack of memory is an error here and not a SIGBUS later.
absl::Status Allocate(int fd, size_t bytes) {
  if (::ftruncate(fd, static_cast<off_t>(bytes)) != 0) return SlabError("cannot size it", bytes);
  while (::fallocate(fd, 0, 0, static_cast<off_t>(bytes)) != 0) {
    if (errno != EINTR) return SlabError("cannot allocate it", bytes);
  }
  return absl::OkStatus();
}

// Both sides populate: a page fault in a batch would count as model time.
absl::StatusOr<std::byte*> MapPages(int fd, size_t bytes) {
  void* base =
      ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, fd, /*offset=*/0);
  if (base == MAP_FAILED) return SlabError("cannot map it", bytes);
  return static_cast<std::byte*>(base);
}

absl::Status CheckHeader(const SlabHeader& header, uint32_t slots, size_t stride) {
  if (header.magic != kSlabMagic || header.version != kSlabVersion) {
    return absl::FailedPreconditionError(absl::StrCat(
        "slab header: found magic ", absl::Hex(header.magic), " version ", header.version,
        ", expected magic ", absl::Hex(kSlabMagic), " version ", kSlabVersion));
  }
  if (header.slots != slots || header.stride != stride) {
    return absl::FailedPreconditionError(
        absl::StrCat("slab header: found ", header.slots, " slots of ", header.stride,
                     " bytes, expected ", slots, " slots of ", stride, " bytes"));
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<Slab> Slab::Create(const SlabLayout& layout) {
  const size_t bytes = layout.total_bytes();
  if (absl::Status status = CheckFileSizeLimit(bytes); !status.ok()) return status;
  UniqueFd fd(::memfd_create("escan-slab", MFD_CLOEXEC | MFD_ALLOW_SEALING));
  if (!fd) return SlabError("cannot create it", bytes);
  if (absl::Status status = Allocate(fd.get(), bytes); !status.ok()) return status;
  if (::fcntl(fd.get(), F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) != 0) {
    return SlabError("cannot seal it", bytes);
  }
  absl::StatusOr<std::byte*> base = MapPages(fd.get(), bytes);
  if (!base.ok()) return base.status();
  const SlabHeader header{.slots = layout.slots, .stride = layout.stride};
  std::memcpy(*base, &header, sizeof(header));
  return Slab(std::move(fd), *base, bytes, layout.slots, layout.stride);
}

absl::StatusOr<Slab> Slab::Map(UniqueFd fd, uint32_t slots, size_t stride) {
  struct stat facts {};
  if (::fstat(fd.get(), &facts) != 0) return SlabError("cannot look at it", 0);
  const size_t bytes = SlabLayout::kHeaderBytes + slots * stride;
  if (static_cast<size_t>(facts.st_size) < sizeof(SlabHeader)) {
    return absl::FailedPreconditionError(
        absl::StrCat("slab: found ", facts.st_size, " bytes, expected ", bytes));
  }
  SlabHeader header;
  if (::pread(fd.get(), &header, sizeof(header), 0) != sizeof(header)) {
    return SlabError("cannot read its header", bytes);
  }
  if (absl::Status status = CheckHeader(header, slots, stride); !status.ok()) return status;
  if (static_cast<size_t>(facts.st_size) != bytes) {
    return absl::FailedPreconditionError(
        absl::StrCat("slab: found ", facts.st_size, " bytes, expected ", bytes));
  }
  absl::StatusOr<std::byte*> base = MapPages(fd.get(), bytes);
  if (!base.ok()) return base.status();
  return Slab(std::move(fd), *base, bytes, slots, stride);
}

Slab::Slab(UniqueFd fd, std::byte* base, size_t size, uint32_t slots, size_t stride)
    : fd_(std::move(fd)), base_(base), size_(size), slots_(slots), stride_(stride) {}

Slab::Slab(Slab&& other) noexcept
    : fd_(std::move(other.fd_)),
      base_(std::exchange(other.base_, nullptr)),
      size_(std::exchange(other.size_, 0)),
      slots_(std::exchange(other.slots_, 0)),
      stride_(std::exchange(other.stride_, 0)) {}

Slab& Slab::operator=(Slab&& other) noexcept {
  std::swap(fd_, other.fd_);
  std::swap(base_, other.base_);
  std::swap(size_, other.size_);
  std::swap(slots_, other.slots_);
  std::swap(stride_, other.stride_);
  return *this;
}

Slab::~Slab() {
  if (base_ != nullptr) ::munmap(base_, size_);
}

std::byte* Slab::At(SlotId slot, size_t offset) const {
  assert(slot < slots_ && offset < stride_);
  return base_ + SlabLayout::kHeaderBytes + slot * stride_ + offset;
}

}  // namespace escan
