#pragma once

#include <set>
#include <string>
#include <vector>

#include "escan/cascade.h"
#include "escan/verdict.h"

namespace escan {

// What workers' checks tell of the cascade itself, beside whether answers are right: stages in the
// wrong order, a stage at which no row of the probe leaves, or every row. Plain code; owned by
// EngineLoop.
class CheckReview {
 public:
  // `cascade` outlives this.
  explicit CheckReview(const CascadeSpec& cascade) : cascade_(cascade) {}

  // Looks at all checks that one worker has made; returns what was not said before. `thresholds`
  // has one a stage.
  std::vector<std::string> Look(const std::vector<BucketCheck>& checks,
                                const std::vector<float>& thresholds);

 private:
  const CascadeSpec& cascade_;
  std::set<std::string> said_;
};

}  // namespace escan
