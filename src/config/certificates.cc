#include "config/certificates.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

#include <ctime>
#include <memory>
#include <string>

#include "absl/strings/str_cat.h"
#include "config/files.h"

namespace escan {
namespace {

using Bio = std::unique_ptr<BIO, decltype(&BIO_free)>;
using Certificate = std::unique_ptr<X509, decltype(&X509_free)>;
using Key = std::unique_ptr<EVP_PKEY, decltype(&EVP_PKEY_free)>;

// In place of asking at the terminal.
int NoPassword(char*, int, int, void*) { return -1; }

// What `read` makes of a PEM file; null, without OpenSSL's errors, where that is nothing.
template <typename Object>
absl::StatusOr<std::unique_ptr<Object, void (*)(Object*)>> ReadPem(
    const std::filesystem::path& file, Object* (*read)(BIO*, Object**, pem_password_cb*, void*),
    void (*free)(Object*)) {
  const absl::StatusOr<std::string> text = ReadFile(file);
  if (!text.ok()) return absl::InvalidArgumentError(text.status().message());
  const Bio bio(BIO_new_mem_buf(text->data(), static_cast<int>(text->size())), &BIO_free);
  Object* const object = bio == nullptr ? nullptr : read(bio.get(), nullptr, NoPassword, nullptr);
  ERR_clear_error();
  return std::unique_ptr<Object, void (*)(Object*)>(object, free);
}

absl::StatusOr<Certificate> FirstCertificate(const std::filesystem::path& file) {
  auto certificate = ReadPem<X509>(file, &PEM_read_bio_X509, &X509_free);
  if (!certificate.ok()) return certificate.status();
  if (*certificate == nullptr) {
    return absl::InvalidArgumentError(
        absl::StrCat(file.string(), " holds no certificate, expected PEM"));
  }
  return *std::move(certificate);
}

absl::StatusOr<WallTime> TimeOf(const std::filesystem::path& file, const ASN1_TIME* time) {
  std::tm broken_down{};
  if (ASN1_TIME_to_tm(time, &broken_down) != 1) {
    return absl::InvalidArgumentError(absl::StrCat(file.string(), " has a time that is none"));
  }
  return std::chrono::system_clock::from_time_t(timegm(&broken_down));
}

}  // namespace

absl::Status CheckCertificates(const std::filesystem::path& file) {
  return FirstCertificate(file).status();
}

absl::Status CheckKey(const std::filesystem::path& certificate, const std::filesystem::path& key) {
  const absl::StatusOr<Certificate> first = FirstCertificate(certificate);
  if (!first.ok()) return first.status();
  const auto secret = ReadPem<EVP_PKEY>(key, &PEM_read_bio_PrivateKey, &EVP_PKEY_free);
  if (!secret.ok()) return secret.status();
  if (*secret == nullptr) {
    return absl::InvalidArgumentError(
        absl::StrCat(key.string(), " holds no private key, expected PEM without a password"));
  }
  const bool fits = X509_check_private_key(first->get(), secret->get()) == 1;
  ERR_clear_error();
  if (fits) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat(key.string(), " is not the key of the certificate ", certificate.string()));
}

absl::StatusOr<Validity> ValidityOf(const std::filesystem::path& certificate) {
  const absl::StatusOr<Certificate> first = FirstCertificate(certificate);
  if (!first.ok()) return first.status();
  const absl::StatusOr<WallTime> begin = TimeOf(certificate, X509_get0_notBefore(first->get()));
  if (!begin.ok()) return begin.status();
  const absl::StatusOr<WallTime> end = TimeOf(certificate, X509_get0_notAfter(first->get()));
  if (!end.ok()) return end.status();
  return Validity{.begin = *begin, .end = *end};
}

}  // namespace escan
