#include "allocation/linear_program.h"

#include <algorithm>

namespace escan {
namespace {

// row -= factor * pivot
void Subtract(std::span<double> row, std::span<const double> pivot, double factor) {
  if (factor == 0) return;
  for (size_t i = 0; i < row.size(); ++i) row[i] -= factor * pivot[i];
}

}  // namespace

void LinearProgram::Reset(size_t variables, size_t constraints) {
  variables_ = variables;
  columns_ = variables + constraints + 1;
  cells_.assign(constraints * columns_, 0);
  basis_.resize(constraints);
  for (size_t row = 0; row < constraints; ++row) {
    basis_[row] = variables + row;
    At(row, variables + row) = 1;
  }
  goal_.assign(columns_, 0);
}

bool LinearProgram::Maximize() {
  while (true) {
    size_t entering = 0;
    while (entering + 1 < columns_ && goal_[entering] <= kTolerance) ++entering;
    if (entering + 1 == columns_) return true;
    const size_t leaving = Leaving(entering);
    if (leaving == rows()) return false;
    Pivot(leaving, entering);
  }
}

size_t LinearProgram::Leaving(size_t column) const {
  size_t best = rows();
  double least = 0;
  for (size_t row = 0; row < rows(); ++row) {
    const double cell = At(row, column);
    if (cell <= kTolerance) continue;
    const double ratio = At(row, columns_ - 1) / cell;
    const bool tied = best != rows() && ratio == least;
    if (best == rows() || ratio < least || (tied && basis_[row] < basis_[best])) {
      best = row;
      least = ratio;
    }
  }
  return best;
}

void LinearProgram::Pivot(size_t row, size_t column) {
  const std::span<double> pivot = Row(row);
  const double inverse = 1 / pivot[column];
  for (double& cell : pivot) cell *= inverse;
  for (size_t other = 0; other < rows(); ++other) {
    if (other != row) Subtract(Row(other), pivot, At(other, column));
  }
  Subtract(goal_, pivot, goal_[column]);
  basis_[row] = column;
}

double LinearProgram::value(size_t variable) const {
  for (size_t row = 0; row < rows(); ++row) {
    if (basis_[row] == variable) return std::max(0.0, At(row, columns_ - 1));
  }
  return 0;
}

}  // namespace escan
