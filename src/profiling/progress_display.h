#pragma once

#include <optional>
#include <ostream>
#include <string>

#include "escan/cascade.h"
#include "escan/time.h"
#include "profiling/profiler.h"

namespace escan {

// Shows a person how far a profile is. Used by the profiler's thread.
class ProgressDisplay {
 public:
  // On a terminal one line that is written again and again, and cleared by the destructor; else a
  // line for each stage and share.
  ProgressDisplay(const CascadeSpec& cascade, std::ostream* out, bool terminal, TimePoint start);
  ~ProgressDisplay();

  void Show(const Profiler::Progress& progress, TimePoint now);

 private:
  const CascadeSpec& cascade_;
  std::ostream* const out_;
  const bool terminal_;
  const TimePoint start_;
  std::optional<MeasurementPoint> shown_;
};

// "stage small at 50 %: 7 of 36 measured, about 1m20s left". What is left is taken to go on as what
// was measured since the start, and is not told before anything was.
std::string ProgressText(const CascadeSpec& cascade, const Profiler::Progress& progress,
                         Duration since_start);

}  // namespace escan
