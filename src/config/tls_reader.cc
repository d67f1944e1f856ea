#include "config/tls_reader.h"

#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "config/certificates.h"

namespace escan {
namespace {

void Note(const NodeReader& node, const absl::Status& status) {
  if (!status.ok()) node.AddMistake(std::string(status.message()));
}

std::string Day(WallTime time) {
  return absl::FormatTime("%Y-%m-%d", absl::FromChrono(time), absl::UTCTimeZone());
}

absl::Status CheckValidity(const std::filesystem::path& certificate) {
  const absl::StatusOr<Validity> validity = ValidityOf(certificate);
  if (!validity.ok()) return validity.status();
  const WallTime now = std::chrono::system_clock::now();
  if (now >= validity->begin && now < validity->end) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat(
      certificate.string(), now < validity->begin ? " is not valid before " : " expired on ",
      Day(now < validity->begin ? validity->begin : validity->end)));
}

}  // namespace

std::optional<TlsConfig> ReadTls(const NodeReader& node, const std::filesystem::path& folder) {
  if (!node.present()) return std::nullopt;
  const MapReader map(node, {"certificate", "key", "client_ca"});
  const NodeReader certificate = map.Required("certificate");
  const NodeReader key = map.Required("key");
  TlsConfig tls;
  tls.certificate = certificate.AsPath(folder).value_or("");
  tls.key = key.AsPath(folder).value_or("");
  tls.client_ca = map["client_ca"].AsPath(folder).value_or("");
  if (!tls.client_ca.empty()) Note(map["client_ca"], CheckCertificates(tls.client_ca));
  if (tls.certificate.empty()) return tls;
  const absl::Status valid = CheckValidity(tls.certificate);
  Note(certificate, valid);
  if (valid.ok() && !tls.key.empty()) Note(key, CheckKey(tls.certificate, tls.key));
  return tls;
}

}  // namespace escan
