#pragma once

#include <chrono>
#include <filesystem>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

// What is in the PEM files of TLS. Messages name the file; InvalidArgument unless said otherwise.
namespace escan {

using WallTime = std::chrono::system_clock::time_point;

// Whether the file holds certificates, one at least.
absl::Status CheckCertificates(const std::filesystem::path& file);

// Whether `key` is the private key, without a password, of the first certificate of `certificate`.
absl::Status CheckKey(const std::filesystem::path& certificate, const std::filesystem::path& key);

// From when until when the first certificate of a file is valid.
struct Validity {
  WallTime begin;
  WallTime end;
};
absl::StatusOr<Validity> ValidityOf(const std::filesystem::path& certificate);

}  // namespace escan
