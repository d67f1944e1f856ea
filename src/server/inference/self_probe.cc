#include "server/inference/self_probe.h"

#include <grpcpp/client_context.h>
#include <grpcpp/create_channel_posix.h>
#include <pthread.h>

#include <algorithm>
#include <utility>

#include "inference/grpc_service.grpc.pb.h"

namespace escan {

SelfProbe::SelfProbe(Options options) : options_(std::move(options)), thread_([this] { Run(); }) {
  pthread_setname_np(thread_.native_handle(), "self probe");
}

SelfProbe::~SelfProbe() {
  {
    const MutexLock lock(mutex_);
    ended_ = true;
    changed_.NotifyAll();
  }
  thread_.join();
}

void SelfProbe::Run() {
  while (true) {
    const TimePoint deadline = Clock::now() + options_.patience;
    options_.on_round(std::ranges::all_of(
        options_.questions, [&](const Question& question) { return question(deadline); }));
    const TimePoint next = Clock::now() + options_.period;
    const MutexLock lock(mutex_);
    while (!ended_ && Clock::now() < next) changed_.WaitUntil(mutex_, next);
    if (ended_) return;
  }
}

bool AnswersClients(UniqueFd connection, TimePoint deadline) {
  if (!connection) return false;
  const auto stub = inference::GRPCInferenceService::NewStub(
      grpc::CreateInsecureChannelFromFd("self", connection.release()));
  grpc::ClientContext context;
  context.set_deadline(std::chrono::system_clock::now() + (deadline - Clock::now()));
  inference::ServerLiveResponse response;
  return stub->ServerLive(&context, inference::ServerLiveRequest(), &response).ok();
}

}  // namespace escan
