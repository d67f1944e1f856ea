#include "worker/files/compiled_package.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

#include "arrays/zip_files.h"
#include "worker/files/shared_library.h"

namespace escan {
namespace {

using testing::HasSubstr;

const std::string kCuda =
    R"({"AOTI_DEVICE_KEY": "cuda", "AOTI_COMPUTE_CAPABILITY": "90", "AOTI_CPU_ISA": "AVX512"})";
const std::string kCpu = R"({"AOTI_DEVICE_KEY": "cpu", "AOTI_CPU_ISA": "AMX_TILE"})";

std::string WhyNot(const std::string& content) {
  return std::string(CompiledPackage::Open(content).status().message());
}

TEST(CompiledPackage, FindsTheModelOfADevice) {
  const std::string content = Zip({{"m/data/aotinductor/a/x.so", "\177ELF"},
                                   {"m/data/aotinductor/a/x_metadata.json", kCpu},
                                   {"m/data/aotinductor/b/y.so", "\177ELF"},
                                   {"m/data/aotinductor/b/y_metadata.json", kCuda},
                                   {"m/extra/reference.pt", "script"}});
  const absl::StatusOr<CompiledPackage> package = CompiledPackage::Open(content);
  ASSERT_TRUE(package.ok()) << package.status();
  EXPECT_EQ(package->ModelFor("cpu")->library, "m/data/aotinductor/a/x.so");
  EXPECT_EQ(package->ModelFor("cuda")->folder, "m/data/aotinductor/b/");
  EXPECT_EQ(package->ModelFor("cuda")->gpu_architecture, 90);
  EXPECT_EQ(package->ModelFor("xpu").status().message(),
            "the package was compiled for cpu, cuda, expected a model for xpu in it");
  EXPECT_EQ(package->Reference(), "script");
}

TEST(CompiledPackage, SaysWhatIsMissing) {
  EXPECT_THAT(WhyNot(Zip({{"m/data/aotinductor/a/x.cpp", "int"}})),
              HasSubstr("holds no compiled model"));
  EXPECT_THAT(WhyNot(Zip({{"m/data/aotinductor/a/x.so", "\177ELF"}})),
              HasSubstr("m/data/aotinductor/a/x_metadata.json with AOTI_DEVICE_KEY is missing"));
  EXPECT_THAT(WhyNot(Zip({{"m/data/aotinductor/a/x.so", "\177ELF"},
                          {"m/data/aotinductor/a/x_metadata.json", "no JSON"}})),
              HasSubstr("AOTI_DEVICE_KEY is missing"));
  EXPECT_THAT(WhyNot(Zip({{"m/data/aotinductor/a/x.so", "\177ELF"},
                          {"m/data/aotinductor/a/weights.blob", "w"},
                          {"m/data/aotinductor/a/x_metadata.json", kCpu}})),
              HasSubstr("package_constants_in_so=False"));
}

TEST(CompiledPackage, UnpacksNoLibraryThatIsNone) {
  const std::string content = Zip(
      {{"m/data/aotinductor/a/x.so", "\177ELF"}, {"m/data/aotinductor/a/x_metadata.json", kCpu}});
  const absl::StatusOr<CompiledPackage> package = CompiledPackage::Open(content);
  EXPECT_THAT(std::string(package->Unpack(*package->ModelFor("cpu")).status().message()),
              HasSubstr("no shared library for 64-bit x86 Linux"));
}

TEST(SharedLibrary, RefusesWhatIsCutAnywhere) {
  std::string header(64, '\0');
  header.replace(0, 5, "\177ELF\2");
  header[18] = 62;  // e_machine: x86-64
  header[60] = 1;   // e_shnum, of sections that are not there
  header[40] = 64;  // e_shoff
  for (size_t size = 0; size <= header.size(); ++size) {
    std::string cut = header.substr(0, size);
    EXPECT_FALSE(ReplaceNeeded(&cut, "a.so", "b.so").ok()) << size;
  }
}

}  // namespace
}  // namespace escan
