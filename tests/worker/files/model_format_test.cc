#include "worker/files/model_format.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "arrays/zip_files.h"

namespace escan {
namespace {

using testing::HasSubstr;

const std::string kExpected =
    ": expected TorchScript (torch.jit.script or torch.jit.trace, then save) or a package of "
    "AOTInductor (torch._inductor.aoti_compile_and_package)";

std::string Refusal(const std::string& content) {
  return std::string(FindModelFormat(content).status().message());
}

std::string NotLoaded(const std::string& format) {
  return "this is " + format + ", which ESCAN does not load" + kExpected;
}

std::vector<ZipRecord> Script() {
  return {{"m/data.pkl", "pickle"},
          {"m/code/__torch__.py", "class M(Module):\n  def forward(self, x):\n", true},
          {"m/data/0", "weights of the first layer"},
          {"m/data/1", std::string(200'000, 'w')},
          {"m/constants.pkl", "none"}};
}

// --- other formats

TEST(ModelFormat, NamesWhatIsNoArchive) {
  EXPECT_EQ(Refusal(""), "the file is empty" + kExpected);
  EXPECT_EQ(Refusal(std::string(100'000, '\0')), "the file holds zeros only" + kExpected);
  EXPECT_EQ(
      Refusal("version https://git-lfs.github.com/spec/v1\noid sha256:4d7a2146\nsize 12\n"),
      "this is a Git LFS pointer, not the file it stands for (`git lfs pull` gets it)" + kExpected);
  EXPECT_EQ(Refusal("\n<!DOCTYPE HTML>\n<head>"),
            "this is an HTML page, as a download that failed leaves" + kExpected);
  EXPECT_EQ(Refusal("Access denied: caf\xc3\xa9 \"a\"\nsecond line"),
            "this is text (\"Access denied: caf?? \"a\"\")" + kExpected);
  EXPECT_EQ(Refusal("\x89HDF\r\n\x1a\n and more"), NotLoaded("an HDF5 file, as Keras writes"));
  EXPECT_EQ(Refusal(std::string("ftrt\0\0\0\1", 8)), NotLoaded("a TensorRT engine"));
  EXPECT_EQ(Refusal("\177ELF\2\1\1"), NotLoaded("a shared library or program"));
  EXPECT_EQ(Refusal("\x1f\x8b\x08"), NotLoaded("a compressed file"));
  EXPECT_EQ(Refusal(std::string(257, '\0') + "ustar"), NotLoaded("a tar archive"));
  EXPECT_EQ(Refusal(std::string("\x1c\0\0\0TFL3", 8)), NotLoaded("a TensorFlow Lite model"));
  EXPECT_EQ(Refusal("\x80\x04\x95 a dictionary"), NotLoaded("a pickle"));
  EXPECT_EQ(
      Refusal("\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19.\x80\x02M"),
      NotLoaded("what torch.save wrote before PyTorch 1.6, a state_dict or a pickled module"));
  EXPECT_EQ(Refusal(std::string("\xfe\xed\0\1", 4)), NotLoaded("a file of no known format"));
}

TEST(ModelFormat, NamesSafetensors) {
  const std::string header = R"({"w":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}})";
  const std::string length(1, static_cast<char>(header.size()));
  const std::string content = length + std::string(7, '\0') + header + std::string(4, '\0');
  EXPECT_EQ(Refusal(content), NotLoaded("a safetensors file, weights without code"));
}

// As torch.onnx.export writes it: ir_version, producer_name, producer_version, graph, opset_import.
TEST(ModelFormat, NamesOnnx) {
  const std::string graph = "\x0a\x04node\x12\x04name";
  const std::string model = std::string("\x08\x0a\x12\x07pytorch\x1a\x06") + "2.11.0" + "\x3a" +
                            static_cast<char>(graph.size()) + graph + "\x42\x02\x10\x12";
  EXPECT_EQ(Refusal(model), NotLoaded("an ONNX model"));
  EXPECT_EQ(Refusal(model.substr(0, model.size() - 8)), NotLoaded("an ONNX model"));
  // Other orders are allowed; a field that is none of ONNX's makes it something else.
  EXPECT_EQ(Refusal(model.substr(2) + model.substr(0, 2)), NotLoaded("an ONNX model"));
  EXPECT_EQ(Refusal(model + "\x52\x01\x80"), NotLoaded("a file of no known format"));
}

TEST(ModelFormat, NamesATensorFlowModel) {
  EXPECT_EQ(Refusal("\x08\x01\x12\x09\x0a\x07 v2.15 "), NotLoaded("a TensorFlow SavedModel"));
}

TEST(ModelFormat, NamesOtherArchives) {
  EXPECT_EQ(Refusal(Zip({{"m/archive_format", "pt2"},
                         {"m/models/model.json", "{}"},
                         {"m/data/weights/weight_0", "w"}})),
            NotLoaded("a torch.export archive"));
  EXPECT_EQ(Refusal(Zip({{"version", "1"}, {"serialized_exported_program.json", "{}"}})),
            NotLoaded("a torch.export archive"));
  EXPECT_EQ(
      Refusal(Zip({{"m/data.pkl", "p"}, {"m/data/0", "w"}, {"m/version", "3"}})),
      "this is what torch.save writes, a state_dict or a pickled module, without code" + kExpected);
  EXPECT_EQ(Refusal(Zip({{"config.json", "{}"}, {"model.weights.h5", "w"}})),
            NotLoaded("a Keras model"));
  EXPECT_EQ(Refusal(Zip({{"p/.data/extern_modules", ""}, {"p/m/m.pkl", "p"}})),
            NotLoaded("a torch.package archive"));
  EXPECT_EQ(Refusal(Zip({{"word/document.xml", "<a/>"}})),
            NotLoaded("a zip archive of something else"));
  EXPECT_EQ(Refusal(Zip({})), NotLoaded("a zip archive of something else"));
}

// --- what is loaded

TEST(ModelFormat, IsOfOneOfTwoKinds) {
  EXPECT_EQ(FindModelFormat(Zip(Script())).value(), ModelFormat::kTorchScript);
  EXPECT_EQ(FindModelFormat(
                Zip({{"m/archive_format", "pt2"}, {"m/data/aotinductor/model/c7.so", "\177ELF"}}))
                .value(),
            ModelFormat::kAotInductor);
}

// --- damage

class Damage : public testing::TestWithParam<bool> {
 protected:
  const std::string content_ = Zip(Script(), GetParam());

  std::string Flipped(size_t at) const {
    std::string content = content_;
    content.at(at) = static_cast<char>(content.at(at) ^ 4);
    return content;
  }
};

INSTANTIATE_TEST_SUITE_P(ModelFormat, Damage, testing::Bool(), [](const auto& sizes) {
  return sizes.param ? "WithSizesOf64Bits" : "WithSizesOf32Bits";
});

TEST_P(Damage, IsNotSeenWhereThereIsNone) {
  EXPECT_TRUE(FindModelFormat(content_).ok()) << FindModelFormat(content_).status();
  EXPECT_TRUE(FindModelFormat(Zip({{"m/model.json", "{}"}}, GetParam())).ok());
}

TEST_P(Damage, NamesTheRecordAndBothChecksums) {
  EXPECT_EQ(Refusal(Flipped(content_.find("first layer"))),
            "record 'm/data/0' is damaged: its checksum is 00c25d2c, its content's b01b2eae");
}

TEST_P(Damage, IsFoundInARecordThatIsCompressed) {
  const size_t record = content_.find("m/code/__torch__.py") + 19 + 6;
  for (size_t at = record; at < record + 20; ++at) {
    EXPECT_THAT(Refusal(Flipped(at)), HasSubstr("record 'm/code/__torch__.py' is damaged: "));
  }
}

// Every byte counts but those that nothing is read from: torch reads neither what a record's own
// header repeats of the directory, nor versions, times, padding and the like.
TEST_P(Damage, IsFoundInEveryByteOfContentsAndNames) {
  const std::string small =
      Zip({{"m/data.pkl", "pickle"}, {"m/constants.pkl", "none"}}, GetParam());
  for (const std::string part : {"m/data.pkl", "m/constants.pkl", "pickle", "none"}) {
    for (size_t first = small.find(part); first != small.npos;
         first = small.find(part, first + 1)) {
      for (size_t at = first; at < first + part.size(); ++at) {
        std::string content = small;
        content[at] = static_cast<char>(content[at] ^ 1);
        EXPECT_FALSE(FindModelFormat(content).ok()) << part << " at " << at;
      }
    }
  }
}

// Cut anywhere, or with any one byte wrong, it is refused or goes through: nothing is read from
// outside.
TEST_P(Damage, EndsInAnAnswerWhateverItIs) {
  const std::string small =
      Zip({{"m/constants.pkl", "none"}, {"m/code", "aaaaaaaaaaaaaa", true}}, GetParam());
  for (size_t size = 0; size < small.size(); ++size) {
    // A copy of its own on the heap, at whose end a sanitizer watches.
    const std::vector<char> cut(small.begin(), small.begin() + static_cast<ptrdiff_t>(size));
    EXPECT_FALSE(FindModelFormat({cut.data(), cut.size()}).ok()) << size;
  }
  for (size_t at = 0; at < small.size(); ++at) {
    for (const int wrong : {0x01, 0x80, 0xff}) {
      std::vector<char> content(small.begin(), small.end());
      content[at] = static_cast<char>(content[at] ^ wrong);
      FindModelFormat({content.data(), content.size()}).IgnoreError();
    }
  }
}

TEST_P(Damage, IsNamedWhenTheEndIsMissing) {
  const std::string message =
      "this is a zip archive that was cut short: the directory at its end is missing" + kExpected;
  EXPECT_EQ(Refusal(content_.substr(0, content_.size() / 2)), message);
  EXPECT_EQ(Refusal(content_.substr(0, content_.size() - 1)), message);
}

TEST_P(Damage, IsNamedWhenThereIsAHoleInTheMiddle) {
  std::string content = content_;
  content.erase(content.find("wwww"), 4096);
  EXPECT_EQ(Refusal(content), "the directory of this zip archive is damaged" + kExpected);
}

TEST_P(Damage, IsNamedWhereTheDirectoryIsWrong) {
  EXPECT_EQ(Refusal(Flipped(content_.find("PK\1\2"))),
            "the directory of this zip archive is damaged" + kExpected);
  EXPECT_EQ(Refusal(Flipped(content_.rfind("m/data/0"))),
            "record 'i/data/0' is damaged: its header is not at byte " +
                std::to_string(content_.find("m/data/0") - 30));
}

}  // namespace
}  // namespace escan
