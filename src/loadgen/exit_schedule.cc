#include "loadgen/exit_schedule.h"

#include <algorithm>
#include <fstream>
#include <optional>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "escan/cascade.h"

namespace escan::loadgen {
namespace {

constexpr int kLongestRun = 365 * 24 * 3600;  // seconds

using Fields = std::vector<std::string>;

Fields SplitFields(std::string_view line) {
  Fields fields = absl::StrSplit(absl::string_view(line.data(), line.size()), ',');
  for (std::string& field : fields) absl::StripAsciiWhitespace(&field);
  return fields;
}

// A number within [min, max]; "nan" is in no interval.
std::optional<double> ParseNumber(const std::string& text, double min, double max) {
  double value = 0;
  if (!absl::SimpleAtod(text, &value) || !(value >= min && value <= max)) return std::nullopt;
  return value;
}

absl::StatusOr<std::vector<double>> ParseRatios(const Fields& fields, size_t first) {
  std::vector<double> ratios;
  for (size_t i = first; i < fields.size(); ++i) {
    const std::optional<double> ratio = ParseNumber(fields[i], 0, 1);
    if (!ratio) {
      return absl::InvalidArgumentError(absl::StrCat("exit ratio of stage ", i - first + 1, ": '",
                                                     fields[i], "' is not a number in [0, 1]"));
    }
    ratios.push_back(*ratio);
  }
  return ratios;
}

absl::Status CheckHeader(const Fields& fields) {
  Fields expected = {"seconds"};
  for (size_t i = 1; i < std::max<size_t>(fields.size(), 2); ++i) {
    expected.push_back(absl::StrCat("exit_", i));
  }
  if (fields != expected) {
    return absl::InvalidArgumentError(absl::StrCat("found the header '", absl::StrJoin(fields, ","),
                                                   "', expected '", absl::StrJoin(expected, ","),
                                                   "', with a column for each stage but the last"));
  }
  if (fields.size() > kMaxStages) {
    return absl::InvalidArgumentError(absl::StrCat(
        "found ratios for ", fields.size() - 1, " stages, expected ", kMaxStages - 1, " at most"));
  }
  return absl::OkStatus();
}

// `before` is the segment of the line before; null for the first.
absl::StatusOr<ExitSegment> ParseSegment(const Fields& fields, size_t columns,
                                         const ExitSegment* before) {
  if (fields.size() != columns) {
    return absl::InvalidArgumentError(
        absl::StrCat("found ", fields.size(), " fields, expected ", columns, " as in the header"));
  }
  const std::optional<double> seconds = ParseNumber(fields[0], 0, kLongestRun);
  if (!seconds) {
    return absl::InvalidArgumentError(
        absl::StrCat("'", fields[0], "' is not a time in seconds from 0 to ", kLongestRun));
  }
  ExitSegment segment;
  segment.start = std::chrono::duration_cast<Duration>(std::chrono::duration<double>(*seconds));
  if (before == nullptr && segment.start != Duration::zero()) {
    return absl::InvalidArgumentError(
        absl::StrCat("the first line is for ", fields[0], " seconds, expected 0"));
  }
  if (before != nullptr && segment.start <= before->start) {
    return absl::InvalidArgumentError(
        absl::StrCat("'", fields[0], "' seconds is not later than the line before"));
  }
  absl::StatusOr<std::vector<double>> ratios = ParseRatios(fields, 1);
  if (!ratios.ok()) return ratios.status();
  segment.ratios = *std::move(ratios);
  return segment;
}

absl::Status At(const std::filesystem::path& file, int line, const absl::Status& status) {
  return absl::Status(status.code(),
                      absl::StrCat(file.native(), ":", line, ": ", status.message()));
}

}  // namespace

std::vector<double> ExitShares(const std::vector<double>& ratios) {
  std::vector<double> shares;
  double reach = 1;
  for (const double ratio : ratios) {
    shares.push_back(reach * ratio);
    reach *= 1 - ratio;
  }
  shares.push_back(reach);
  return shares;
}

absl::StatusOr<std::vector<double>> ParseExitRatios(std::string_view text) {
  const Fields fields = SplitFields(text);
  if (fields.size() >= kMaxStages) {
    return absl::InvalidArgumentError(absl::StrCat(
        "found ", fields.size(), " exit ratios, expected ", kMaxStages - 1, " at most"));
  }
  return ParseRatios(fields, 0);
}

ExitSchedule::ExitSchedule(std::vector<double> ratios)
    : segments_({{.start = Duration::zero(), .ratios = std::move(ratios)}}) {}

absl::StatusOr<ExitSchedule> ExitSchedule::FromFile(const std::filesystem::path& file) {
  std::ifstream stream(file);
  if (!stream) return absl::NotFoundError(absl::StrCat(file.native(), ": cannot be opened"));
  ExitSchedule schedule;
  std::vector<ExitSegment>& segments = schedule.segments_;
  size_t columns = 0;  // 0: the header has not come yet
  std::string line;
  int number = 0;
  while (std::getline(stream, line)) {
    ++number;
    const Fields fields = SplitFields(line);
    if (fields == Fields{""}) continue;
    if (columns == 0) {
      if (absl::Status status = CheckHeader(fields); !status.ok()) return At(file, number, status);
      columns = fields.size();
      continue;
    }
    absl::StatusOr<ExitSegment> segment =
        ParseSegment(fields, columns, segments.empty() ? nullptr : &segments.back());
    if (!segment.ok()) return At(file, number, segment.status());
    segments.push_back(*std::move(segment));
  }
  if (stream.bad()) return absl::NotFoundError(absl::StrCat(file.native(), ": cannot be read"));
  if (segments.empty()) {
    return At(file, number + 1,
              absl::InvalidArgumentError("the file ends before the first exit ratios"));
  }
  return schedule;
}

int ExitSchedule::SegmentAt(Duration at) const {
  const auto later = std::upper_bound(
      segments_.begin(), segments_.end(), at,
      [](Duration time, const ExitSegment& segment) { return time < segment.start; });
  return std::max(static_cast<int>(later - segments_.begin()) - 1, 0);
}

}  // namespace escan::loadgen
