#include "worker/torch/torch_error.h"

#include <c10/util/Exception.h>

#include "absl/strings/match.h"
#include "absl/strings/str_split.h"
#include "absl/strings/string_view.h"

namespace escan {
namespace {

constexpr size_t kMaxLength = 200;

// Begins the message of every error that passes through the interpreter. A traceback with lines of
// source follows, then the kind of error and the error itself.
constexpr absl::string_view kInterpreterPrefix =
    "The following operation failed in the TorchScript interpreter";
constexpr absl::string_view kErrorPrefix = "\nRuntimeError: ";

absl::string_view FirstLine(absl::string_view text) {
  for (const absl::string_view line : absl::StrSplit(text, '\n')) {
    if (!line.empty()) return line;
  }
  return text;
}

// Exceptions of other kinds, which only Python code can raise, have no fixed prefix; the last line
// that is not indented, as source is, is theirs.
absl::string_view ErrorBehindTraceback(absl::string_view text) {
  const size_t error = text.rfind(kErrorPrefix);
  if (error != absl::string_view::npos) return FirstLine(text.substr(error + kErrorPrefix.size()));
  absl::string_view last = FirstLine(text);
  for (const absl::string_view line : absl::StrSplit(text, '\n')) {
    if (!line.empty() && line.front() != ' ') last = line;
  }
  return last;
}

}  // namespace

std::string DescribeTorchError(const std::exception& error) {
  const auto* torch_error = dynamic_cast<const c10::Error*>(&error);
  const absl::string_view text =
      torch_error != nullptr ? torch_error->what_without_backtrace() : error.what();
  const absl::string_view line =
      absl::StartsWith(text, kInterpreterPrefix) ? ErrorBehindTraceback(text) : FirstLine(text);
  return std::string(line.substr(0, kMaxLength));
}

}  // namespace escan
