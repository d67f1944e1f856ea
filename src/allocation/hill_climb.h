#pragma once

#include "allocation/candidate_ranking.h"
#include "allocation/search_grid.h"

namespace escan {

// Adds good candidates to the ranking: from the best with one class that hosts all stages, or with
// a class for each stage, small changes for as long as one is better.
void HillClimb(const SearchGrid& grid, CandidateRanking* ranking);

}  // namespace escan
