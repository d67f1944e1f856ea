#include "ipc/frame_socket.h"

#include <fcntl.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstddef>
#include <cstring>
#include <string>

#include "absl/strings/str_cat.h"

namespace escan {
namespace {

// What may wait unread on one end. The kernel counts about twice a frame's size, so this is room
// for more than thirty of the largest, whatever the system's default is.
constexpr int kSendBufferBytes = 128 * 1024;
constexpr size_t kLargestFrame =
    std::max({sizeof(BatchFrame), sizeof(StopFrame), sizeof(ResultFrame), sizeof(StateFrame),
              sizeof(CheckFrame)});

absl::Status SendFrame(int fd, const void* frame, size_t size) {
  ssize_t sent;
  do {
    sent = ::send(fd, frame, size, MSG_NOSIGNAL);
  } while (sent < 0 && errno == EINTR);
  if (sent == static_cast<ssize_t>(size)) return absl::OkStatus();
  const std::string message = absl::StrCat("cannot send a frame: ", std::strerror(errno));
  switch (errno) {
    case EAGAIN:
      return absl::ResourceExhaustedError(message);
    case EPIPE:
    case ECONNRESET:
      return absl::UnavailableError(message);
    default:
      return absl::InternalError(message);
  }
}

absl::Status CheckRows(uint32_t stage, uint32_t rows) {
  if (stage >= kMaxStages) {
    return absl::DataLossError(
        absl::StrCat("frame: found stage ", stage, ", expected less than ", kMaxStages));
  }
  if (rows < 1 || rows > kMaxBatchRows) {
    return absl::DataLossError(
        absl::StrCat("frame: found ", rows, " rows, expected 1 to ", kMaxBatchRows));
  }
  return absl::OkStatus();
}

template <size_t kSize>
absl::Status CheckText(const std::array<char, kSize>& text) {
  if (std::find(text.begin(), text.end(), '\0') != text.end()) return absl::OkStatus();
  return absl::DataLossError(
      absl::StrCat("frame: found no end of its message in ", kSize, " bytes, expected a NUL"));
}

absl::Status Check(const BatchFrame& frame) { return CheckRows(frame.stage, frame.rows); }

absl::Status Check(const StopFrame&) { return absl::OkStatus(); }

absl::Status Check(const ResultFrame& frame) {
  if (absl::Status status = CheckRows(frame.stage, frame.rows); !status.ok()) return status;
  for (uint32_t row = 0; row < frame.rows; ++row) {
    if (frame.status[row] > RowStatus::kDiffers) {
      return absl::DataLossError(
          absl::StrCat("frame: found status ", static_cast<int>(frame.status[row]), " of row ", row,
                       ", expected at most ", static_cast<int>(RowStatus::kDiffers)));
    }
  }
  return CheckText(frame.message);
}

absl::Status Check(const StateFrame& frame) {
  if (frame.state > WorkerState::kFailed) {
    return absl::DataLossError(
        absl::StrCat("frame: found state ", static_cast<uint32_t>(frame.state),
                     ", expected at most ", static_cast<uint32_t>(WorkerState::kFailed)));
  }
  return CheckText(frame.message);
}

absl::Status Check(const CheckFrame& frame) {
  if (absl::Status status = CheckRows(frame.stage, frame.rows); !status.ok()) return status;
  if (frame.verdict > Verdict::kUnknown) {
    return absl::DataLossError(
        absl::StrCat("frame: found verdict ", static_cast<uint32_t>(frame.verdict),
                     ", expected at most ", static_cast<uint32_t>(Verdict::kUnknown)));
  }
  if (absl::Status status = CheckText(frame.way); !status.ok()) return status;
  return CheckText(frame.message);
}

template <typename FrameT>
absl::StatusOr<FrameSocket::Frame> DecodeAs(const std::byte* bytes, size_t size) {
  if (size != sizeof(FrameT)) {
    return absl::DataLossError(absl::StrCat("frame: found ", size, " bytes of a type that has ",
                                            sizeof(FrameT), " bytes"));
  }
  FrameT frame;
  std::memcpy(&frame, bytes, sizeof(frame));
  if (absl::Status status = Check(frame); !status.ok()) return status;
  return frame;
}

absl::StatusOr<FrameSocket::Frame> Decode(const std::byte* bytes, size_t size) {
  FrameHeader header;
  if (size < sizeof(header)) {
    return absl::DataLossError(
        absl::StrCat("frame: found ", size, " bytes, expected at least ", sizeof(header)));
  }
  std::memcpy(&header, bytes, sizeof(header));
  if (header.magic != kFrameMagic || header.version != kFrameVersion) {
    return absl::DataLossError(absl::StrCat("frame: found magic ", absl::Hex(header.magic),
                                            " version ", header.version, ", expected magic ",
                                            absl::Hex(kFrameMagic), " version ", kFrameVersion));
  }
  switch (header.type) {
    case FrameType::kBatch:
      return DecodeAs<BatchFrame>(bytes, size);
    case FrameType::kStop:
      return DecodeAs<StopFrame>(bytes, size);
    case FrameType::kResult:
      return DecodeAs<ResultFrame>(bytes, size);
    case FrameType::kState:
      return DecodeAs<StateFrame>(bytes, size);
    case FrameType::kCheck:
      return DecodeAs<CheckFrame>(bytes, size);
  }
  return absl::DataLossError(
      absl::StrCat("frame: found type ", static_cast<int>(header.type), ", expected 1 to 5"));
}

}  // namespace

absl::StatusOr<std::pair<FrameSocket, UniqueFd>> FrameSocket::Pair() {
  std::array<int, 2> fds{};
  if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fds.data()) != 0) {
    return absl::ErrnoToStatus(errno, "cannot make a socket pair");
  }
  UniqueFd daemon(fds[0]);
  UniqueFd worker(fds[1]);
  for (const int fd : fds) {
    if (::setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &kSendBufferBytes, sizeof(kSendBufferBytes)) != 0) {
      return absl::ErrnoToStatus(errno, "cannot size a socket's buffer");
    }
  }
  const int flags = ::fcntl(daemon.get(), F_GETFL);
  if (flags < 0 || ::fcntl(daemon.get(), F_SETFL, flags | O_NONBLOCK) != 0) {
    return absl::ErrnoToStatus(errno, "cannot make a socket non-blocking");
  }
  return std::pair(FrameSocket(std::move(daemon)), std::move(worker));
}

absl::Status FrameSocket::Send(const BatchFrame& frame) const {
  return SendFrame(fd(), &frame, sizeof(frame));
}

absl::Status FrameSocket::Send(const StopFrame& frame) const {
  return SendFrame(fd(), &frame, sizeof(frame));
}

absl::Status FrameSocket::Send(const ResultFrame& frame) const {
  return SendFrame(fd(), &frame, sizeof(frame));
}

absl::Status FrameSocket::Send(const StateFrame& frame) const {
  return SendFrame(fd(), &frame, sizeof(frame));
}

absl::Status FrameSocket::Send(const CheckFrame& frame) const {
  return SendFrame(fd(), &frame, sizeof(frame));
}

absl::StatusOr<FrameSocket::Frame> FrameSocket::Receive(bool block) const {
  // MSG_TRUNC makes recv() return the datagram's own size, so a longer one is seen. A reset says,
  // once, that the peer left frames unread; what it sent before its end is still to be had.
  std::array<std::byte, kLargestFrame> bytes;
  ssize_t size;
  do {
    size = ::recv(fd(), bytes.data(), bytes.size(), MSG_TRUNC | (block ? 0 : MSG_DONTWAIT));
  } while (size < 0 && (errno == EINTR || errno == ECONNRESET));
  if (size > 0) return Decode(bytes.data(), static_cast<size_t>(size));
  if (size == 0) return absl::UnavailableError("the peer closed its socket");
  if (errno == EAGAIN) return Frame(Empty{});
  return absl::InternalError(absl::StrCat("cannot receive a frame: ", std::strerror(errno)));
}

}  // namespace escan
