#include "arrays/array_file.h"

#include <zlib.h>

#include <algorithm>
#include <bit>
#include <cerrno>
#include <cstring>
#include <memory>
#include <optional>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_split.h"
#include "absl/strings/string_view.h"
#include "absl/strings/strip.h"
#include "arrays/zip_archive.h"

namespace escan {
namespace {

static_assert(std::endian::native == std::endian::little, "raw contents are little-endian");

constexpr absl::string_view kNpyMagic = "\x93NUMPY";
constexpr int64_t kMaxElements = int64_t{1} << 40;

template <typename Integer>
Integer ReadBigEndian(absl::string_view bytes) {
  Integer value = 0;
  for (size_t i = 0; i < sizeof(Integer); ++i) {
    value = static_cast<Integer>(value << 8) | static_cast<uint8_t>(bytes[i]);
  }
  return value;
}

template <typename Integer>
Integer ReadLittleEndian(absl::string_view bytes) {
  Integer value;
  std::memcpy(&value, bytes.data(), sizeof(value));
  return value;
}

// http://yann.lecun.com/exdb/mnist: the third byte of the magic number.
std::optional<Datatype> IdxDatatype(uint8_t code) {
  switch (code) {
    case 0x08:
      return Datatype::kUint8;
    case 0x09:
      return Datatype::kInt8;
    case 0x0B:
      return Datatype::kInt16;
    case 0x0C:
      return Datatype::kInt32;
    case 0x0D:
      return Datatype::kFp32;
    case 0x0E:
      return Datatype::kFp64;
    default:
      return std::nullopt;
  }
}

// A NumPy type string without its byte order.
std::optional<Datatype> NpyDatatype(absl::string_view type) {
  static constexpr std::pair<absl::string_view, Datatype> kTypes[] = {
      {"b1", Datatype::kBool},   {"u1", Datatype::kUint8},  {"u2", Datatype::kUint16},
      {"u4", Datatype::kUint32}, {"u8", Datatype::kUint64}, {"i1", Datatype::kInt8},
      {"i2", Datatype::kInt16},  {"i4", Datatype::kInt32},  {"i8", Datatype::kInt64},
      {"f2", Datatype::kFp16},   {"f4", Datatype::kFp32},   {"f8", Datatype::kFp64},
  };
  for (const auto& [name, datatype] : kTypes) {
    if (name == type) return datatype;
  }
  return std::nullopt;
}

// Gives `array`, whose datatype and shape are known, the bytes behind `header_size`.
absl::StatusOr<Array> WithData(Array array, std::string content, size_t header_size,
                               bool big_endian) {
  int64_t elements = 1;
  for (const int64_t dimension : array.shape) {
    if (dimension <= 0 || elements > kMaxElements / dimension) {
      return absl::InvalidArgumentError(
          absl::StrCat("has the shape ", ShapeString(array.shape), ", which cannot be sent"));
    }
    elements *= dimension;
  }
  const size_t element_size = ByteSize(array.datatype);
  const size_t expected = static_cast<size_t>(elements) * element_size;
  const size_t found = content.size() - header_size;
  if (found != expected) {
    return absl::InvalidArgumentError(
        absl::StrFormat("holds %d bytes of data, expected %d for %s %s", found, expected,
                        Name(array.datatype), ShapeString(array.shape)));
  }
  content.erase(0, header_size);
  if (big_endian && element_size > 1) {
    for (size_t i = 0; i < content.size(); i += element_size) {
      std::reverse(content.begin() + i, content.begin() + i + element_size);
    }
  }
  array.bytes = std::move(content);
  return array;
}

absl::StatusOr<Array> ParseIdx(std::string content) {
  const auto code = static_cast<uint8_t>(content[2]);
  const size_t dimensions = static_cast<uint8_t>(content[3]);
  const size_t header_size = 4 + 4 * dimensions;
  const std::optional<Datatype> datatype = IdxDatatype(code);
  if (!datatype) {
    return absl::InvalidArgumentError(
        absl::StrCat("is an IDX file of the unknown type 0x", absl::Hex(code, absl::kZeroPad2)));
  }
  if (dimensions == 0 || content.size() < header_size) {
    return absl::InvalidArgumentError(absl::StrCat("is an IDX file of ", dimensions,
                                                   " dimensions that ends after ", content.size(),
                                                   " bytes"));
  }
  Array array{.datatype = *datatype, .shape = {}, .bytes = {}};
  for (size_t i = 0; i < dimensions; ++i) {
    array.shape.push_back(ReadBigEndian<uint32_t>(absl::string_view(content).substr(4 + 4 * i, 4)));
  }
  return WithData(std::move(array), std::move(content), header_size, /*big_endian=*/true);
}

// What stands behind `'key':` in the Python dictionary of a .npy header; empty when it is absent.
absl::string_view NpyField(absl::string_view header, absl::string_view key) {
  const std::string quoted = absl::StrCat("'", key, "':");
  const size_t at = header.find(quoted);
  if (at == absl::string_view::npos) return {};
  absl::string_view rest = absl::StripLeadingAsciiWhitespace(header.substr(at + quoted.size()));
  if (absl::StartsWith(rest, "(")) return rest.substr(0, rest.find(')') + 1);
  return absl::StripTrailingAsciiWhitespace(rest.substr(0, rest.find_first_of(",}")));
}

absl::StatusOr<std::vector<int64_t>> ParseNpyShape(absl::string_view text) {
  std::vector<int64_t> shape;
  absl::string_view inner = text;
  const bool tuple = absl::ConsumePrefix(&inner, "(") && absl::ConsumeSuffix(&inner, ")");
  for (absl::string_view part : absl::StrSplit(inner, ',', absl::SkipWhitespace())) {
    int64_t dimension = 0;
    if (!absl::SimpleAtoi(part, &dimension)) shape.clear();
    shape.push_back(dimension);
  }
  if (!tuple || shape.empty()) {
    return absl::InvalidArgumentError(
        absl::StrCat("has the shape ", text, ", expected at least one dimension"));
  }
  return shape;
}

// https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html
absl::StatusOr<Array> ParseNpy(std::string content) {
  const auto cut_short = absl::InvalidArgumentError("is a .npy file that ends inside its header");
  const absl::string_view view = content;
  if (view.size() < 12) return cut_short;
  const size_t length_size = view[6] == 1 ? 2 : 4;
  const size_t header_start = 8 + length_size;
  const size_t length = length_size == 2 ? ReadLittleEndian<uint16_t>(view.substr(8))
                                         : ReadLittleEndian<uint32_t>(view.substr(8));
  if (view.size() - header_start < length) return cut_short;
  const absl::string_view header = view.substr(header_start, length);

  absl::string_view type = NpyField(header, "descr");
  const std::string described(type);
  absl::ConsumePrefix(&type, "'");
  absl::ConsumeSuffix(&type, "'");
  const bool big_endian = absl::StartsWith(type, ">");
  const std::optional<Datatype> datatype = NpyDatatype(type.empty() ? type : type.substr(1));
  if (!datatype) {
    return absl::InvalidArgumentError(
        absl::StrCat("has the NumPy type ", described, ", expected a number or a truth value"));
  }
  if (NpyField(header, "fortran_order") != "False") {
    return absl::InvalidArgumentError("is in Fortran order, expected C order");
  }
  absl::StatusOr<std::vector<int64_t>> shape = ParseNpyShape(NpyField(header, "shape"));
  if (!shape.ok()) return shape.status();
  Array array{.datatype = *datatype, .shape = *std::move(shape), .bytes = {}};
  return WithData(std::move(array), std::move(content), header_start + length, big_endian);
}

absl::StatusOr<std::string> ReadMaybeCompressed(const std::filesystem::path& file) {
  errno = 0;
  const std::unique_ptr<gzFile_s, int (*)(gzFile)> input(gzopen(file.c_str(), "rbe"), gzclose);
  if (input == nullptr) {
    return absl::NotFoundError(absl::StrCat(file.native(), ": ", std::strerror(errno)));
  }
  std::string content;
  std::string block(size_t{1} << 20, '\0');
  int count;
  while ((count = gzread(input.get(), block.data(), static_cast<unsigned>(block.size()))) > 0) {
    content.append(block, 0, static_cast<size_t>(count));
  }
  int error = Z_OK;
  const char* message = gzerror(input.get(), &error);
  if (count < 0 || (error != Z_OK && error != Z_STREAM_END)) {
    return absl::InvalidArgumentError(
        absl::StrCat(file.native(), ": ", error == Z_ERRNO ? std::strerror(errno) : message));
  }
  return content;
}

template <typename Integer>
std::vector<int64_t> Widen(const std::string& bytes) {
  std::vector<int64_t> values(bytes.size() / sizeof(Integer));
  for (size_t i = 0; i < values.size(); ++i) {
    values[i] = static_cast<int64_t>(
        ReadLittleEndian<Integer>(absl::string_view(bytes).substr(i * sizeof(Integer))));
  }
  return values;
}

}  // namespace

absl::StatusOr<Array> ParseArray(std::string content) {
  if (absl::StartsWith(content, kNpyMagic)) return ParseNpy(std::move(content));
  if (content.size() >= 4 && content[0] == 0 && content[1] == 0) {
    return ParseIdx(std::move(content));
  }
  if (content.empty()) return absl::InvalidArgumentError("is empty");
  return absl::InvalidArgumentError(
      absl::StrCat("is neither an IDX nor a .npy file: it begins with ",
                   absl::BytesToHexString(content.substr(0, 4))));
}

absl::StatusOr<Array> ReadArrayFile(const std::filesystem::path& file) {
  absl::StatusOr<std::string> content = ReadMaybeCompressed(file);
  if (!content.ok()) return content.status();
  absl::StatusOr<Array> array = ParseArray(*std::move(content));
  if (!array.ok()) {
    return absl::Status(array.status().code(),
                        absl::StrCat(file.native(), ": ", array.status().message()));
  }
  return array;
}

absl::StatusOr<std::map<std::string, Array>> ReadArrayArchive(const std::filesystem::path& file) {
  const auto wrong = [&file](const absl::Status& status, absl::string_view what) {
    return absl::Status(status.code(), absl::StrCat(file.native(), ": ", what, status.message()));
  };
  absl::StatusOr<std::string> content = ReadMaybeCompressed(file);
  if (!content.ok()) return content.status();
  if (!ZipArchive::LooksLikeOne(*content)) {
    return wrong(absl::InvalidArgumentError("is not a .npz file"), "");
  }
  const absl::StatusOr<ZipArchive> archive = ZipArchive::Open(*content);
  if (!archive.ok()) return wrong(archive.status(), "");
  std::map<std::string, Array> arrays;
  for (const ZipArchive::Record& record : archive->records()) {
    const std::string name(absl::StripSuffix(std::string(record.name), ".npy"));
    absl::StatusOr<std::string> bytes = archive->Read(record);
    if (!bytes.ok()) return wrong(bytes.status(), "");
    absl::StatusOr<Array> array = ParseArray(*std::move(bytes));
    if (!array.ok()) return wrong(array.status(), absl::StrCat("array '", name, "' "));
    if (!arrays.emplace(name, *std::move(array)).second) {
      return wrong(absl::InvalidArgumentError("is there twice"),
                   absl::StrCat("array '", name, "' "));
    }
  }
  return arrays;
}

absl::StatusOr<std::vector<int64_t>> ReadLabels(const std::filesystem::path& file) {
  absl::StatusOr<Array> array = ReadArrayFile(file);
  if (!array.ok()) return array.status();
  const std::vector<int64_t>& shape = array->shape;
  if (!IsInteger(array->datatype) || shape.size() > 2 || (shape.size() == 2 && shape[1] != 1)) {
    return absl::InvalidArgumentError(
        absl::StrFormat("%s: holds %s %s, expected one integer label a row", file.native(),
                        Name(array->datatype), ShapeString(shape)));
  }
  switch (array->datatype) {
    case Datatype::kUint8:
      return Widen<uint8_t>(array->bytes);
    case Datatype::kUint16:
      return Widen<uint16_t>(array->bytes);
    case Datatype::kUint32:
      return Widen<uint32_t>(array->bytes);
    case Datatype::kInt8:
      return Widen<int8_t>(array->bytes);
    case Datatype::kInt16:
      return Widen<int16_t>(array->bytes);
    case Datatype::kInt32:
      return Widen<int32_t>(array->bytes);
    default:
      return Widen<int64_t>(array->bytes);
  }
}

}  // namespace escan
