#pragma once

#include <cstddef>
#include <filesystem>
#include <ios>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "config/profile_file.h"
#include "escan/time.h"

namespace escan {

// One of the measurements that a profile is made of.
struct MeasurementPoint {
  int stage = 0;
  int thread_percent = 100;
  int clients = 1;
  int rows = 1;

  friend bool operator==(const MeasurementPoint&, const MeasurementPoint&) = default;
};

struct Measurement {
  MeasurementPoint point;
  double rate = 0;          // steps per second of all clients, each with a batch always waiting
  Seconds step{};           // with nothing else under way; of one client only
  size_t memory_bytes = 0;  // of the device, that a worker takes
  double spread = 0;        // see StepFigures
  int times_made = 1;
  std::string way;  // how the worker computed the stage, see StageCosts

  friend bool operator==(const Measurement&, const Measurement&) = default;
};

// The measurements of an unfinished profile, kept in a file so that they survive an interruption:
// lines of JSON, the first of which says what is profiled and under what. Used by one thread.
class MeasurementLog {
 public:
  // Reads what the file holds, or makes it. FailedPrecondition, naming the first difference, when
  // it belongs to another outline; what an interruption left of a last line is dropped.
  static absl::StatusOr<MeasurementLog> Open(std::filesystem::path file,
                                             const MeasuredProfile& outline);

  // Null where that was not measured. Valid until the next Add().
  const Measurement* Find(const MeasurementPoint& point) const;

  // Takes the place of an earlier one of the same point. The error names the file.
  absl::Status Add(const Measurement& measurement);

  const std::filesystem::path& file() const { return file_; }

 private:
  explicit MeasurementLog(std::filesystem::path file) : file_(std::move(file)) {}

  void Keep(const Measurement& measurement);
  absl::Status Write(const nlohmann::json& line, std::ios::openmode mode) const;

  std::filesystem::path file_;
  std::vector<Measurement> measurements_;
};

}  // namespace escan
