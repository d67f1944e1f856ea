#include "config/files.h"

#include <fstream>
#include <sstream>
#include <system_error>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"

namespace escan {

absl::StatusOr<std::string> ReadFile(const std::filesystem::path& file) {
  std::error_code error;
  const std::filesystem::file_status status = std::filesystem::status(file, error);
  if (!std::filesystem::exists(status)) {
    return absl::NotFoundError(absl::StrCat("there is no file ", file.string()));
  }
  if (std::filesystem::is_directory(status)) {
    return absl::InvalidArgumentError(
        absl::StrCat(file.string(), " is a folder, expected a YAML file"));
  }
  std::ifstream stream(file, std::ios::binary);
  std::ostringstream text;
  if (!stream ||
      (stream.peek() != std::ifstream::traits_type::eof() && !(text << stream.rdbuf()))) {
    return absl::InvalidArgumentError(absl::StrCat(file.string(), " cannot be read"));
  }
  return text.str();
}

std::filesystem::path AbsolutePath(const std::filesystem::path& folder, const std::string& name) {
  std::error_code error;
  return std::filesystem::absolute(folder / name, error).lexically_normal();
}

}  // namespace escan
