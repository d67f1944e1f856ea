#include "server/daemon/torch_locator.h"

#include <fstream>
#include <map>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "server/test_daemon.h"

namespace escan {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

constexpr char kProgram[] = "/programs/escan-worker-cuda";

// A machine as far as the search sees it: folders, environment, and a loader that finds everything
// where LD_LIBRARY_PATH has one of the folders that `sufficient` names.
class TorchLocator : public testing::Test {
 protected:
  std::filesystem::path At(const std::string& path) const { return folder_.path() / path; }

  void Touch(const std::string& path, const std::string& content = "") const {
    std::filesystem::create_directories(At(path).parent_path());
    std::ofstream(At(path)) << content;
  }

  // A wheel of torch, unpacked.
  void AddTorch(const std::string& site, const std::string& version) const {
    Touch(site + "/torch/lib/libtorch_cpu.so");
    Touch(site + "/torch/version.py", "debug = False\n__version__ = '" + version + "'\n");
  }

  absl::StatusOr<std::string> Locate() {
    return LibraryPathWithTorch(
        kProgram,
        {.version = "2.11.0",
         .option = option_,
         .variable = [this](const std::string& name) { return environment_[name]; },
         .root = folder_.path()},
        [this](const std::filesystem::path& program, const std::string& library_path) {
          return Missing(program, library_path);
        });
  }

  absl::StatusOr<std::vector<std::string>> Missing(const std::filesystem::path& program,
                                                   const std::string& library_path) {
    EXPECT_EQ(program, kProgram);
    checked_.push_back(library_path);
    for (const std::string& part : sufficient_) {
      if (library_path.find(part) != std::string::npos) return std::vector<std::string>{};
    }
    return std::vector<std::string>{"libtorch_cuda.so", "libcudnn.so.9"};
  }

  TemporaryFolder folder_;
  std::string option_;
  std::map<std::string, std::string> environment_;
  std::vector<std::string> sufficient_ = {"/torch/lib"};
  std::vector<std::string> checked_;
};

TEST_F(TorchLocator, AProgramThatFindsEverythingIsLeftAlone) {
  AddTorch("opt/libtorch", "2.11.0");
  environment_["LD_LIBRARY_PATH"] = "/given";
  sufficient_ = {"/given"};
  EXPECT_EQ(*Locate(), "/given");
}

TEST_F(TorchLocator, TheOptionGoesBeforeTheVariableAndBothBeforeWhatTheProgramFinds) {
  AddTorch("a", "2.11.0");
  AddTorch("b", "2.11.0+cu130");
  sufficient_ = {""};
  environment_["ESCAN_TORCH"] = At("b").string();
  EXPECT_EQ(*Locate(), At("b/torch/lib").string());
  option_ = At("a").string();
  EXPECT_EQ(*Locate(), At("a/torch/lib").string());
}

TEST_F(TorchLocator, AllLibrariesOfTheWheelsComeBeforeThoseThatWereGiven) {
  AddTorch("site", "2.11.0+cu130");
  Touch("site/nvidia/cudnn/lib/libcudnn.so.9");
  Touch("site/nvidia/cu13/lib/libcudart.so.13");
  environment_["LD_LIBRARY_PATH"] = "/given";
  option_ = At("site").string();
  EXPECT_EQ(*Locate(), At("site/torch/lib").string() + ":" + At("site/nvidia/cu13/lib").string() +
                           ":" + At("site/nvidia/cudnn/lib").string() + ":/given");
}

TEST_F(TorchLocator, TheFolderOfTorchItselfOrADistributionMayBeNamed) {
  AddTorch("site", "2.11.0");
  Touch("site/nvidia/cu13/lib/libcudart.so.13");
  option_ = At("site/torch").string();
  EXPECT_EQ(*Locate(), At("site/torch/lib").string() + ":" + At("site/nvidia/cu13/lib").string());

  Touch("libtorch/lib/libtorch_cpu.so");
  Touch("libtorch/build-version", "2.11.0+cu130\n");
  option_ = At("libtorch").string();
  sufficient_ = {"/libtorch/lib"};
  EXPECT_EQ(*Locate(), At("libtorch/lib").string());
}

TEST_F(TorchLocator, ANamedFolderIsLookedAtAlone) {
  AddTorch("opt/libtorch", "2.11.0");
  option_ = At("nowhere").string();
  const absl::Status status = Locate().status();
  EXPECT_EQ(status.code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(status.message(),
            std::string(kProgram) +
                " needs libtorch 2.11.0, which is not in --torch: " + At("nowhere").string() +
                " (no such folder). Install it (pip install torch==2.11.0) or name the folder that "
                "has it by --torch or ESCAN_TORCH");
  option_.clear();
  Touch("empty/file");
  environment_["ESCAN_TORCH"] = At("empty").string();
  EXPECT_THAT(std::string(Locate().status().message()),
              HasSubstr("ESCAN_TORCH: " + At("empty").string() + " (no torch)."));
}

// Each place by itself.
class UsualPlace : public TorchLocator, public testing::WithParamInterface<const char*> {
 protected:
  void SetUp() override {
    Touch("tools/bin/python3");
    Touch("real/bin/python3.12");
    std::filesystem::create_directories(At("links"));
    std::filesystem::create_symlink(At("real/bin/python3.12"), At("links/python3"));
    environment_ = {{"PATH", At("tools/bin").string() + "::" + At("links").string()},
                    {"VIRTUAL_ENV", At("venv").string()},
                    {"HOME", At("home").string()}};
  }
};

TEST_P(UsualPlace, IsLookedAt) {
  AddTorch(GetParam(), "2.11.0+cu130");
  ASSERT_TRUE(Locate().ok()) << Locate().status();
  EXPECT_EQ(*Locate(), At(GetParam()) / "torch/lib");
}

INSTANTIATE_TEST_SUITE_P(
    Places, UsualPlace,
    testing::Values("venv/lib/python3.12/site-packages", "tools/lib/python3.11/site-packages",
                    "tools/lib64/python3.11/site-packages", "real/lib/python3.12/site-packages",
                    "usr/local/lib/python3.12/dist-packages", "usr/lib/python3/dist-packages",
                    "home/.local/lib/python3.12/site-packages", "home/.cache/escan/torch-2.11.0",
                    "opt/libtorch"));

TEST_F(TorchLocator, TheCacheMayBeElsewhere) {
  environment_ = {{"HOME", At("home").string()}, {"XDG_CACHE_HOME", At("cache").string()}};
  AddTorch("home/.cache/escan/torch-2.11.0", "2.11.0");
  AddTorch("cache/escan/torch-2.11.0", "2.11.0");
  EXPECT_EQ(*Locate(), At("cache/escan/torch-2.11.0/torch/lib").string());
}

TEST_F(TorchLocator, OneOfAnotherVersionOrWithoutAllLibrariesIsPassedOver) {
  environment_["HOME"] = At("home").string();
  AddTorch("usr/lib/python3.9/site-packages", "2.1.0");
  AddTorch("usr/lib/python3/dist-packages", "2.11.01");
  AddTorch("home/.cache/escan/torch-2.11.0", "2.11.0+cu130");
  AddTorch("home/.cache/escan/torch-2.11.0-cuda", "2.11.0+cu130");
  sufficient_ = {"-cuda/torch/lib"};
  EXPECT_EQ(*Locate(), At("home/.cache/escan/torch-2.11.0-cuda/torch/lib").string());
  EXPECT_THAT(checked_, ElementsAre("", At("home/.cache/escan/torch-2.11.0/torch/lib").string(),
                                    At("home/.cache/escan/torch-2.11.0-cuda/torch/lib").string()));
}

TEST_F(TorchLocator, TheErrorNamesEveryPlaceAndWhatWasThere) {
  environment_["VIRTUAL_ENV"] = At("venv").string();
  AddTorch("venv/lib/python3.12/site-packages", "2.9.1+cu128");
  Touch("usr/lib/python3/dist-packages/yaml.py");
  Touch("usr/local/lib/python3.12/dist-packages/torch/lib/libtorch_cpu.so");
  AddTorch("opt/libtorch", "2.11.0+cpu");
  sufficient_ = {};
  const std::string message(Locate().status().message());
  EXPECT_EQ(message,
            std::string(kProgram) + " needs libtorch 2.11.0, which is not in the usual places: " +
                At("venv/lib/python3.12/site-packages").string() + " (torch 2.9.1+cu128), " +
                At("usr/local/lib/python3.12/dist-packages").string() +
                " (torch of unknown version), " + At("usr/lib/python3/dist-packages").string() +
                " (no torch), " + At("opt/libtorch").string() +
                " (torch 2.11.0+cpu without libtorch_cuda.so libcudnn.so.9). Install it (pip "
                "install torch==2.11.0) or name the folder that has it by --torch or ESCAN_TORCH");
}

TEST_F(TorchLocator, AFailureOfTheCheckIsPassedOn) {
  const absl::StatusOr<std::string> path =
      LibraryPathWithTorch(kProgram,
                           {.version = "2.11.0",
                            .option = "",
                            .variable = [](const std::string&) { return ""; },
                            .root = folder_.path()},
                           [](const std::filesystem::path&, const std::string&) {
                             return absl::NotFoundError("cannot execute it");
                           });
  EXPECT_EQ(path.status(), absl::NotFoundError("cannot execute it"));
}

}  // namespace
}  // namespace escan
