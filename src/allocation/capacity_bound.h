#pragma once

#include <span>

namespace escan {

// What a sample that arrives costs, in seconds.
struct SampleCost {
  double worker = 0;  // workers' time
  double device = 0;  // the device's
};

// What is known of a plan of which some stages have no hosts yet. All is at least so much.
struct KnownWork {
  struct OfClass {
    int count = 1;
    double device = 0;  // the device's time of a sample, by one worker, in stages with hosts
    double alone = 0;   // the workers' time in stages that no other class hosts, over their number
  };

  double worker = 0;  // workers' time of a sample over their number: all that bounds it
  double device = 0;  // the device's time of a sample
  std::span<const OfClass> classes;
  SampleCost open;        // of them, in stages without hosts
  double most_dense = 0;  // the device's time by a worker's time, of one of those
};

// 1 / Capacity::rate of a single device, from below: the norm of the times of a sample, the
// workers' and the device's as those feel it that bound the rate. They are slowed by others, not by
// what they take themselves, which is at most what a worker of one of the classes takes. Plain
// code; any thread.
class CapacityBound {
 public:
  // `knee`: the norm's exponent.
  explicit CapacityBound(double knee) : knee_(knee) {}

  // Seconds a sample.
  double Inverse(const KnownWork& known) const;

 private:
  double WorkerLessOwn(const KnownWork& known, size_t worker_class, double workers) const;
  double LeastBeyond(const KnownWork& known, size_t worker_class) const;

  const double knee_;
};

}  // namespace escan
