#pragma once

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <string_view>

#include "absl/container/inlined_vector.h"

namespace escan {

// A run of bytes inside a received message, as it lies in the network's buffers: in one or more
// pieces, which are not owned. A plain value.
class RawBytes {
 public:
  void Append(std::string_view piece) {
    pieces_.push_back(piece);
    size_ += piece.size();
  }
  size_t size() const { return size_; }

  // Hands the bytes out in order; the caller never asks for more than there are.
  class Reader {
   public:
    explicit Reader(const RawBytes& bytes) : pieces_(&bytes.pieces_) {}

    void Read(std::byte* to, size_t size) {
      while (size > 0) {
        const std::string_view rest = (*pieces_)[piece_].substr(offset_);
        const size_t part = std::min(size, rest.size());
        std::memcpy(to, rest.data(), part);
        to += part;
        size -= part;
        offset_ += part;
        if (part == rest.size()) {
          ++piece_;
          offset_ = 0;
        }
      }
    }

   private:
    const absl::InlinedVector<std::string_view, 2>* pieces_;
    size_t piece_ = 0;
    size_t offset_ = 0;
  };

 private:
  absl::InlinedVector<std::string_view, 2> pieces_;
  size_t size_ = 0;
};

}  // namespace escan
