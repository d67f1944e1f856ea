#include "server/admin/admin_service.h"

#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "server/test_daemon.h"
#include "server/test_state.h"

namespace escan {
namespace {

using testing::HasSubstr;

const Device kGpu{Device::Kind::kGpu, "H100", "GPU-8932f937", 132, size_t{80} << 30};

MpsReport MpsIsOff() { return {.mode = MpsConfig::Mode::kOff}; }

v1::GetStatusResponse StatusOf(ServerState* state, const std::vector<Device>& devices) {
  AdminService service(state, devices, [] {});
  v1::GetStatusResponse response;
  EXPECT_TRUE(
      static_cast<v1::AdminService::Service&>(service).GetStatus(nullptr, nullptr, &response).ok());
  return response;
}

TEST(AdminService, StatusHasTheDevicesInTheirOrder) {
  ServerState state({});
  const v1::GetStatusResponse status = StatusOf(&state, {kGpu, Device{}});
  ASSERT_EQ(status.devices_size(), 2);
  EXPECT_EQ(status.devices(0).name(), "H100");
  EXPECT_EQ(status.devices(1).index(), 1u);
  EXPECT_EQ(status.devices(1).name(), "cpu");
}

TEST(AdminService, StatusHasMpsWhereThereAreGpus) {
  ServerState without({});
  EXPECT_FALSE(StatusOf(&without, {Device{}}).has_mps());
  ServerState with({}, [] { return MpsReport{.running = true, .server_pids = {815}}; });
  const v1::GetStatusResponse status = StatusOf(&with, {kGpu});
  ASSERT_TRUE(status.has_mps());
  EXPECT_TRUE(status.mps().running());
  ASSERT_EQ(status.mps().server_pids_size(), 1);
  EXPECT_EQ(status.mps().server_pids(0), 815);
}

TEST(AdminService, APlanIsCheckedAgainstDevicesAndMps) {
  TemporaryFolder folder;
  const std::unique_ptr<ServerState> state = StateOf(TestConfig(folder), MpsIsOff);
  AdminService service(state.get(), {kGpu}, [] {});
  v1::SetPlanRequest request;
  request.set_plan_yaml("workers: [{thread_percent: 30, stages: [first, second]}]");
  v1::SetPlanResponse response;
  const grpc::Status status =
      static_cast<v1::AdminService::Service&>(service).SetPlan(nullptr, &request, &response);
  EXPECT_EQ(status.error_code(), grpc::StatusCode::INVALID_ARGUMENT);
  EXPECT_THAT(status.error_message(), HasSubstr("plan:1: workers[0].thread_percent: 30 is a share "
                                                "that MPS keeps, and mps.mode is off"));
}

}  // namespace
}  // namespace escan
