#include "arrays/probe_rows.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <string>
#include <utility>
#include <vector>

#include "arrays/zip_files.h"
#include "support/temporary_folder.h"

namespace escan {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

class ProbeRowsTest : public testing::Test {
 protected:
  ProbeRowsTest() {
    cascade_.inputs = {
        {.name = "pair", .datatype = Datatype::kUint8, .shape = {2}, .range = IntegerRange{0, 9}},
        {.name = "scale", .datatype = Datatype::kUint8, .shape = {}}};
  }

  absl::StatusOr<std::vector<std::string>> Read(const std::map<std::string, std::string>& arrays) {
    std::vector<ZipRecord> files;
    for (const auto& [name, content] : arrays) files.push_back({name + ".npy", content});
    cascade_.probe = folder_.Write("rows.npz", Zip(files));
    return ReadProbeRows(cascade_);
  }

  std::string ErrorOf(const std::map<std::string, std::string>& arrays) {
    const absl::Status status = Read(arrays).status();
    EXPECT_THAT(std::string(status.message()), HasSubstr(cascade_.probe.string()));
    return std::string(status.message());
  }

  const std::string pairs_ = Npy("|u1", "(3, 2)", "\1\2\3\4\5\6");
  const std::string scales_ = Npy("|u1", "(3,)", "\7\7\7");
  const TemporaryFolder folder_;
  CascadeSpec cascade_;
};

TEST_F(ProbeRowsTest, AreTheSameRandomOnesAtEveryCallWithinTheRange) {
  const std::vector<std::string> rows = ReadProbeRows(cascade_).value();
  EXPECT_EQ(rows, ReadProbeRows(cascade_).value());
  ASSERT_EQ(rows.size(), 2u);
  EXPECT_EQ(rows[0].size(), 2 * rows[1].size());
  for (const char value : rows[0]) EXPECT_LE(value, 9);
}

TEST_F(ProbeRowsTest, AreTheFilesArraysInTheOrderOfTheInputs) {
  const auto rows = Read({{"scale", scales_}, {"pair", pairs_}});
  ASSERT_TRUE(rows.ok()) << rows.status();
  EXPECT_THAT(*rows, ElementsAre("\1\2\3\4\5\6", "\7\7\7"));
}

TEST_F(ProbeRowsTest, AreAtMostTheFirstSixteen) {
  const auto rows = Read({{"pair", Npy("|u1", "(40, 2)", std::string(80, '\1'))},
                          {"scale", Npy("|u1", "(40,)", std::string(40, '\1'))}});
  ASSERT_TRUE(rows.ok()) << rows.status();
  EXPECT_EQ(rows->front().size(), 2 * kMostProbeRows);
}

TEST_F(ProbeRowsTest, NeedAnArrayForEachInput) {
  EXPECT_THAT(ErrorOf({{"pair", pairs_}}), HasSubstr("there is no array 'scale'"));
}

TEST_F(ProbeRowsTest, HaveTheDatatypeAndShapeOfTheInput) {
  EXPECT_THAT(ErrorOf({{"pair", Npy("<i2", "(3, 1)", "\1\2\3\4\5\6")}, {"scale", scales_}}),
              HasSubstr("'pair' is INT16 [3,1], expected UINT8 [N,2]"));
}

TEST_F(ProbeRowsTest, AreAsManyForEachInput) {
  EXPECT_THAT(ErrorOf({{"pair", pairs_}, {"scale", Npy("|u1", "(2,)", "\7\7")}}),
              HasSubstr("'scale' has 2 rows, expected 3"));
}

TEST_F(ProbeRowsTest, KeepTheRangeThatClientsKeep) {
  EXPECT_THAT(ErrorOf({{"pair", Npy("|u1", "(3, 2)", "\1\2\3\x0a\5\6")}, {"scale", scales_}}),
              HasSubstr("row 1: element 1 is 10, not in [0, 9]"));
}

}  // namespace
}  // namespace escan
