#pragma once

#include <cstdint>
#include <vector>

#include "escan/calibration.h"
#include "escan/time.h"
#include "scheduling/drift_status.h"

namespace escan {

// How long the windows are in which scores are compared with the calibration's.
struct DriftOptions {
  Duration window = std::chrono::seconds(60);  // at least; zero: nothing is compared
  uint64_t samples = 1000;                     // at least
};

// The value that a chi-square variable with so many degrees of freedom exceeds with the probability
// that a standard normal one exceeds `z`. E. B. Wilson and M. M. Hilferty, "The distribution of
// chi-square", Proceedings of the National Academy of Sciences 17 (1931), 684-688. Above the true
// value by 1 to 7 % at the far end: fewer false alarms, not more.
double ChiSquareLimit(int degrees, double z);

// Compares the exit scores of one stage with those that the calibration saw there, window by
// window. The test is Pearson's for two samples: are both drawn from one distribution? It allows
// for the calibration having seen but a sample itself. Without a drift one window in 100,000 says
// that there is one, which with a window a minute is once in ten weeks.
//
// Plain code; Add does not allocate.
class ScoreDrift {
 public:
  static constexpr double kFalseAlarms = 1e-5;  // a window

  // A histogram without counts: nothing is compared.
  ScoreDrift(const ScoreHistogram& calibrated, const DriftOptions& options);

  bool on() const { return status_.state != DriftStatus::State::kOff; }
  const DriftStatus& status() const { return status_; }

  // A sample that reached the stage was scored; NaN is left out. True when that filled a window and
  // the state is another one now.
  bool Add(float score, TimePoint now);
  // Whether the samples that get to the stage are those that the calibration saw: else nothing is
  // compared. With every change a new window begins.
  void Compare(bool comparable);

 private:
  void Begin();
  bool EndWindow();

  const ScoreHistogram calibrated_;
  const DriftOptions options_;
  const double limit_;
  double calibrated_total_ = 0;
  std::vector<uint64_t> counts_;  // of the window
  uint64_t total_ = 0;
  TimePoint begun_{};
  DriftStatus status_;
};

}  // namespace escan
