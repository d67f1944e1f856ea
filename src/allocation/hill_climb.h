#pragma once

#include "allocation/contest.h"
#include "allocation/search_grid.h"

namespace escan {

// Puts a good candidate into the contest, to start the exact search from: the best of those with
// one class that hosts all stages and equal batch limits, improved by small changes for as long as
// one is better.
void Climb(const SearchGrid& grid, Contest* contest);

}  // namespace escan
