#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>

#include "escan/time.h"

namespace escan {

// Sums of counts over two windows that end now: a long one, and the last eighth of it, in which a
// change shows sooner. They move on in steps of a cell, a kCells-th of the long one: what is older
// is forgotten cell by cell. Between calls nothing is forgotten. Counts are added with += and start
// at zero. Time must not go backwards. One thread at a time.
template <typename Counts>
class SlidingWindow {
 public:
  explicit SlidingWindow(Duration window)
      : cell_length_(std::max<Duration>(window / kCells, Duration(1))) {}

  void Add(const Counts& counts, TimePoint now) {
    Roll(now);
    cells_[Index(cell_)] += counts;
    window_ += counts;
    recent_ += counts;
  }

  // Forgets what has left the windows.
  void Roll(TimePoint now) {
    if (now < cell_end_) return;
    const int64_t current = std::max<int64_t>(now.time_since_epoch() / cell_length_, 0);
    for (int64_t i = std::max(cell_ + 1, current - kCells + 1); i <= current; ++i) {
      cells_[Index(i)] = {};
    }
    cell_ = current;
    cell_end_ = TimePoint((current + 1) * cell_length_);
    window_ = SumOf(kCells);
    recent_ = SumOf(kRecentCells);
  }

  void Reset() {
    cells_ = {};
    window_ = {};
    recent_ = {};
  }

  const Counts& window() const { return window_; }
  const Counts& recent() const { return recent_; }

  // Since when the two have counted.
  TimePoint window_start() const { return StartOf(kCells); }
  TimePoint recent_start() const { return StartOf(kRecentCells); }

 private:
  static constexpr int64_t kCells = 32;
  static constexpr int64_t kRecentCells = kCells / 8;

  static size_t Index(int64_t cell) { return static_cast<size_t>(cell % kCells); }

  Counts SumOf(int64_t cells) const {
    Counts sum;
    for (int64_t i = std::max<int64_t>(cell_ - cells + 1, 0); i <= cell_; ++i) {
      sum += cells_[Index(i)];
    }
    return sum;
  }
  TimePoint StartOf(int64_t cells) const { return TimePoint((cell_ - cells + 1) * cell_length_); }

  Duration cell_length_;
  int64_t cell_ = 0;      // number of the current cell since the clock's epoch
  TimePoint cell_end_{};  // of the current cell
  std::array<Counts, kCells> cells_{};
  Counts window_{};
  Counts recent_{};
};

}  // namespace escan
