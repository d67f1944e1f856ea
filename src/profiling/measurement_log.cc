#include "profiling/measurement_log.h"

#include <algorithm>
#include <cerrno>
#include <fstream>
#include <nlohmann/json.hpp>
#include <optional>
#include <system_error>
#include <utility>

#include "absl/strings/str_cat.h"

namespace escan {
namespace {

using Json = nlohmann::json;

Json ToJson(const Measurement& measurement) {
  const MeasurementPoint& point = measurement.point;
  return {{"stage", point.stage},
          {"thread_percent", point.thread_percent},
          {"clients", point.clients},
          {"rows", point.rows},
          {"steps_per_s", measurement.rate},
          {"step_s", measurement.step.count()},
          {"memory_bytes", measurement.memory_bytes},
          {"spread", measurement.spread},
          {"times_made", measurement.times_made},
          {"way", measurement.way}};
}

// Nothing where a line is not one of this class.
std::optional<Measurement> ParseMeasurement(const std::string& line) {
  const Json json = Json::parse(line, nullptr, /*allow_exceptions=*/false);
  if (!json.is_object()) return std::nullopt;
  for (const char* key : {"stage", "thread_percent", "clients", "rows", "steps_per_s", "step_s",
                          "memory_bytes", "spread", "times_made"}) {
    if (!json.contains(key) || !json[key].is_number()) return std::nullopt;
  }
  Measurement measurement{.point = {.stage = json["stage"],
                                    .thread_percent = json["thread_percent"],
                                    .clients = json["clients"],
                                    .rows = json["rows"]},
                          .rate = json["steps_per_s"],
                          .step = Seconds(json["step_s"].get<double>()),
                          .memory_bytes = json["memory_bytes"],
                          .spread = json["spread"],
                          .times_made = json["times_made"],
                          .way = json.value("way", "")};
  if (measurement.rate <= 0) return std::nullopt;
  return measurement;
}

// The whole lines of a file.
std::vector<std::string> ReadLines(const std::filesystem::path& file) {
  std::vector<std::string> lines;
  std::ifstream stream(file);
  // A line without its end is one that could not be written as a whole.
  for (std::string line; std::getline(stream, line) && !stream.eof();) lines.push_back(line);
  return lines;
}

// Why measurements under `found` are none under `expected`.
std::string Difference(const Json& found, const Json& expected) {
  if (found.is_discarded()) return "its first line is not JSON";
  const Json patch = Json::diff(found, expected);
  const Json::json_pointer place(patch.front()["path"].get<std::string>());
  const auto text = [&](const Json& json) {
    return json.contains(place) ? json.at(place).dump() : std::string("nothing");
  };
  return absl::StrCat("it was measured with ", place.to_string(), " ", text(found),
                      ", and this is ", text(expected));
}

}  // namespace

absl::StatusOr<MeasurementLog> MeasurementLog::Open(std::filesystem::path file,
                                                    const MeasuredProfile& outline) {
  MeasurementLog log(std::move(file));
  const Json header = Json::parse(escan::ToJson(outline));
  const std::vector<std::string> lines = ReadLines(log.file_);
  if (lines.empty()) {
    if (absl::Status status = log.Write(header, std::ios::trunc); !status.ok()) return status;
    return log;
  }
  const Json found = Json::parse(lines.front(), nullptr, /*allow_exceptions=*/false);
  if (!(found == header)) {  // what is not JSON is neither equal nor unequal
    return absl::FailedPreconditionError(
        absl::StrCat(log.file_.string(), ": holds the measurements of another profile: ",
                     Difference(found, header), "; delete it to measure anew"));
  }
  size_t bytes = lines.front().size() + 1;
  for (size_t i = 1; i < lines.size(); ++i) {
    bytes += lines[i].size() + 1;
    const std::optional<Measurement> measurement = ParseMeasurement(lines[i]);
    if (measurement.has_value()) log.Keep(*measurement);
  }
  // So that the next line does not continue an unfinished one.
  std::error_code error;
  std::filesystem::resize_file(log.file_, bytes, error);
  if (error) {
    return absl::ErrnoToStatus(error.value(), absl::StrCat("cannot write ", log.file_.string()));
  }
  return log;
}

const Measurement* MeasurementLog::Find(const MeasurementPoint& point) const {
  const auto found = std::ranges::find(measurements_, point, &Measurement::point);
  return found == measurements_.end() ? nullptr : &*found;
}

absl::Status MeasurementLog::Add(const Measurement& measurement) {
  Keep(measurement);
  return Write(ToJson(measurement), std::ios::app);
}

void MeasurementLog::Keep(const Measurement& measurement) {
  const auto found = std::ranges::find(measurements_, measurement.point, &Measurement::point);
  if (found == measurements_.end()) {
    measurements_.push_back(measurement);
  } else {
    *found = measurement;
  }
}

absl::Status MeasurementLog::Write(const nlohmann::json& line, std::ios::openmode mode) const {
  std::ofstream stream(file_, mode);
  stream << line.dump() << std::endl;
  if (stream) return absl::OkStatus();
  return absl::ErrnoToStatus(errno, absl::StrCat("cannot write ", file_.string()));
}

}  // namespace escan
