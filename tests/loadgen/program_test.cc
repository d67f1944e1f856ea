// The program as a user calls it.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <fstream>
#include <mutex>
#include <nlohmann/json.hpp>
#include <sstream>

#include "arrays/zip_files.h"
#include "escan/time.h"
#include "loadgen/fake_inference_server.h"
#include "support/shell.h"
#include "support/temporary_folder.h"

namespace escan::loadgen {
namespace {

using testing::HasSubstr;

Ended RunProgram(const std::string& arguments, const std::string& environment = "") {
  return RunShell(environment + " " + ESCAN_LOADGEN_PROGRAM + " " + arguments + " 2>&1");
}

std::string Target(const FakeInferenceServer& server) { return "--target " + server.target(); }

TEST(Program, SendsEverySampleOnceAndReportsAccuracyAndExits) {
  const FakeInferenceServer server;
  const TemporaryFolder folder;
  const std::string samples =
      folder.Write("x.npy", Npy("|u1", "(3, 4)", std::string("\0\1\0\0\1\1\0\0\2\2\0\0", 12)));
  const std::string labels = folder.Write("y.npy", Npy("|u1", "(3,)", std::string("\0\1\0", 3)));
  const std::string report = folder.path("report.json");
  const Ended ended = RunProgram(Target(server) + " --samples " + samples + " --labels " + labels +
                                 " --once --rows 2 --warmup 0s --json " + report);
  EXPECT_EQ(ended.exit_status, 0) << ended.output;
  EXPECT_THAT(ended.output, HasSubstr("accuracy      66.67 % (2 of 3)"));
  const auto json = nlohmann::json::parse(std::ifstream(report));
  EXPECT_EQ(json["requests"]["succeeded"], 2);
  EXPECT_EQ(json["samples"], 3);
  EXPECT_EQ(json["correct"], 2);
  EXPECT_EQ(json["exits"].size(), 2u);
}

TEST(Program, WritesNothingButJsonToStandardOutputWhenAskedTo) {
  const FakeInferenceServer server([](const auto&) {
    return grpc::Status(grpc::StatusCode::RESOURCE_EXHAUSTED, "no slot is free");
  });
  const Ended ended = RunProgram(
      Target(server) + " --rate 1000 --requests 20 --warmup-requests 0 --model digits --json -");
  EXPECT_EQ(ended.exit_status, 1);  // no request succeeded
  const auto json = nlohmann::json::parse(ended.output);
  EXPECT_EQ(json["loop"], "open");
  EXPECT_EQ(json["errors"][0]["code"], "RESOURCE_EXHAUSTED");
  EXPECT_EQ(json["errors"][0]["count"], 20);
}

TEST(Program, AProxyInTheEnvironmentIsNotAsked) {
  const FakeInferenceServer server;
  const TemporaryFolder folder;
  const std::string samples = folder.Write("x.npy", Npy("|u1", "(1, 4)", std::string(4, '\1')));
  for (const std::string variable : {"grpc_proxy", "https_proxy", "http_proxy"}) {
    // Nobody listens on the port of a proxy like this.
    const Ended ended = RunProgram(
        Target(server) + " --samples " + samples + " --rate 1000 --requests 5 --warmup 0s --json -",
        variable + "=http://127.0.0.1:9 no_proxy=");
    EXPECT_EQ(ended.exit_status, 0) << variable << "\n" << ended.output;
  }
}

TEST(Program, SamplesExitWhereTheRatiosSay) {
  const FakeInferenceServer server;
  const TemporaryFolder folder;
  const std::string samples = folder.Write("x.npy", Npy("|u1", "(2, 4)", std::string(8, '\0')));
  const Ended ended = RunProgram(Target(server) + " --model graded --samples " + samples +
                                 " --exit-ratios 1,0.5 --rows 2 --requests 50 --json -");
  EXPECT_EQ(ended.exit_status, 0) << ended.output;
  const auto json = nlohmann::json::parse(ended.output);
  EXPECT_EQ(json["exits"].size(), 1u);
  EXPECT_EQ(json["exits"][0]["samples"], 100);
  EXPECT_EQ(json["exit_segments"][0]["exits"][0]["share"], 1.0);
  EXPECT_EQ(json["misplaced_samples"], 0);
}

TEST(Program, ADriftChangesWhereSamplesExit) {
  // One request a millisecond; the ratio changes before the eleventh.
  const FakeInferenceServer server;
  const TemporaryFolder folder;
  const std::string samples = folder.Write("x.npy", Npy("|u1", "(1, 4)", std::string(4, '\0')));
  const std::string drift = folder.Write("drift.csv", "seconds,exit_1\n0,0\n0.0095,1\n");
  const Ended ended =
      RunProgram(Target(server) + " --model graded --samples " + samples + " --drift " + drift +
                 " --rate 1000 --arrivals constant --requests 30 --deadline 60s "
                 "--warmup 0s --json -");
  EXPECT_EQ(ended.exit_status, 0) << ended.output;
  const auto json = nlohmann::json::parse(ended.output);
  EXPECT_EQ(json["exits"][0]["samples"], 20);  // at stage 1
  EXPECT_EQ(json["exits"][1]["samples"], 10);
  EXPECT_EQ(json["exit_segments"][0]["exits"][1]["samples"], 10);
  EXPECT_EQ(json["exit_segments"][1]["exits"][0]["samples"], 20);
}

TEST(Program, SearchesTheHighestRateThatKeepsAnObjective) {
  // Answers at most 200 requests a second, as a bucket that fills evenly does.
  std::mutex mutex;
  TimePoint full_again{};
  const FakeInferenceServer server([&](const auto&) {
    const std::lock_guard lock(mutex);
    const TimePoint now = Clock::now();
    constexpr auto kBurst = std::chrono::milliseconds(250);
    if (full_again > now + kBurst) {
      return grpc::Status(grpc::StatusCode::RESOURCE_EXHAUSTED, "no slot is free");
    }
    full_again = std::max(full_again, now) + std::chrono::milliseconds(5);
    return grpc::Status::OK;
  });
  const TemporaryFolder folder;
  const std::string samples =
      folder.Write("x.npy", Npy("|u1", "(1, 4)", std::string("\0\1\0\0", 4)));
  const Ended ended =
      RunProgram(Target(server) + " --model digits --samples " + samples +
                 " --find-max-rate --slo p99=30s --start-rate 2000 " +
                 "--deadline 30s --warmup 100ms --duration 400ms --tolerance 0.5 --json -");
  EXPECT_EQ(ended.exit_status, 0) << ended.output;
  const size_t begin = ended.output.find("\n{");
  ASSERT_NE(begin, std::string::npos) << ended.output;
  EXPECT_THAT(ended.output.substr(0, begin), HasSubstr("probe  1     2000.0 requests/s"));
  const auto json = nlohmann::json::parse(ended.output.substr(begin));
  const auto& objective = json["objectives"][0];
  EXPECT_EQ(objective["settled"], true);
  EXPECT_LT(objective["max_rate_requests_per_s"], 2000);
  EXPECT_EQ(json["probes"][0]["gave_up"], true);
  EXPECT_EQ(json["probes"][0]["errors"][0]["code"], "RESOURCE_EXHAUSTED");
}

TEST(Program, ReportsGoodputAndATimelineOfAnOrdinaryRun) {
  const FakeInferenceServer server;
  const TemporaryFolder folder;
  const std::string samples =
      folder.Write("x.npy", Npy("|u1", "(1, 4)", std::string("\0\1\0\0", 4)));
  const Ended ended =
      RunProgram(Target(server) + " --samples " + samples +
                 " --rate 1000 --arrivals constant --requests 30 "
                 "--warmup 0s --slo p99=60s --deadline 60s --timeline 10ms --json -");
  EXPECT_EQ(ended.exit_status, 0) << ended.output;
  const auto json = nlohmann::json::parse(ended.output);
  EXPECT_EQ(json["service_level"]["objectives"][0]["within"], 30);
  ASSERT_EQ(json["timeline"].size(), 3u);
  EXPECT_EQ(json["timeline"][1]["succeeded"], 10);
  EXPECT_EQ(json["timeline"][1]["within"][0], 10);
}

// Samples of class and stage 0 and 1, 1 and 2, and 2 and 3, in two requests that are compared.
class ComparingProgram : public testing::Test {
 protected:
  Ended Run(const std::string& arguments) {
    const std::string samples = folder_.Write(
        "x.npz",
        Zip({{"image.npy", Npy("|u1", "(3, 4)", std::string("\0\1\0\0\1\2\0\0\2\3\0\0", 12))}}));
    return RunProgram(Target(server_) + " --model digits --samples " + samples +
                      " --once --rows 2 --warmup 0s --json - " + arguments);
  }

  // What each of the classes is answered with.
  std::string Expected(std::vector<float> values) {
    const std::string bytes(reinterpret_cast<const char*>(values.data()),
                            values.size() * sizeof(float));
    const std::string file =
        folder_.Write("y.npz", Zip({{"probabilities.npy", Npy("<f4", "(3, 3)", bytes), true}}));
    return "--expect " + file;
  }

  void Falsify(std::function<void(std::string* probabilities)> change) {
    server_.set_falsify([change](inference::ModelInferResponse* response) {
      change(response->mutable_raw_output_contents(0));
    });
  }

  FakeInferenceServer server_;
  const TemporaryFolder folder_;
};

const std::vector<float> kRight = {.8f, .1f, .1f, .1f, .8f, .1f, .1f, .1f, .8f};

TEST_F(ComparingProgram, RightAnswersAreCounted) {
  const Ended ended = Run(Expected(kRight));
  EXPECT_EQ(ended.exit_status, 0) << ended.output;
  const auto json = nlohmann::json::parse(ended.output);
  EXPECT_EQ(json["requests"]["succeeded"], 2);
  EXPECT_EQ(json["compared_samples"]["right"], 3);
  EXPECT_EQ(json["compared_samples"]["wrong"], 0);
}

TEST_F(ComparingProgram, ToleratesAPartOfTheLargestRightValue) {
  std::vector<float> near = kRight;
  near[1] += 0.03f;
  EXPECT_EQ(nlohmann::json::parse(Run(Expected(near)).output)["compared_samples"]["wrong"], 0);
  const Ended strict = Run(Expected(near) + " --expect-tolerance 0.01");
  EXPECT_EQ(nlohmann::json::parse(strict.output)["compared_samples"]["wrong"], 1);
}

TEST_F(ComparingProgram, AWrongAnswerIsABadAnswerAndNamesTheSample) {
  Falsify([](std::string* probabilities) {
    const float nan = std::nanf("");
    probabilities->replace(probabilities->size() - 4, 4, reinterpret_cast<const char*>(&nan), 4);
  });
  const Ended ended = Run(Expected(kRight));
  EXPECT_EQ(ended.exit_status, 1);  // no request succeeded
  const auto json = nlohmann::json::parse(ended.output);
  EXPECT_EQ(json["errors"][0]["code"], "BAD_ANSWER");
  EXPECT_EQ(json["errors"][0]["count"], 2);
  EXPECT_EQ(json["compared_samples"]["right"], 1);
  EXPECT_EQ(json["compared_samples"]["wrong"], 2);
  EXPECT_THAT(std::string(json["compared_samples"]["first_wrong"]),
              testing::AnyOf("sample 1, stage 2, in a request of 2 rows: 'probabilities'[2] is nan "
                             "where 0.1 is right",
                             "sample 2, stage 3, in a request of 1 row: 'probabilities'[2] is nan "
                             "where 0.8 is right"));
}

TEST_F(ComparingProgram, AnEmptyOrShortOutputIsABadAnswerWhateverIsExpected) {
  Falsify([](std::string* probabilities) { probabilities->clear(); });
  EXPECT_EQ(nlohmann::json::parse(Run("").output)["errors"][0]["code"], "BAD_ANSWER");
  Falsify([](std::string* probabilities) { probabilities->pop_back(); });
  const Ended ended = Run("");
  EXPECT_EQ(ended.exit_status, 1);
  const auto error = nlohmann::json::parse(ended.output)["errors"][0];
  EXPECT_EQ(error["count"], 2);
  EXPECT_THAT(std::string(error["first_message"]),
              testing::AnyOf("'probabilities' has 23 bytes, expected 24 for 2 rows",
                             "'probabilities' has 11 bytes, expected 12 for 1 rows"));
}

TEST_F(ComparingProgram, ItCanAskTheServerForEachSampleAlone) {
  const Ended right = Run("--expect ask");
  EXPECT_EQ(right.exit_status, 0) << right.output;
  EXPECT_EQ(server_.requests(), 5);  // three alone, then two
  EXPECT_EQ(nlohmann::json::parse(right.output)["compared_samples"]["right"], 3);
  // A server that is wrong only where a request has more than one row.
  Falsify([](std::string* probabilities) {
    if (probabilities->size() > 12) std::swap((*probabilities)[3], (*probabilities)[7]);
  });
  const Ended wrong = Run("--expect ask");
  const auto json = nlohmann::json::parse(wrong.output);
  EXPECT_EQ(json["compared_samples"]["right"], 2);
  EXPECT_EQ(json["compared_samples"]["wrong"], 1);
}

TEST_F(ComparingProgram, AServerThatAnswersNanIsNoReference) {
  Falsify([](std::string* probabilities) {
    const float nan = std::nanf("");
    probabilities->replace(0, 4, reinterpret_cast<const char*>(&nan), 4);
  });
  const Ended ended = Run("--expect ask");
  EXPECT_EQ(ended.exit_status, 1);
  EXPECT_EQ(ended.output,
            "escan-loadgen: --expect ask: sample 0 alone: 'probabilities' holds nan, which cannot "
            "be right\n");
}

TEST(Program, AsksForEachSampleAtEachStageWhereExitsAreControlled) {
  // The answer tells the stage, so that one plane of right answers would not do.
  FakeInferenceServer server;
  server.set_falsify([](inference::ModelInferResponse* response) {
    const std::string& stages = response->raw_output_contents(1);
    for (size_t row = 0; row < stages.size() / 4; ++row) {
      int32_t stage;
      std::memcpy(&stage, stages.data() + 4 * row, 4);
      const auto value = static_cast<float>(stage);
      response->mutable_raw_output_contents(0)->replace(12 * row, 4,
                                                        reinterpret_cast<const char*>(&value), 4);
    }
  });
  const Ended ended = RunProgram(Target(server) +
                                 " --model graded --input-range image=0:2 --exit-ratios 0.3,0.5 "
                                 "--rows 4 --requests 50 --warmup 0s --expect ask --json -");
  EXPECT_EQ(ended.exit_status, 0) << ended.output;
  const auto json = nlohmann::json::parse(ended.output);
  EXPECT_EQ(server.requests(), 3 * 64 + 50);
  EXPECT_EQ(json["exits"].size(), 3u);
  EXPECT_EQ(json["compared_samples"]["right"], 200);
  EXPECT_EQ(json["compared_samples"]["unknown"], 0);
}

TEST(Program, ASearchShowsWrongAnswers) {
  FakeInferenceServer server;
  const TemporaryFolder folder;
  const std::string files =
      " --samples " +
      folder.Write("x.npy", Npy("|u1", "(1, 4)", std::string("\0\1\0\0", 4))).native() +
      " --expect " +
      folder
          .Write("y.npz", Zip({{"probabilities.npy", Npy("<f4", "(1, 3)", std::string(12, '\0'))}}))
          .native();
  const Ended ended = RunProgram(Target(server) + files +
                                 " --find-max-rate --slo p99=30s --start-rate 100 --deadline 30s "
                                 "--warmup 0s --duration 100ms --max-seconds 1");
  EXPECT_EQ(ended.exit_status, 1);
  EXPECT_THAT(ended.output, HasSubstr(" wrong: sample 0, stage 1, in a request of 1 row: "
                                      "'probabilities'[0] is 0.8 where 0 is right"));
}

TEST(Program, RefusesExitRatiosForAModelThatCannotBeControlled) {
  const FakeInferenceServer server;
  const Ended ended = RunProgram(Target(server) + " --exit-ratios 0.5");
  EXPECT_EQ(ended.exit_status, 2);
  EXPECT_EQ(
      ended.output,
      "escan-loadgen: --difficulty-input: the model has no input 'difficulty'; its inputs are "
      "image\n");
}

TEST(Program, SaysWhichServerIsNotThere) {
  const Ended ended = RunProgram("--target 127.0.0.1:1 --connect-timeout 10ms");
  EXPECT_EQ(ended.exit_status, 1);
  EXPECT_THAT(ended.output, HasSubstr("escan-loadgen: no connection to 127.0.0.1:1 within 10ms"));
}

TEST(Program, SaysWhichModelIsNotThere) {
  const FakeInferenceServer server;
  const Ended ended = RunProgram(Target(server) + " --model letters");
  EXPECT_EQ(ended.exit_status, 1);
  EXPECT_THAT(ended.output, HasSubstr("no model 'letters'"));
}

TEST(Program, RefusesSamplesThatDoNotFit) {
  const FakeInferenceServer server;
  const TemporaryFolder folder;
  const std::string samples = folder.Write("x.npy", Npy("|u1", "(1, 3)", "abc"));
  const Ended ended = RunProgram(Target(server) + " --samples " + samples);
  EXPECT_EQ(ended.exit_status, 2);
  EXPECT_EQ(ended.output, "escan-loadgen: " + samples +
                              ": holds UINT8 [1,3], expected UINT8 [N,4] for input 'image'\n");
  EXPECT_EQ(server.requests(), 0);
}

TEST(Program, RefusesLabelsThatDoNotFit) {
  const FakeInferenceServer server;
  const TemporaryFolder folder;
  const std::string files = " --samples " +
                            folder.Write("x.npy", Npy("|u1", "(1, 4)", "abcd")).native() +
                            " --labels " + folder.Write("y.npy", Npy("|u1", "(2,)", "ab")).native();
  EXPECT_THAT(RunProgram(Target(server) + files).output,
              HasSubstr("holds 2 labels, expected one for each of 1 samples"));
  EXPECT_THAT(RunProgram(Target(server) + files + " --label-output exit_stage").output,
              HasSubstr("--label-output: 'exit_stage' is INT32, expected FP32"));
  EXPECT_THAT(RunProgram(Target(server) + files + " --label-output logits").output,
              HasSubstr("no output 'logits'; its outputs are probabilities, exit_stage"));
}

}  // namespace
}  // namespace escan::loadgen
