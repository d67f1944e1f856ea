#include "ipc/slab.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <cstring>
#include <string>
#include <utility>

namespace escan {
namespace {

using ::testing::HasSubstr;

SlabLayout Layout(uint32_t slots, size_t stride) {
  SlabLayout layout;
  layout.slots = slots;
  layout.stride = stride;
  return layout;
}

UniqueFd Duplicate(int fd) { return UniqueFd(::fcntl(fd, F_DUPFD_CLOEXEC, 0)); }

TEST(Slab, PlacesSlotsBehindItsHeader) {
  const auto slab = Slab::Create(Layout(4, 128));
  ASSERT_TRUE(slab.ok()) << slab.status();
  EXPECT_EQ(slab->slots(), 4u);
  EXPECT_EQ(slab->bytes().size(), SlabLayout::kHeaderBytes + 4 * 128);
  EXPECT_EQ(slab->At(0, 0), slab->bytes().data() + SlabLayout::kHeaderBytes);
  EXPECT_EQ(slab->At(3, 64), slab->bytes().data() + SlabLayout::kHeaderBytes + 3 * 128 + 64);
}

TEST(Slab, StartsZeroed) {
  const auto slab = Slab::Create(Layout(2, 64));
  ASSERT_TRUE(slab.ok());
  for (size_t i = 0; i < 64; ++i) EXPECT_EQ(*slab->At(1, i), std::byte{0});
}

TEST(Slab, IsSealedAgainstResizingAndClosesOnExec) {
  const auto slab = Slab::Create(Layout(2, 64));
  ASSERT_TRUE(slab.ok());
  EXPECT_NE(::ftruncate(slab->fd(), 64), 0);
  EXPECT_NE(::ftruncate(slab->fd(), 1 << 20), 0);
  EXPECT_NE(::fcntl(slab->fd(), F_ADD_SEALS, F_SEAL_WRITE), 0);
  EXPECT_EQ(::fcntl(slab->fd(), F_GETFD), FD_CLOEXEC);
}

TEST(Slab, HasAllItsMemoryFromTheStart) {
  const auto slab = Slab::Create(Layout(64, 65536));
  ASSERT_TRUE(slab.ok());
  struct stat facts {};
  ASSERT_EQ(::fstat(slab->fd(), &facts), 0);
  EXPECT_GE(static_cast<size_t>(facts.st_blocks) * 512, slab->bytes().size());
}

TEST(Slab, MapsAsLargeAsASlabMayBe) {
  const auto slab = Slab::Create(Layout(1, (kMaxSlabBytes - SlabLayout::kHeaderBytes) / 64 * 64));
  ASSERT_TRUE(slab.ok()) << slab.status();
  EXPECT_EQ(slab->bytes().size(), kMaxSlabBytes);
}

TEST(Slab, IsOneMemoryForTwoProcesses) {
  const auto slab = Slab::Create(Layout(8, 192));
  ASSERT_TRUE(slab.ok());
  std::strcpy(reinterpret_cast<char*>(slab->At(5, 64)), "ping");
  const pid_t child = ::fork();
  if (child == 0) {
    const auto mapped = Slab::Map(Duplicate(slab->fd()), 8, 192);
    if (!mapped.ok()) ::_exit(1);
    if (mapped->At(5, 64) == slab->At(5, 64)) ::_exit(2);  // a mapping of its own
    if (std::strcmp(reinterpret_cast<char*>(mapped->At(5, 64)), "ping") != 0) ::_exit(3);
    std::strcpy(reinterpret_cast<char*>(mapped->At(7, 0)), "pong");
    ::_exit(0);
  }
  ASSERT_GT(child, 0);
  int status = -1;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_EQ(status, 0);
  EXPECT_STREQ(reinterpret_cast<char*>(slab->At(7, 0)), "pong");
}

TEST(Slab, RefusesToMapAnotherShape) {
  const auto slab = Slab::Create(Layout(8, 192));
  ASSERT_TRUE(slab.ok());
  for (const auto& [slots, stride] : {std::pair{7u, size_t{192}}, std::pair{8u, size_t{256}}}) {
    const auto mapped = Slab::Map(Duplicate(slab->fd()), slots, stride);
    EXPECT_EQ(mapped.status().code(), absl::StatusCode::kFailedPrecondition);
    EXPECT_THAT(std::string(mapped.status().message()),
                HasSubstr("found 8 slots of 192 bytes, expected " + std::to_string(slots) +
                          " slots of " + std::to_string(stride) + " bytes"));
  }
}

TEST(Slab, RefusesToMapWhatIsNone) {
  UniqueFd empty(::memfd_create("test", MFD_CLOEXEC));
  EXPECT_EQ(Slab::Map(std::move(empty), 8, 192).status().code(),
            absl::StatusCode::kFailedPrecondition);

  UniqueFd zeros(::memfd_create("test", MFD_CLOEXEC));
  ASSERT_EQ(::ftruncate(zeros.get(), 8192), 0);
  const auto mapped = Slab::Map(std::move(zeros), 8, 512);
  EXPECT_EQ(mapped.status().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(mapped.status().message()), HasSubstr("found magic 0 version 0"));

  EXPECT_FALSE(Slab::Map(UniqueFd(), 8, 192).ok());
}

TEST(Slab, RefusesToMapOneThatIsCutOff) {
  const auto slab = Slab::Create(Layout(8, 192));
  ASSERT_TRUE(slab.ok());
  UniqueFd cut(::memfd_create("test", MFD_CLOEXEC));
  ASSERT_EQ(::write(cut.get(), slab->bytes().data(), 100), 100);
  const auto mapped = Slab::Map(std::move(cut), 8, 192);
  EXPECT_EQ(mapped.status().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(mapped.status().message()), HasSubstr("found 100 bytes, expected 5632"));
}

// In a process of its own: limits cannot be raised again.
TEST(Slab, SaysWhichLimitItDoesNotFit) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  const auto create_below_limit = [] {
    const rlimit limit{.rlim_cur = 4096, .rlim_max = 4096};
    ::setrlimit(RLIMIT_FSIZE, &limit);
    const auto slab = Slab::Create(Layout(8, 4096));
    const bool told = absl::IsResourceExhausted(slab.status()) &&
                      slab.status().message().find("ulimit -f") != absl::string_view::npos;
    ::_exit(told ? 0 : 1);
  };
  EXPECT_EXIT(create_below_limit(), ::testing::ExitedWithCode(0), "");
}

TEST(Slab, MovesItsMapping) {
  auto slab = Slab::Create(Layout(2, 64));
  ASSERT_TRUE(slab.ok());
  std::byte* const place = slab->At(1, 0);
  *place = std::byte{7};
  Slab moved = *std::move(slab);
  EXPECT_EQ(moved.At(1, 0), place);
  auto other = Slab::Create(Layout(4, 64));
  ASSERT_TRUE(other.ok());
  *other = std::move(moved);
  EXPECT_EQ(other->At(1, 0), place);
  EXPECT_EQ(*other->At(1, 0), std::byte{7});
  EXPECT_EQ(other->slots(), 2u);
}

}  // namespace
}  // namespace escan
