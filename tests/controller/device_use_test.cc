#include "controller/device_use.h"

#include <gtest/gtest.h>

#include "allocation/memory.h"
#include "controller/load_estimate.h"

namespace escan {
namespace {

constexpr size_t kGiB = size_t{1} << 30;

EngineStatus::Worker WorkerOn(int device, size_t memory) {
  EngineStatus::Worker worker;
  worker.member.role.device = device;
  worker.device_memory = memory;
  return worker;
}

TEST(DeviceUse, IsThatOfTheFullestDevice) {
  EngineStatus status;
  status.workers = {WorkerOn(0, kGiB), WorkerOn(1, kGiB), WorkerOn(1, 2 * kGiB),
                    WorkerOn(2, 50 * kGiB)};
  const DeviceUse use = UseOf(status, 2);
  EXPECT_EQ(use.clients, 2);
  EXPECT_EQ(use.memory_bytes, 5 * kGiB) << "with room to replace the largest";
  EXPECT_EQ(UseOf(EngineStatus(), 2).memory_bytes, 0u);
  EXPECT_EQ((use + use).clients, 4);
  EXPECT_EQ((use + use).memory_bytes, 10 * kGiB);
}

TEST(DeviceUse, LeavesTheRestToASearch) {
  EXPECT_EQ(LimitsBeside({}).clients, kMostClients);
  EXPECT_EQ(LimitsBeside({.clients = 10}).clients, 2);
  EXPECT_EQ(LimitsBeside({.clients = 10}).classes, 2);
  EXPECT_EQ(LimitsBeside({.clients = 40}).clients, 1);
  Profile profile{.device_memory_bytes = 80 * kGiB};
  const Profile left = ProfileBeside(profile, {.memory_bytes = 18 * kGiB});
  EXPECT_TRUE(Fits(left, 53 * kGiB));
  EXPECT_FALSE(Fits(left, 55 * kGiB)) << "90 % of 80 GiB less 18 GiB are 54 GiB";
  EXPECT_FALSE(Fits(ProfileBeside(profile, {.memory_bytes = 90 * kGiB}), kGiB));
  profile.device_memory_bytes = 0;
  EXPECT_EQ(ProfileBeside(profile, {.memory_bytes = kGiB}).device_memory_bytes, 0u) << "no bound";
}

TEST(LoadEstimate, IsSaturatedWhereRequestsAreRefusedOrWillBe) {
  EngineStatus status{.slots = 1000, .slots_in_use = 900};
  status.arrivals.refused = 0.005;
  EXPECT_FALSE(LoadOf(status).saturated);
  status.slots_in_use = 960;
  EXPECT_TRUE(LoadOf(status).saturated);
  status.slots_in_use = 0;
  status.arrivals.refused = 0.02;
  EXPECT_TRUE(LoadOf(status).saturated);
}

}  // namespace
}  // namespace escan
