#include "worker/files/model_format.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <cstdint>
#include <cstring>
#include <optional>
#include <string>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "arrays/zip_archive.h"

namespace escan {
namespace {

constexpr char kExpected[] =
    "expected TorchScript (torch.jit.script or torch.jit.trace, then save) or a package of "
    "AOTInductor (torch._inductor.aoti_compile_and_package)";

absl::Status Refuse(const std::string& what) {
  return absl::InvalidArgumentError(absl::StrCat(what, ": ", kExpected));
}

bool Contains(std::string_view text, std::string_view part) { return text.find(part) != text.npos; }

absl::Status NotLoaded(const std::string& format) {
  return Refuse(absl::StrCat("this is ", format, ", which ESCAN does not load"));
}

// --- formats that begin with bytes of their own

struct Magic {
  size_t offset;
  std::string_view bytes;
  std::string_view format;
};

constexpr std::string_view kCompressed = "a compressed file";
constexpr std::string_view kTensorRt = "a TensorRT engine";

constexpr Magic kMagics[] = {
    {0, "\x89HDF\r\n\x1a\n", "an HDF5 file, as Keras writes"},
    {0, "ftrt", kTensorRt},
    {0, "ptrt", kTensorRt},
    {0, "GGUF", "a GGUF file"},
    {0, "\177ELF", "a shared library or program"},
    {4, "TFL3", "a TensorFlow Lite model"},
    {4, "ET12", "an ExecuTorch program"},
    {0, "\x1f\x8b", kCompressed},          // gzip
    {0, "\3757zXZ", kCompressed},          // xz
    {0, "\x28\xb5\x2f\xfd", kCompressed},  // zstd
    {257, "ustar", "a tar archive"},
    // The number that torch.save of releases before 1.6 begins with, pickled.
    {0,
     {"\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19", 14},
     "what torch.save wrote before PyTorch 1.6, a state_dict or a pickled module"},
    {0, "\x80\x02", "a pickle"},
    {0, "\x80\x03", "a pickle"},
    {0, "\x80\x04", "a pickle"},
    {0, "\x80\x05", "a pickle"},
};

std::optional<std::string_view> FormatOfMagic(std::string_view content) {
  for (const Magic& magic : kMagics) {
    if (content.size() >= magic.offset && content.substr(magic.offset).starts_with(magic.bytes)) {
      return magic.format;
    }
  }
  return std::nullopt;
}

// A length of eight bytes and so much JSON, which describes tensors.
bool IsSafetensors(std::string_view content) {
  uint64_t length = 0;
  if (content.size() < sizeof(length)) return false;
  std::memcpy(&length, content.data(), sizeof(length));
  content.remove_prefix(sizeof(length));
  return length <= content.size() && content.starts_with("{") &&
         (Contains(content.substr(0, length), "\"dtype\"") ||
          Contains(content.substr(0, length), "\"__metadata__\""));
}

// --- protocol buffers

// Takes a number of variable length off the bytes; nullopt when there is none.
std::optional<uint64_t> TakeVarint(std::string_view* bytes) {
  uint64_t value = 0;
  for (int shift = 0; shift < 64 && !bytes->empty(); shift += 7) {
    const auto byte = static_cast<unsigned char>(bytes->front());
    bytes->remove_prefix(1);
    value |= static_cast<uint64_t>(byte & 0x7f) << shift;
    if (byte < 0x80) return value;
  }
  return std::nullopt;
}

// The fields of a message that are numbers (`numbers`) or have a length (`blocks`), a bit for each
// field number. A last field that is cut short counts.
struct Fields {
  uint64_t numbers = 0;
  uint64_t blocks = 0;
  uint64_t first_number = 0;  // value of field 1
};

// Nullopt when the content is no such message.
std::optional<Fields> ReadFields(std::string_view content) {
  constexpr uint64_t kNumber = 0;
  constexpr uint64_t kBlock = 2;
  Fields fields;
  while (!content.empty()) {
    const std::optional<uint64_t> tag = TakeVarint(&content);
    const std::optional<uint64_t> value = TakeVarint(&content);
    if (!tag || !value) return std::nullopt;
    const uint64_t field = *tag >> 3;
    if (field == 0 || field >= 64) return std::nullopt;
    if ((*tag & 7) == kNumber) {
      fields.numbers |= uint64_t{1} << field;
      if (field == 1) fields.first_number = *value;
    } else if ((*tag & 7) == kBlock) {
      fields.blocks |= uint64_t{1} << field;
      content.remove_prefix(std::min<uint64_t>(*value, content.size()));
    } else {
      return std::nullopt;
    }
  }
  return fields;
}

constexpr uint64_t Bits(std::initializer_list<int> fields) {
  uint64_t bits = 0;
  for (const int field : fields) bits |= uint64_t{1} << field;
  return bits;
}

std::optional<std::string_view> FormatOfMessage(std::string_view content) {
  const std::optional<Fields> found = ReadFields(content);
  if (!found || found->first_number == 0) return std::nullopt;
  // ModelProto of onnx.proto: ir_version, model_version; strings, graph (7), imports, training,
  // functions.
  constexpr uint64_t kOnnxNumbers = Bits({1, 5});
  constexpr uint64_t kOnnxBlocks = Bits({2, 3, 4, 6, 7, 8, 14, 20, 25, 26});
  constexpr uint64_t kMostIrVersion = 1000;
  if ((found->blocks & Bits({7})) != 0 && (found->blocks & ~kOnnxBlocks) == 0 &&
      (found->numbers & ~kOnnxNumbers) == 0 && found->first_number < kMostIrVersion) {
    return "an ONNX model";
  }
  // SavedModel of saved_model.proto: saved_model_schema_version, meta_graphs.
  if (found->blocks == Bits({2}) && found->numbers == Bits({1}) && found->first_number == 1) {
    return "a TensorFlow SavedModel";
  }
  return std::nullopt;
}

// --- text

constexpr size_t kTextSample = 512;
constexpr size_t kTextShown = 40;

bool IsText(std::string_view content) {
  const std::string_view sample = content.substr(0, kTextSample);
  return std::all_of(sample.begin(), sample.end(), [](unsigned char c) {
    return c >= 0x80 || std::isprint(c) != 0 || std::isspace(c) != 0;
  });
}

// The beginning of a text, on one line.
std::string Excerpt(std::string_view text) {
  std::string excerpt(text.substr(0, std::min(kTextShown, text.find_first_of("\r\n"))));
  std::replace_if(
      excerpt.begin(), excerpt.end(), [](unsigned char c) { return c < ' ' || c >= 0x7f; }, '?');
  return excerpt;
}

absl::Status RefuseText(std::string_view content) {
  if (content.starts_with("version https://git-lfs.github.com/spec/")) {
    return Refuse("this is a Git LFS pointer, not the file it stands for (`git lfs pull` gets it)");
  }
  const std::string start = absl::AsciiStrToLower(std::string(content.substr(0, kTextSample)));
  if (Contains(start, "<html") || Contains(start, "<!doctype html")) {
    return Refuse("this is an HTML page, as a download that failed leaves");
  }
  return Refuse(absl::StrCat("this is text (\"", Excerpt(content), "\")"));
}

// --- zip archives

// The name without the folder that torch puts around all that it writes.
std::string_view WithoutRoot(std::string_view name) {
  const size_t slash = name.find('/');
  return slash == name.npos ? name : name.substr(slash + 1);
}

// Whether a record has this name, or lies in it if it ends in a slash; in torch's folder or not.
bool Has(const ZipArchive& archive, std::string_view wanted) {
  const auto is_it = [wanted](std::string_view name) {
    return wanted.back() == '/' ? name.starts_with(wanted) : name == wanted;
  };
  return std::any_of(archive.records().begin(), archive.records().end(),
                     [&](const ZipArchive::Record& record) {
                       return is_it(record.name) || is_it(WithoutRoot(record.name));
                     });
}

struct Contents {
  std::string_view record;
  std::string_view format;
};

// The first that is there decides.
constexpr Contents kForeignContents[] = {
    {"archive_format", "a torch.export archive"},
    {"serialized_exported_program.json", "a torch.export archive"},
    {"model.weights.h5", "a Keras model"},
    {".data/extern_modules", "a torch.package archive"},
};

// Those of TorchScript; the second of releases before 1.4, which torch still loads.
constexpr std::array kOwnContents = {std::string_view("constants.pkl"),
                                     std::string_view("model.json")};

constexpr std::string_view kCompiledModels = "data/aotinductor/";

absl::StatusOr<ModelFormat> FormatOfArchive(std::string_view content) {
  const auto checked = [](const ZipArchive& archive,
                          ModelFormat format) -> absl::StatusOr<ModelFormat> {
    if (const absl::Status status = archive.Check(); !status.ok()) return status;
    return format;
  };
  const absl::StatusOr<ZipArchive> archive = ZipArchive::Open(content);
  if (!archive.ok()) return Refuse(std::string(archive.status().message()));
  if (Has(*archive, kCompiledModels)) return checked(*archive, ModelFormat::kAotInductor);
  for (const Contents& foreign : kForeignContents) {
    if (Has(*archive, foreign.record)) return NotLoaded(std::string(foreign.format));
  }
  const bool own = std::any_of(kOwnContents.begin(), kOwnContents.end(),
                               [&](std::string_view record) { return Has(*archive, record); });
  if (own) return checked(*archive, ModelFormat::kTorchScript);
  if (Has(*archive, "data.pkl")) {
    return Refuse("this is what torch.save writes, a state_dict or a pickled module, without code");
  }
  return NotLoaded("a zip archive of something else");
}

}  // namespace

absl::StatusOr<ModelFormat> FindModelFormat(std::string_view content) {
  if (content.empty()) return Refuse("the file is empty");
  if (ZipArchive::LooksLikeOne(content)) return FormatOfArchive(content);
  if (const auto format = FormatOfMagic(content)) return NotLoaded(std::string(*format));
  if (IsSafetensors(content)) return NotLoaded("a safetensors file, weights without code");
  if (const auto format = FormatOfMessage(content)) return NotLoaded(std::string(*format));
  if (IsText(content)) return RefuseText(content);
  if (content.find_first_not_of('\0') == content.npos) return Refuse("the file holds zeros only");
  return NotLoaded("a file of no known format");
}

}  // namespace escan
