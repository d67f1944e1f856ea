#include "config/scalars.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>

#include "absl/status/status.h"
#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"

namespace escan {
namespace {

struct Unit {
  std::string_view name;
  Duration length;
};

constexpr std::array<Unit, 5> kUnits = {{{"m", std::chrono::minutes(1)},
                                         {"s", std::chrono::seconds(1)},
                                         {"ms", std::chrono::milliseconds(1)},
                                         {"us", std::chrono::microseconds(1)},
                                         {"ns", std::chrono::nanoseconds(1)}}};

constexpr Duration kLongestDuration = std::chrono::hours(24);
constexpr size_t kLongestName = 64;

struct MemoryUnit {
  std::string_view name;
  size_t bytes;
};

constexpr size_t kMiB = size_t{1} << 20;
constexpr size_t kGiB = size_t{1} << 30;
constexpr std::array<MemoryUnit, 3> kMemoryUnits = {
    {{"GiB", kGiB}, {"MiB", kMiB}, {"KiB", size_t{1} << 10}}};
constexpr size_t kSmallestMemory = kMiB;
constexpr size_t kLargestMemory = kGiB << 10;

bool IsNameCharacter(char c) {
  return absl::ascii_isalnum(static_cast<unsigned char>(c)) || c == '_' || c == '-';
}

}  // namespace

absl::StatusOr<Duration> ParseDuration(const std::string& text) {
  const size_t number_end = std::min(text.find_first_not_of("0123456789."), text.size());
  const auto unit = std::find_if(kUnits.begin(), kUnits.end(), [&](const Unit& candidate) {
    return candidate.name == text.substr(number_end);
  });
  double number = 0;
  if (unit == kUnits.end() || !absl::SimpleAtod(text.substr(0, number_end), &number)) {
    return absl::InvalidArgumentError(
        absl::StrCat(text, " is not a duration, expected a number and a unit (ns, us, ms, s or m) ",
                     "as in 500us, 20ms or 1.5s"));
  }
  const double nanoseconds = std::round(number * static_cast<double>(unit->length.count()));
  if (nanoseconds > static_cast<double>(kLongestDuration.count())) {
    return absl::InvalidArgumentError(
        absl::StrCat(text, " is more than a day (", FormatDuration(kLongestDuration), ")"));
  }
  return Duration(static_cast<int64_t>(nanoseconds));
}

std::string FormatDuration(Duration duration) {
  if (duration == Duration::zero()) return "0s";
  const auto unit = std::find_if(kUnits.begin(), kUnits.end(), [&](const Unit& candidate) {
    return duration % candidate.length == Duration::zero();
  });
  return absl::StrCat(duration / unit->length, std::string(unit->name));
}

absl::StatusOr<size_t> ParseMemorySize(const std::string& text) {
  const size_t number_end = std::min(text.find_first_not_of("0123456789."), text.size());
  const auto unit = std::find_if(
      kMemoryUnits.begin(), kMemoryUnits.end(),
      [&](const MemoryUnit& candidate) { return candidate.name == text.substr(number_end); });
  double number = 0;
  if (unit == kMemoryUnits.end() || !absl::SimpleAtod(text.substr(0, number_end), &number)) {
    return absl::InvalidArgumentError(
        absl::StrCat(text, " is not a size of memory, expected a number and a unit (KiB, MiB or ",
                     "GiB) as in 512MiB or 6GiB"));
  }
  const double bytes = number * static_cast<double>(unit->bytes);
  if (bytes < static_cast<double>(kSmallestMemory)) {
    return absl::InvalidArgumentError(
        absl::StrCat(text, " is less than ", FormatMemorySize(kSmallestMemory)));
  }
  if (bytes > static_cast<double>(kLargestMemory)) {
    return absl::InvalidArgumentError(
        absl::StrCat(text, " is more than ", FormatMemorySize(kLargestMemory)));
  }
  if (std::fmod(bytes, static_cast<double>(kMiB)) != 0) {
    return absl::InvalidArgumentError(absl::StrCat(text, " is not a whole number of MiB"));
  }
  return static_cast<size_t>(bytes);
}

std::string FormatMemorySize(size_t bytes) {
  const bool whole_gib = bytes % kGiB == 0;
  return absl::StrCat(bytes / (whole_gib ? kGiB : kMiB), whole_gib ? "GiB" : "MiB");
}

absl::StatusOr<std::string> ParseName(const std::string& text) {
  if (!text.empty() && text.size() <= kLongestName &&
      std::all_of(text.begin(), text.end(), IsNameCharacter)) {
    return text;
  }
  return absl::InvalidArgumentError(absl::StrCat("\"", text, "\" is not a name, expected 1 to ",
                                                 kLongestName, " of A-Z a-z 0-9 _ -"));
}

absl::StatusOr<Datatype> ParseTensorDatatype(const std::string& text) {
  if (const std::optional<Datatype> datatype = ParseDatatype(text)) return *datatype;
  if (text == "BYTES") {
    return absl::InvalidArgumentError(
        "BYTES is not served: its elements have no fixed size; expected a datatype of fixed size");
  }
  return absl::InvalidArgumentError(absl::StrCat(
      text, " is not a datatype, expected BOOL, UINT8 to UINT64, INT8 to INT64, FP16, ",
      "FP32, FP64 or BF16"));
}

std::string FormatNumber(float number) {
  std::array<char, 64> buffer;
  const auto [end, error] = std::to_chars(buffer.data(), buffer.data() + buffer.size(), number);
  return std::string(buffer.data(), end);
}

}  // namespace escan
