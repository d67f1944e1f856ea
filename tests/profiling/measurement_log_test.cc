#include "profiling/measurement_log.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <string>

#include "config/config_folder.h"
#include "config/files.h"
#include "profiling/profile_outline.h"
#include "profiling/profiled_cascade.h"

namespace escan {
namespace {

using testing::Pointee;

MeasuredProfile Outline() {
  const ProfilingSite site{.cpus = 2};
  return ProfileOutline(ProfiledCascade(), site, KeyOf(ProfiledCascade(), site).value());
}

const Measurement kOne{.point = {.stage = 0, .thread_percent = 50, .clients = 1, .rows = 4},
                       .rate = 1.0 / 3,
                       .step = Seconds(0.1),
                       .memory_bytes = 5'000'000'000};
const Measurement kTwo{.point = {.stage = 1, .thread_percent = 100, .clients = 4, .rows = 8},
                       .rate = 12345.678,
                       .spread = 0.07,
                       .times_made = 2};

class MeasurementLogTest : public testing::Test {
 protected:
  MeasurementLog Open() {
    absl::StatusOr<MeasurementLog> log = MeasurementLog::Open(file_, Outline());
    EXPECT_TRUE(log.ok()) << log.status();
    return *std::move(log);
  }

  const ConfigFolder folder_;
  const std::filesystem::path file_ = folder_.path() / "profile.json.partial";
};

TEST_F(MeasurementLogTest, BeginsEmpty) {
  EXPECT_EQ(Open().Find(kOne.point), nullptr);
  EXPECT_EQ(Open().Find(kOne.point), nullptr);
}

TEST_F(MeasurementLogTest, KeepsMeasurementsAsTheyWere) {
  {
    MeasurementLog log = Open();
    ASSERT_TRUE(log.Add(kOne).ok());
    ASSERT_TRUE(log.Add(kTwo).ok());
    EXPECT_THAT(log.Find(kOne.point), Pointee(kOne));
  }
  const MeasurementLog log = Open();
  EXPECT_THAT(log.Find(kOne.point), Pointee(kOne));
  EXPECT_THAT(log.Find(kTwo.point), Pointee(kTwo));
  MeasurementPoint other = kTwo.point;
  other.clients = 2;
  EXPECT_EQ(log.Find(other), nullptr);
}

TEST_F(MeasurementLogTest, TheLastMeasurementOfAPointHolds) {
  Measurement again = kOne;
  again.rate = 5;
  again.times_made = 2;
  {
    MeasurementLog log = Open();
    ASSERT_TRUE(log.Add(kOne).ok());
    ASSERT_TRUE(log.Add(kTwo).ok());
    ASSERT_TRUE(log.Add(again).ok());
    EXPECT_THAT(log.Find(kOne.point), Pointee(again));
  }
  const MeasurementLog log = Open();
  EXPECT_THAT(log.Find(kOne.point), Pointee(again));
  EXPECT_THAT(log.Find(kTwo.point), Pointee(kTwo));
}

TEST_F(MeasurementLogTest, DropsALineThatWasNotFinished) {
  ASSERT_TRUE(Open().Add(kOne).ok());
  ASSERT_TRUE(Open().Add(kTwo).ok());
  std::filesystem::resize_file(file_, std::filesystem::file_size(file_) - 5);
  {
    MeasurementLog log = Open();
    EXPECT_THAT(log.Find(kOne.point), Pointee(kOne));
    EXPECT_EQ(log.Find(kTwo.point), nullptr);
    ASSERT_TRUE(log.Add(kTwo).ok());
  }
  EXPECT_THAT(Open().Find(kTwo.point), Pointee(kTwo));
}

TEST_F(MeasurementLogTest, BeginsAnewAfterAFirstLineThatWasNotFinished) {
  std::ofstream(file_) << "{\"device\": ";
  ASSERT_TRUE(Open().Add(kOne).ok());
  EXPECT_THAT(Open().Find(kOne.point), Pointee(kOne));
}

TEST_F(MeasurementLogTest, DoesNotTakeWhatIsNoMeasurement) {
  ASSERT_TRUE(Open().Add(kOne).ok());
  std::ofstream(file_, std::ios::app)
      << "nonsense\n[1]\n{\"stage\": \"early\"}\n"
      << R"({"stage": 1, "thread_percent": 100, "clients": 4, "rows": 8, "steps_per_s": 0,)"
      << R"( "step_s": 0, "memory_bytes": 0, "spread": 0, "times_made": 1})" << '\n'
      << R"({"stage": 1, "thread_percent": 100, "clients": 4, "rows": 8, "steps_per_s": 9,)"
      << R"( "step_s": 0, "memory_bytes": 0})" << '\n';
  const MeasurementLog log = Open();
  EXPECT_THAT(log.Find(kOne.point), Pointee(kOne));
  EXPECT_EQ(log.Find(kTwo.point), nullptr);
}

TEST_F(MeasurementLogTest, RefusesTheMeasurementsOfAnotherProfile) {
  ASSERT_TRUE(Open().Add(kOne).ok());
  const std::string before = ReadFile(file_).value();
  MeasuredProfile other = Outline();
  other.key.device.name = "H100";
  const absl::Status refused = MeasurementLog::Open(file_, other).status();
  EXPECT_EQ(refused.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(std::string(refused.message()),
            file_.string() +
                ": holds the measurements of another profile: it was measured with /device/name "
                "\"cpu\", and this is \"H100\"; delete it to measure anew");
  EXPECT_EQ(ReadFile(file_).value(), before);
}

TEST_F(MeasurementLogTest, RefusesAFileThatIsNotItsOwn) {
  std::ofstream(file_) << "a poem\n";
  EXPECT_EQ(std::string(MeasurementLog::Open(file_, Outline()).status().message()),
            file_.string() +
                ": holds the measurements of another profile: its first line is not JSON; delete "
                "it to measure anew");
}

TEST_F(MeasurementLogTest, NamesTheFileThatCannotBeWritten) {
  const std::filesystem::path nowhere = folder_.path() / "absent" / "file";
  EXPECT_EQ(std::string(MeasurementLog::Open(nowhere, Outline()).status().message()),
            "cannot write " + nowhere.string() + ": No such file or directory");
}

}  // namespace
}  // namespace escan
