// See misbehaving_worker.h, which tells what each mode does.

#include <poll.h>
#include <sys/resource.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include "ipc/frame_socket.h"
#include "ipc/slab.h"
#include "ipc/worker_spec.h"
#include "supervision/misbehaving_rows.h"
#include "supervision/worker_exit.h"

namespace escan {
namespace {

constexpr int kQuickBatches = 20;
constexpr std::chrono::seconds kSlowStep(2);
constexpr std::string_view kWrongAnswer = "row 0: 1 where 0 is right";

enum class Mode {
  kGood,
  kDieAtStart,
  kGoodAsWorker0,
  kDieBeforeReady,
  kFailsToLoad,
  kUnservable,
  kNeverReady,
  kDieMidBatch,
  kPoison,
  kDeviceFault,
  kHang,
  kNoHeartbeat,
  kGarbage,
  kAnswersTwice,
  kWrongSequence,
  kWrongIncarnation,
  kWrongRows,
  kWrongAsWorker1,
  kAlwaysDiffers,
  kWrongWithOneThread,
  kClosesSocket,
  kIgnoresStop,
  kFloodsAsSecond,
  kReadyAsFirst,
  kSlowsDown,
};

constexpr std::array<std::pair<std::string_view, Mode>, 25> kModes = {
    {{"good", Mode::kGood},
     {"die-at-start", Mode::kDieAtStart},
     {"good-as-worker-0", Mode::kGoodAsWorker0},
     {"die-before-ready", Mode::kDieBeforeReady},
     {"fails-to-load", Mode::kFailsToLoad},
     {"unservable", Mode::kUnservable},
     {"never-ready", Mode::kNeverReady},
     {"die-mid-batch", Mode::kDieMidBatch},
     {"poison", Mode::kPoison},
     {"device-fault", Mode::kDeviceFault},
     {"hang", Mode::kHang},
     {"no-heartbeat", Mode::kNoHeartbeat},
     {"garbage", Mode::kGarbage},
     {"answers-twice", Mode::kAnswersTwice},
     {"wrong-sequence", Mode::kWrongSequence},
     {"wrong-incarnation", Mode::kWrongIncarnation},
     {"wrong-rows", Mode::kWrongRows},
     {"wrong-as-worker-1", Mode::kWrongAsWorker1},
     {"always-differs", Mode::kAlwaysDiffers},
     {"wrong-with-one-thread", Mode::kWrongWithOneThread},
     {"closes-socket", Mode::kClosesSocket},
     {"ignores-stop", Mode::kIgnoresStop},
     {"floods-as-second", Mode::kFloodsAsSecond},
     {"ready-as-first", Mode::kReadyAsFirst},
     {"slows-down", Mode::kSlowsDown}}};

std::optional<Mode> ParseMode(std::string_view name) {
  for (const auto& [text, mode] : kModes) {
    if (text == name) return mode;
  }
  return std::nullopt;
}

template <size_t kSize>
void SetText(std::string_view text, std::array<char, kSize>* field) {
  std::copy_n(text.begin(), std::min(text.size(), kSize - 1), field->begin());
}

class MisbehavingWorker {
 public:
  MisbehavingWorker(Mode mode, const WorkerSpec& spec, Slab slab, FrameSocket socket)
      : mode_(mode), spec_(spec), slab_(std::move(slab)), socket_(std::move(socket)) {}

  // Returns the exit status.
  int Run() {
    Report(WorkerState::kLoading);
    if (mode_ == Mode::kDieBeforeReady) return 8;
    if (mode_ == Mode::kFailsToLoad) {
      Report(WorkerState::kFailed, "no such model");
      return 9;
    }
    if (mode_ == Mode::kUnservable) {
      Report(WorkerState::kFailed, "stage 'first': another shape");
      return kUnservableExitStatus;
    }
    if (mode_ == Mode::kWrongWithOneThread) {
      ReportChecks(spec_.threads == 1 ? Verdict::kWrong : Verdict::kRight);
      if (spec_.threads == 1) {
        Report(WorkerState::kFailed, "stage '" + spec_.stages.front().name +
                                         "' answers wrongly: " + std::string(kWrongAnswer));
        return 1;
      }
    }
    const bool never_ready =
        mode_ == Mode::kNeverReady ||
        ((mode_ == Mode::kReadyAsFirst || mode_ == Mode::kSlowsDown) && spec_.incarnation > 1);
    if (!never_ready) Report(WorkerState::kReady);
    while (true) {
      if (!WaitForFrame()) {
        if (mode_ != Mode::kNoHeartbeat) Report(state_);
        continue;
      }
      const absl::StatusOr<FrameSocket::Frame> frame = socket_.Receive(/*block=*/true);
      if (!frame.ok()) return absl::IsUnavailable(frame.status()) ? 0 : 1;
      if (std::holds_alternative<StopFrame>(*frame) && mode_ != Mode::kIgnoresStop) return 0;
      if (const auto* batch = std::get_if<BatchFrame>(&*frame)) OnBatch(*batch);
    }
  }

 private:
  // False when a heartbeat is due first.
  bool WaitForFrame() const {
    using std::chrono::milliseconds;
    pollfd waiting{.fd = socket_.fd(), .events = POLLIN, .revents = 0};
    const auto timeout = std::chrono::duration_cast<milliseconds>(kHeartbeatInterval);
    return ::poll(&waiting, 1, static_cast<int>(timeout.count())) > 0;
  }

  void Report(WorkerState state, std::string_view message = "") {
    state_ = state;
    StateFrame frame;
    frame.header.incarnation = spec_.incarnation;
    frame.state = state;
    frame.device_fault = state == WorkerState::kFailed && mode_ == Mode::kDeviceFault ? 1 : 0;
    SetText(message, &frame.message);
    Ignore(socket_.Send(frame));
  }

  // Of all stages, or when they are wrong, of the first: with it a worker gives up.
  void ReportChecks(Verdict verdict) const {
    for (const WorkerStage& stage : spec_.stages) {
      for (const int rows : stage.buckets) {
        CheckFrame frame{.stage = static_cast<uint32_t>(stage.index),
                         .rows = static_cast<uint32_t>(rows),
                         .verdict = verdict,
                         .step_ns = static_cast<uint64_t>(rows) * 1000,
                         .least_score = 0,
                         .greatest_score = 1};
        frame.header.incarnation = spec_.incarnation;
        SetText("plain", &frame.way);
        if (verdict == Verdict::kWrong) SetText(kWrongAnswer, &frame.message);
        Ignore(socket_.Send(frame));
      }
      if (verdict == Verdict::kWrong) return;
    }
  }

  void OnBatch(const BatchFrame& batch) {
    switch (mode_) {
      case Mode::kDieMidBatch:
        std::_Exit(10);
      case Mode::kHang:
      case Mode::kNoHeartbeat:
        return;
      case Mode::kGarbage:
        return SendGarbage();
      case Mode::kClosesSocket:
        ::shutdown(socket_.fd(), SHUT_WR);
        return;
      case Mode::kFloodsAsSecond:
        if (spec_.incarnation != 2) return Answer(batch);
        while (true) Report(WorkerState::kReady);
      case Mode::kSlowsDown:
        if (++batches_ > kQuickBatches) std::this_thread::sleep_for(kSlowStep);
        return Answer(batch);
      default:
        Answer(batch);
    }
  }

  void Answer(const BatchFrame& batch) {
    ResultFrame result = Execute(batch);
    ResultFrame wrong = result;
    wrong.sequence += mode_ == Mode::kWrongSequence ? 1000 : 0;
    wrong.header.incarnation += mode_ == Mode::kWrongIncarnation ? 1 : 0;
    wrong.rows = mode_ == Mode::kWrongRows ? batch.rows % kMaxBatchRows + 1 : batch.rows;
    const bool two = mode_ == Mode::kAnswersTwice || mode_ == Mode::kWrongSequence ||
                     mode_ == Mode::kWrongIncarnation || mode_ == Mode::kWrongRows;
    if (two) Ignore(socket_.Send(wrong));
    Ignore(socket_.Send(result));
  }

  ResultFrame Execute(const BatchFrame& batch) {
    ResultFrame result;
    result.header.incarnation = spec_.incarnation;
    result.sequence = batch.sequence;
    result.stage = batch.stage;
    result.rows = batch.rows;
    const auto stage =
        std::find_if(spec_.stages.begin(), spec_.stages.end(), [&](const WorkerStage& candidate) {
          return candidate.index == static_cast<int>(batch.stage);
        });
    if (stage == spec_.stages.end()) std::abort();
    const bool wrong = mode_ == Mode::kWrongAsWorker1 && spec_.worker == 1 && ++batches_ % 2 == 0;
    for (uint32_t row = 0; row < batch.rows; ++row) {
      const SlotId slot = batch.slots[row];
      const auto first = static_cast<unsigned char>(*slab_.At(slot, stage->inputs[0].offset));
      if (mode_ == Mode::kPoison && first == kDeadlyByte) std::abort();
      if (mode_ == Mode::kDeviceFault && first == kDeadlyByte) {
        Report(WorkerState::kFailed, "the device is in error");
        std::_Exit(11);
      }
      if (mode_ == Mode::kPoison && first == kFailingByte) {
        result.status[row] = RowStatus::kFailed;
        SetText("bad row", &result.message);
        continue;
      }
      const auto value = static_cast<unsigned char>(wrong ? ~first : first);
      result.scores[row] = static_cast<float>(first) / 255.0f;
      if (batch.compare != 0) {
        if (Differs(*stage, slot, value)) {
          result.status[row] = RowStatus::kDiffers;
          SetText("outputs differ", &result.message);
        }
        continue;
      }
      for (const SlabTensor& output : stage->outputs) {
        const std::vector<std::byte> bytes = OutputOf(output, value);
        std::copy(bytes.begin(), bytes.end(), slab_.At(slot, output.offset));
      }
      const bool exits = result.scores[row] >= batch.threshold;
      result.status[row] = exits ? RowStatus::kExit : RowStatus::kContinue;
    }
    return result;
  }

  bool Differs(const WorkerStage& stage, SlotId slot, unsigned char value) const {
    if (mode_ == Mode::kAlwaysDiffers) return true;
    return std::any_of(stage.outputs.begin(), stage.outputs.end(), [&](const SlabTensor& output) {
      const std::vector<std::byte> bytes = OutputOf(output, value);
      return !std::equal(bytes.begin(), bytes.end(), slab_.At(slot, output.offset));
    });
  }

  static std::vector<std::byte> OutputOf(const SlabTensor& output, unsigned char value) {
    const TensorSpec tensor{.name = output.name,
                            .datatype = output.datatype,
                            .shape = output.shape,
                            .range = std::nullopt};
    std::vector<std::byte> bytes(tensor.row_bytes(), static_cast<std::byte>(value));
    if (output.datatype != Datatype::kFp32) return bytes;
    const auto element = static_cast<float>(value);
    for (size_t i = 0; i < bytes.size(); i += sizeof(element)) {
      std::memcpy(bytes.data() + i, &element, sizeof(element));
    }
    return bytes;
  }

  void SendGarbage() const {
    std::array<unsigned char, sizeof(ResultFrame)> bytes;
    for (size_t i = 0; i < bytes.size(); ++i) bytes[i] = static_cast<unsigned char>(i * 167 + 13);
    ::send(socket_.fd(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
  }

  // A failed send means that the daemon is gone; the next receive says so.
  static void Ignore(const absl::Status& sent) { sent.IgnoreError(); }

  Mode mode_;
  const WorkerSpec& spec_;
  Slab slab_;
  FrameSocket socket_;
  WorkerState state_ = WorkerState::kStarting;
  int batches_ = 0;
};

int Main(std::string_view mode_name) {
  const std::optional<Mode> mode = ParseMode(mode_name);
  if (!mode) {
    std::fprintf(stderr, "unknown mode %.*s\n", static_cast<int>(mode_name.size()),
                 mode_name.data());
    return 2;
  }
  constexpr rlimit kNoCoreFile{.rlim_cur = 0, .rlim_max = 0};
  ::setrlimit(RLIMIT_CORE, &kNoCoreFile);
  if (*mode == Mode::kDieAtStart) return 7;

  const absl::StatusOr<WorkerSpec> spec = ReadWorkerSpec(kWorkerSpecFd);
  if (!spec.ok()) {
    std::fprintf(stderr, "%s\n", spec.status().ToString().c_str());
    return 3;
  }
  if (*mode == Mode::kGoodAsWorker0 && spec->worker != 0) return 7;
  absl::StatusOr<Slab> slab = Slab::Map(UniqueFd(kWorkerSlabFd), spec->slots, spec->stride);
  if (!slab.ok()) {
    std::fprintf(stderr, "%s\n", slab.status().ToString().c_str());
    return 4;
  }
  return MisbehavingWorker(*mode, *spec, std::move(*slab), FrameSocket(UniqueFd(kWorkerSocketFd)))
      .Run();
}

}  // namespace
}  // namespace escan

int main(int argc, char** argv) {
  if (argc != 2) {
    std::fprintf(stderr, "usage: %s MODE\n", argv[0]);
    return 2;
  }
  return escan::Main(argv[1]);
}
