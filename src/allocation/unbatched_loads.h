#pragma once

#include <array>
#include <cstddef>
#include <limits>

#include "allocation/search_grid.h"
#include "allocation/slowdown_bound.h"

namespace escan {

// What the classes of a candidate do of each sample that arrives, in batches of what arrives
// together, as far as its stages have hosts; and from below how much that slows steps.
class UnbatchedLoads {
 public:
  // The class runs the part `part` of all samples at the stage. The grid is always the same.
  void Add(const SearchGrid& grid, int stage, int share, int clients, double part, size_t index);

  // `open` stages, the first ones, have no hosts yet; a class may host them or not.
  struct Hosting {
    const Candidate& candidate;
    int clients = 1;
    int open = 0;
    unsigned ended = 0;  // classes that host none of them, a bit for each
    double use = 0;      // of the capacity, at least
  };
  double SlowdownAtLeast(const SearchGrid& grid, const Hosting& hosting, double rate,
                         double crowding, const SlowdownBound& slowdown) const;

  // Whether all steps of the class are short, see SearchGrid::Credits.
  bool is_short(size_t index) const { return classes_[index].is_short; }

 private:
  struct Load {
    double worker = 0;  // seconds, as the device's
    double device = 0;
    double largest_worker = 0;  // the same in batches of the largest buckets
    double largest_device = 0;
    double least = std::numeric_limits<double>::infinity();  // on the device, of one of its steps
    bool is_short = true;
  };

  double LoadAtLeast(const SearchGrid& grid, const Hosting& hosting, size_t index) const;

  std::array<Load, kMostClasses> classes_{};
};

}  // namespace escan
