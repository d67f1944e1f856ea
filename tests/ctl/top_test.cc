#include "ctl/top.h"

#include <google/protobuf/text_format.h>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace escan::ctl {
namespace {

using testing::HasSubstr;

v1::GetStatusResponse Status(const std::string& text) {
  v1::GetStatusResponse status;
  EXPECT_TRUE(google::protobuf::TextFormat::ParseFromString(text, &status));
  return status;
}

// `counts` is of 18 buckets.
v1::GetStatusResponse Serving(const std::string& executed, const std::string& answered,
                              const std::string& counts) {
  return Status(R"(
    version: "0.1.0" uptime { seconds: 65 } ready: true
    cascades {
      name: "digits" slots: 64 slots_in_use: 3 plan_mode: "auto"
      arrivals { samples_per_second: 100 }
      stages { name: "small" queued: 4 ready_workers: 1 max_batch: 16 mean_batch_rows: 2.5
               samples_executed: )" +
                executed + R"( exit_ratio { ratio: 0.75 } }
      workers { id: 2 state: "ready" thread_percent: 50 device: "cpu" stages: "small" }
      request_status { answered: )" +
                answered + " failed: 3 latency_counts: [" + counts + R"(] }
    })");
}

TEST(FormatTop, ShowsRatesBetweenTwoAnswers) {
  const v1::GetStatusResponse before =
      Serving("1000", "100", "0,0,0,0,0,9,0,0,0,0,0,0,0,0,0,0,0,0");
  const v1::GetStatusResponse now = Serving("1300", "150", "0,0,0,0,0,9,50,0,0,0,0,0,0,0,0,0,0,0");
  EXPECT_EQ(FormatTop(before, now, absl::Seconds(2)),
            "escand 0.1.0, ready, up for 1m5s\n"
            "\n"
            "digits: 25 requests/s answered, 0/s failed, p50 3.5 ms, p99 4.97 ms\n"
            "  100 samples/s arrive, 3 of 64 slots in use, plan auto\n"
            "  STAGE  SAMPLES/S  EXITS/S   LEAVE  QUEUED  IN FLIGHT  READY      BATCH  CHECKED  "
            "WRONG  FAILED\n"
            "  small        150        0  75.0 %       4          0      1  2.5 of 16        0     "
            " 0       0\n"
            "\n"
            "  WORKER  STATE  SHARE  DEVICE  STAGES  RESTARTS  LAST END\n"
            "       2  ready   50 %  cpu     small          0  -\n");
}

TEST(FormatTop, AnotherDaemonsCountsAreNoRate) {
  const v1::GetStatusResponse before = Serving("1000", "100", "0");
  const v1::GetStatusResponse now = Serving("10", "1", "0");
  EXPECT_THAT(FormatTop(before, now, absl::Seconds(2)),
              HasSubstr("0 requests/s answered, 0/s failed, p50 -, p99 -"));
}

}  // namespace
}  // namespace escan::ctl
