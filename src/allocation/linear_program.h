#pragma once

#include <cstddef>
#include <span>
#include <vector>

namespace escan {

// Maximises c.x subject to A x <= b and x >= 0, with b >= 0, so that x = 0 is allowed. A dense
// simplex with Bland's rule, exact but for rounding, for the few dozen numbers of a plan:
// coefficients should lie around 1. Reused, it does not allocate. One thread at a time.
class LinearProgram {
 public:
  // Forgets everything; all coefficients become 0.
  void Reset(size_t variables, size_t constraints);

  double& coefficient(size_t constraint, size_t variable) { return At(constraint, variable); }
  double& limit(size_t constraint) { return At(constraint, columns_ - 1); }
  double& objective(size_t variable) { return goal_[variable]; }

  // To be called once after Reset. False: the objective is not bounded.
  bool Maximize();

  double value(size_t variable) const;
  // By how much the objective grows with the constraint's limit.
  double dual(size_t constraint) const { return -goal_[variables_ + constraint]; }

 private:
  static constexpr double kTolerance = 1e-11;

  double& At(size_t row, size_t column) { return cells_[row * columns_ + column]; }
  double At(size_t row, size_t column) const { return cells_[row * columns_ + column]; }
  std::span<double> Row(size_t row) { return {&cells_[row * columns_], columns_}; }

  // The row whose variable makes place for the column's; rows(): none.
  size_t Leaving(size_t column) const;
  void Pivot(size_t row, size_t column);
  size_t rows() const { return basis_.size(); }

  size_t variables_ = 0;
  size_t columns_ = 0;         // variables, a slack for each constraint, the limit
  std::vector<double> cells_;  // a row for each constraint
  std::vector<size_t> basis_;  // the variable of each row
  std::vector<double> goal_;   // reduced costs: what a unit of a variable adds
};

}  // namespace escan
