#include "worker/loop/row_isolation.h"

#include <gtest/gtest.h>

#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"

namespace escan {
namespace {

// A model that fails whenever a batch holds one of the bad rows; scores every other row 1.
class PickyModel {
 public:
  PickyModel(size_t rows, std::set<size_t> bad) : bad_(std::move(bad)), results_(rows) {}

  std::string Run() {
    return RunIsolatingFailures(results_, [this](size_t first, size_t count) -> absl::Status {
      ++runs_;
      const auto bad = bad_.lower_bound(first);
      if (bad != bad_.end() && *bad < first + count) {
        return absl::InternalError(absl::StrCat("row ", *bad));
      }
      for (size_t row = first; row < first + count; ++row) results_[row] = {.score = 1};
      return absl::OkStatus();
    });
  }

  std::set<size_t> failed() const {
    std::set<size_t> rows;
    for (size_t row = 0; row < results_.size(); ++row) {
      if (results_[row].failed) rows.insert(row);
    }
    return rows;
  }
  bool AllOthersAreComputed() const {
    for (size_t row = 0; row < results_.size(); ++row) {
      if (!results_[row].failed && results_[row].score != 1) return false;
    }
    return true;
  }
  int runs() const { return runs_; }

 private:
  std::set<size_t> bad_;
  std::vector<RowResult> results_;
  int runs_ = 0;
};

TEST(RowIsolation, RunsAGoodBatchOnce) {
  PickyModel model(16, {});
  EXPECT_EQ(model.Run(), "");
  EXPECT_TRUE(model.AllOthersAreComputed());
  EXPECT_EQ(model.runs(), 1);
}

TEST(RowIsolation, FailsExactlyTheBadRowsWhereverTheyLie) {
  for (const size_t rows : {1u, 2u, 3u, 7u, 16u}) {
    for (size_t bad = 0; bad < rows; ++bad) {
      PickyModel model(rows, {bad});
      EXPECT_EQ(model.Run(), absl::StrCat("row ", bad));
      EXPECT_EQ(model.failed(), std::set<size_t>{bad});
      EXPECT_TRUE(model.AllOthersAreComputed());
    }
  }
}

TEST(RowIsolation, GivesTheReasonOfTheFirstOfSeveral) {
  PickyModel model(9, {3, 4, 8});
  EXPECT_EQ(model.Run(), "row 3");
  EXPECT_EQ(model.failed(), (std::set<size_t>{3, 4, 8}));
  EXPECT_TRUE(model.AllOthersAreComputed());
}

TEST(RowIsolation, FailsEveryRowOfAModelThatNeverWorks) {
  PickyModel model(4, {0, 1, 2, 3});
  EXPECT_EQ(model.Run(), "row 0");
  EXPECT_EQ(model.failed().size(), 4u);
}

TEST(RowIsolation, FailsNoRowWhenOnlyTheWholeBatchIsTooMuch) {
  std::vector<RowResult> results(8);
  const std::string failure =
      RunIsolatingFailures(results, [](size_t, size_t count) -> absl::Status {
        return count > 4 ? absl::ResourceExhaustedError("out of memory") : absl::OkStatus();
      });
  EXPECT_EQ(failure, "");
  for (const RowResult& result : results) EXPECT_FALSE(result.failed);
}

TEST(RowIsolation, FindsOneBadRowInLogarithmicallyManyRuns) {
  PickyModel model(256, {77});
  model.Run();
  EXPECT_LE(model.runs(), 1 + 2 * 8);
}

}  // namespace
}  // namespace escan
