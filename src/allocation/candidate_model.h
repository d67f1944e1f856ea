#pragma once

#include "allocation/capacity.h"
#include "allocation/plan_load.h"
#include "allocation/search_grid.h"

namespace escan {

// The model of a plan for candidates, without building plans. Reused, it does not allocate.
class CandidateModel {
 public:
  // The grid outlives this.
  explicit CandidateModel(const SearchGrid& grid);

  // What follows is of this candidate.
  const Capacity& Predict(const Candidate& candidate);
  const Capacity& capacity() const { return capacity_; }
  const PlanLoad& load() const { return load_; }

 private:
  const SearchGrid& grid_;
  PlanLoad load_;
  CapacityModel model_;
  Capacity capacity_;
};

}  // namespace escan
