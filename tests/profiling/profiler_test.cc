// Profiles of a cascade whose workers are processes that compute nothing.
#include "profiling/profiler.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "config/config_folder.h"
#include "config/files.h"
#include "profiling/profile_outline.h"
#include "profiling/profiled_cascade.h"
#include "supervision/cpu_share.h"
#include "supervision/misbehaving_worker.h"

namespace escan {
namespace {

using testing::Each;
using testing::ElementsAre;
using testing::Gt;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

constexpr MeasurementTimes kShort{.warm_up = Duration::zero(),
                                  .window = std::chrono::milliseconds(1),
                                  .most = std::chrono::minutes(1)};
// 2 stages x 2 shares x 3 client counts x 2 buckets.
constexpr int kPoints = 24;

class ProfilerTest : public testing::Test {
 protected:
  ProfilerTest() {
    outline_ = ProfileOutline(cascade_, site_, KeyOf(cascade_, site_).value());
    log_ = std::make_unique<MeasurementLog>(MeasurementLog::Open(file_, outline_).value());
  }

  // A profiler whose workers run in `mode`.
  void Make(const std::string& mode) {
    profiler_ = std::make_unique<Profiler>(
        cascade_, outline_, log_.get(),
        Profiler::Options{
            .engine = {.host = std::make_shared<PlainWorkerHost>(MisbehavingWorker(mode)),
                       .devices = {Device{}},
                       .cpus = cpus_},
            .times = kShort,
            .on_progress = [this](const Profiler::Progress& progress) {
              shown_.push_back(progress);
              if (on_progress_) on_progress_(progress);
            }});
  }

  // A measurement beyond doubt of each point.
  void FillLog() {
    for (int stage = 0; stage < cascade_.stage_count(); ++stage) {
      for (const int percent : outline_.profile.thread_percents) {
        for (const int clients : outline_.profile.client_counts) {
          for (const int rows : cascade_.stages[static_cast<size_t>(stage)].buckets) {
            const MeasurementPoint point{
                .stage = stage, .thread_percent = percent, .clients = clients, .rows = rows};
            ASSERT_TRUE(log_->Add({.point = point, .rate = 100}).ok());
          }
        }
      }
    }
  }

  const ConfigFolder folder_;
  const std::filesystem::path file_ = folder_.path() / "log";
  const CascadeSpec cascade_ = ProfiledCascade();
  const ProfilingSite site_{.cpus = 2};
  MeasuredProfile outline_;
  std::unique_ptr<MeasurementLog> log_;
  std::vector<int> cpus_ = UsableCpus();
  std::vector<Profiler::Progress> shown_;
  std::function<void(const Profiler::Progress&)> on_progress_;
  std::unique_ptr<Profiler> profiler_;
};

TEST_F(ProfilerTest, MakesAProfileThatCanBeReadBack) {
  Make("good");
  const absl::StatusOr<Profile> profile = profiler_->Run();
  ASSERT_TRUE(profile.ok()) << profile.status();
  EXPECT_GE(profile->knee, 1);
  ASSERT_THAT(profile->stages, SizeIs(2));
  for (const StageCosts& costs : profile->stages) {
    EXPECT_THAT(costs.step, SizeIs(2));
    EXPECT_THAT(costs.step, Each(SizeIs(2)));
    EXPECT_THAT(costs.step, Each(Each(Gt(Seconds(0)))));
    EXPECT_THAT(costs.steady_step, Each(Each(Gt(Seconds(0)))));
    EXPECT_THAT(costs.device_time, Each(SizeIs(3)));
    EXPECT_THAT(costs.device_time, Each(Each(Each(Gt(Seconds(0))))));
  }
  const std::filesystem::path file =
      folder_.Write("profile.json", ToJson({outline_.key, *profile}));
  const absl::StatusOr<MeasuredProfile> read = LoadProfile(file, cascade_);
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_EQ(StaleReason(read->key, outline_.key), std::nullopt);
}

TEST_F(ProfilerTest, TellsHowFarItIs) {
  Make("good");
  ASSERT_TRUE(profiler_->Run().ok());
  ASSERT_THAT(shown_, SizeIs(kPoints));
  for (int i = 0; i < kPoints; ++i) {
    EXPECT_EQ(shown_[static_cast<size_t>(i)].done, i);
    EXPECT_EQ(shown_[static_cast<size_t>(i)].all, kPoints);
  }
  EXPECT_EQ(shown_.front().next.clients, 4);
  EXPECT_EQ(shown_.back().next,
            (MeasurementPoint{.stage = 1, .thread_percent = 100, .clients = 1, .rows = 8}));
}

TEST_F(ProfilerTest, GoesOnWhereItWasInterrupted) {
  Make("good");
  on_progress_ = [this](const Profiler::Progress& progress) {
    if (progress.done == 14) profiler_->Stop();
  };
  EXPECT_EQ(profiler_->Run().status().code(), absl::StatusCode::kCancelled);
  on_progress_ = nullptr;
  shown_.clear();
  *log_ = MeasurementLog::Open(file_, outline_).value();
  Make("good");
  EXPECT_TRUE(profiler_->Run().ok());
  ASSERT_THAT(shown_, SizeIs(kPoints - 14));
  EXPECT_EQ(shown_.front().found, 14);
  EXPECT_EQ(shown_.front().done, 14);
}

TEST_F(ProfilerTest, NeedsNoWorkersForWhatIsMeasured) {
  Make("good");
  ASSERT_TRUE(profiler_->Run().ok());
  Make("die-at-start");
  EXPECT_TRUE(profiler_->Run().ok());
}

TEST_F(ProfilerTest, MakesDoubtfulMeasurementsOnceMore) {
  const MeasurementPoint smaller{.stage = 0, .thread_percent = 50, .clients = 2, .rows = 1};
  MeasurementPoint larger = smaller;
  larger.rows = 4;
  FillLog();
  ASSERT_TRUE(log_->Add({.point = smaller, .rate = 1e-3}).ok());
  ASSERT_TRUE(log_->Add({.point = larger, .rate = 1e9, .spread = 1e9}).ok());
  Make("good");
  ASSERT_TRUE(profiler_->Run().ok());
  EXPECT_THAT(shown_, IsEmpty());  // all points had been measured
  EXPECT_EQ(log_->Find(smaller)->times_made, 2);
  EXPECT_EQ(log_->Find(larger)->times_made, 2);
  EXPECT_NE(log_->Find(larger)->rate, 1e9);
}

TEST_F(ProfilerTest, DoesNotDoubtAMeasurementTwice) {
  FillLog();
  ASSERT_TRUE(log_->Add({.point = {.rows = 4}, .rate = 1, .spread = 1e9, .times_made = 2}).ok());
  Make("die-at-start");
  EXPECT_TRUE(profiler_->Run().ok());
}

TEST_F(ProfilerTest, SaysWhyWorkersDoNotStart) {
  Make("fails-to-load");
  const absl::Status status = profiler_->Run().status();
  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(status.message()), HasSubstr("stage early at 50 %: "));
  EXPECT_THAT(std::string(status.message()), HasSubstr("no such model"));
}

TEST_F(ProfilerTest, LeavesOutAShareAtWhichAnswersAreWrong) {
  cpus_ = {0, 1};  // half of them: one thread
  Make("wrong-with-one-thread");
  const absl::StatusOr<Profile> profile = profiler_->Run();
  ASSERT_TRUE(profile.ok()) << profile.status();
  EXPECT_THAT(profile->thread_percents, ElementsAre(100));
  EXPECT_THAT(profile->refused,
              ElementsAre(RefusedShare{
                  .thread_percent = 50,
                  .reason = "stage early answers wrongly: row 0: 1 where 0 is right"}));
  for (const StageCosts& costs : profile->stages) {
    EXPECT_THAT(costs.way, ElementsAre("plain"));
    ASSERT_THAT(costs.step, SizeIs(1));
    EXPECT_THAT(costs.step.front(), Each(Gt(Seconds(0))));
    EXPECT_THAT(costs.device_time, SizeIs(1));
  }
  for (const Profiler::Progress& progress : shown_) {
    EXPECT_TRUE(progress.next.thread_percent == 100 || progress.next.stage == 0)
        << "the other stage is not measured at a share that is refused";
  }
  const std::filesystem::path file =
      folder_.Write("profile.json", ToJson({outline_.key, *profile}));
  const absl::StatusOr<MeasuredProfile> read = LoadProfile(file, cascade_);
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_EQ(read->profile.refused, profile->refused);
}

TEST_F(ProfilerTest, FailsWhereAnswersAreWrongEvenWithTheWholeDevice) {
  cpus_ = {0};
  Make("wrong-with-one-thread");
  const absl::Status status = profiler_->Run().status();
  EXPECT_EQ(status.code(), absl::StatusCode::kDataLoss);
  EXPECT_EQ(std::string(status.message()), "stage early at 100 %: row 0: 1 where 0 is right");
}

TEST_F(ProfilerTest, CanBeStoppedWhileWorkersStart) {
  Make("never-ready");
  std::thread operator_thread;
  on_progress_ = [&](const Profiler::Progress&) {
    operator_thread = std::thread([this] { profiler_->Stop(); });
  };
  EXPECT_EQ(profiler_->Run().status().code(), absl::StatusCode::kCancelled);
  operator_thread.join();
}

TEST_F(ProfilerTest, CanBeStoppedBeforeItBegins) {
  Make("good");
  profiler_->Stop();
  EXPECT_EQ(profiler_->Run().status().code(), absl::StatusCode::kCancelled);
  EXPECT_THAT(shown_, SizeIs(0));
}

}  // namespace
}  // namespace escan
