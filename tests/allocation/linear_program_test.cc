#include "allocation/linear_program.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <optional>
#include <random>
#include <utility>
#include <vector>

namespace escan {
namespace {

using Numbers = std::vector<double>;

struct Instance {
  std::vector<Numbers> rows;  // rows x <= limits, x >= 0
  Numbers limits;
  Numbers objective;

  size_t variables() const { return objective.size(); }
};

double Dot(const Numbers& a, const Numbers& b) {
  double sum = 0;
  for (size_t i = 0; i < a.size(); ++i) sum += a[i] * b[i];
  return sum;
}

// Gaussian elimination with pivoting; empty: singular.
std::optional<Numbers> SolveSquare(std::vector<Numbers> a, Numbers b) {
  const size_t n = b.size();
  for (size_t i = 0; i < n; ++i) {
    size_t pivot = i;
    for (size_t r = i; r < n; ++r) {
      if (std::abs(a[r][i]) > std::abs(a[pivot][i])) pivot = r;
    }
    if (std::abs(a[pivot][i]) < 1e-9) return std::nullopt;
    std::swap(a[i], a[pivot]);
    std::swap(b[i], b[pivot]);
    for (size_t r = 0; r < n; ++r) {
      if (r == i) continue;
      const double factor = a[r][i] / a[i][i];
      for (size_t k = i; k < n; ++k) a[r][k] -= factor * a[i][k];
      b[r] -= factor * b[i];
    }
  }
  for (size_t i = 0; i < n; ++i) b[i] /= a[i][i];
  return b;
}

// The best objective over all vertices: each is where as many constraints hold with
// equality as there are variables.
double BestVertex(const Instance& instance) {
  const size_t n = instance.variables();
  std::vector<Numbers> rows = instance.rows;
  Numbers limits = instance.limits;
  for (size_t i = 0; i < n; ++i) {
    rows.emplace_back(n, 0.0)[i] = -1;
    limits.push_back(0);
  }
  double best = -1e300;
  std::vector<bool> tight(rows.size(), false);
  std::fill_n(tight.end() - static_cast<std::ptrdiff_t>(n), n, true);
  do {
    std::vector<Numbers> a;
    Numbers b;
    for (size_t r = 0; r < rows.size(); ++r) {
      if (!tight[r]) continue;
      a.push_back(rows[r]);
      b.push_back(limits[r]);
    }
    const std::optional<Numbers> x = SolveSquare(a, b);
    if (!x) continue;
    bool allowed = true;
    for (size_t r = 0; r < rows.size(); ++r) allowed &= Dot(rows[r], *x) <= limits[r] + 1e-9;
    if (!allowed) continue;
    best = std::max(best, Dot(instance.objective, *x));
  } while (std::next_permutation(tight.begin(), tight.end()));
  return best;
}

// Small integers, so that ties and degenerate vertices are frequent. The first row bounds all
// variables.
Instance RandomInstance(std::minstd_rand& random) {
  const auto between = [&](int low, int high) {
    return static_cast<double>(std::uniform_int_distribution<int>(low, high)(random));
  };
  const auto variables = static_cast<size_t>(between(1, 4));
  Instance instance;
  instance.rows.emplace_back(variables, 1.0);
  instance.limits.push_back(between(1, 5));
  for (int more = static_cast<int>(between(0, 4)); more > 0; --more) {
    Numbers& row = instance.rows.emplace_back();
    for (size_t i = 0; i < variables; ++i) row.push_back(between(-2, 3));
    instance.limits.push_back(between(0, 3));
  }
  for (size_t i = 0; i < variables; ++i) instance.objective.push_back(between(-1, 2));
  return instance;
}

void Load(const Instance& instance, LinearProgram* program) {
  program->Reset(instance.variables(), instance.rows.size());
  for (size_t r = 0; r < instance.rows.size(); ++r) {
    program->limit(r) = instance.limits[r];
    for (size_t i = 0; i < instance.variables(); ++i) {
      program->coefficient(r, i) = instance.rows[r][i];
    }
  }
  for (size_t i = 0; i < instance.variables(); ++i) {
    program->objective(i) = instance.objective[i];
  }
}

TEST(LinearProgram, FindsTheBestVertexOfRandomInstances) {
  std::minstd_rand random(1);
  LinearProgram program;
  for (int round = 0; round < 5000; ++round) {
    const Instance instance = RandomInstance(random);
    Load(instance, &program);
    ASSERT_TRUE(program.Maximize());
    Numbers x;
    for (size_t i = 0; i < instance.variables(); ++i) x.push_back(program.value(i));
    for (size_t r = 0; r < instance.rows.size(); ++r) {
      ASSERT_LE(Dot(instance.rows[r], x), instance.limits[r] + 1e-9);
    }
    ASSERT_NEAR(Dot(instance.objective, x), BestVertex(instance), 1e-8) << "round " << round;
  }
}

TEST(LinearProgram, PricesItsConstraints) {
  std::minstd_rand random(2);
  LinearProgram program;
  for (int round = 0; round < 1000; ++round) {
    const Instance instance = RandomInstance(random);
    Load(instance, &program);
    ASSERT_TRUE(program.Maximize());
    double priced = 0;
    for (size_t r = 0; r < instance.rows.size(); ++r) {
      ASSERT_GE(program.dual(r), -1e-9);
      priced += program.dual(r) * instance.limits[r];
    }
    ASSERT_NEAR(priced, BestVertex(instance), 1e-8) << "round " << round;
  }
}

TEST(LinearProgram, SaysWhenTheObjectiveIsNotBounded) {
  LinearProgram program;
  program.Reset(2, 1);
  program.coefficient(0, 0) = 1;
  program.limit(0) = 1;
  program.objective(0) = 1;
  program.objective(1) = 1;
  EXPECT_FALSE(program.Maximize());
}

}  // namespace
}  // namespace escan
