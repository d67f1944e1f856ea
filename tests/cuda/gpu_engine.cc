#include "cuda/gpu_engine.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "absl/strings/str_cat.h"

namespace escan {
namespace {

constexpr float kThreshold = 0.9f;
constexpr float kTolerance = 2e-2f;  // of a probability computed in FP16
constexpr Duration kDeadline = std::chrono::minutes(2);

std::array<float, 3> Probabilities(const Image& image) {
  std::array<float, 3> p;
  float sum = 0;
  for (size_t i = 0; i < p.size(); ++i) {
    p[i] = std::exp(8.0f * static_cast<float>(image[i]) / 255.0f);
    sum += p[i];
  }
  for (float& x : p) x /= sum;
  return p;
}

bool IsSure(const Image& image) {
  const std::array<float, 3> p = Probabilities(image);
  return *std::max_element(p.begin(), p.end()) >= kThreshold;
}

// Sure ones and others, none near the threshold.
Image GoodImage(int number) {
  Image image{40, 30, 20, 0};
  const auto sure_of = static_cast<size_t>(number) % 4;
  if (sure_of < 3) image[sure_of] = 250;
  return image;
}

}  // namespace

CascadeSpec ImageCascade(const std::filesystem::path& folder,
                         const std::vector<std::string>& models) {
  CascadeSpec cascade;
  cascade.name = "images";
  cascade.max_rows = 64;
  cascade.deadline = kDeadline;
  cascade.slots = 2048;
  cascade.inputs = {{.name = "image", .datatype = Datatype::kUint8, .shape = {4}}};
  cascade.outputs = {{.name = "probabilities", .datatype = Datatype::kFp32, .shape = {3}}};
  for (const std::string& model : models) {
    StageSpec& stage = cascade.stages.emplace_back();
    stage.name = absl::StrCat("stage", cascade.stages.size());
    stage.model = folder / model;
    stage.inputs = {TensorRef{}};
    stage.outputs = cascade.outputs;
    stage.answer = {0};
    stage.buckets = {1, 4, 16};
    stage.exit = {.score = ExitScore::kMaxProbability, .output = 0, .threshold = kThreshold};
    stage.gpu.precision = Precision::kFp16;
  }
  return cascade;
}

ImageCall::ImageCall(Engine* engine, std::vector<Image> images)
    : engine_(engine), images_(std::move(images)) {}

ImageCall::~ImageCall() {
  if (!sent_) return;
  Wait();
  engine_->Release(key_);
}

bool ImageCall::Send() {
  const absl::StatusOr<RequestKey> key = engine_->Acquire(static_cast<int>(images_.size()));
  if (!key.ok()) return false;
  key_ = *key;
  sent_ = true;
  SlotId slot = key_.first_slot;
  for (const Image& image : images_) {
    std::memcpy(engine_->input(slot, 0), image.data(), image.size());
    slot = engine_->NextSlot(slot);
  }
  const TimePoint now = Clock::now();
  engine_->Submit({.key = key_,
                   .rows = static_cast<int>(images_.size()),
                   .arrival = now,
                   .deadline = now + kDeadline},
                  this);
  return true;
}

void ImageCall::OnComplete(const Outcome& outcome) {
  const std::lock_guard<std::mutex> lock(mutex_);
  outcome_ = outcome;
  done_ = true;
  changed_.notify_all();
}

const Outcome& ImageCall::Wait() {
  std::unique_lock<std::mutex> lock(mutex_);
  changed_.wait(lock, [&] { return done_; });
  return outcome_;
}

std::string ImageCall::Mistake() const {
  if (outcome_.code != OutcomeCode::kOk) {
    return absl::StrCat("outcome ", static_cast<int>(outcome_.code), " at stage ", outcome_.stage,
                        ": ", outcome_.message);
  }
  const int last = engine_->cascade().stage_count() - 1;
  SlotId slot = key_.first_slot;
  for (const Image& image : images_) {
    const SampleAnswer& answer = engine_->answer(slot);
    const int stage = IsSure(image) ? 0 : last;
    if (answer.stage != stage) {
      return absl::StrCat("answered by stage ", answer.stage, " instead of ", stage);
    }
    std::array<float, 3> p;
    std::memcpy(p.data(), engine_->output(slot, answer.stage, 0), sizeof(p));
    const std::array<float, 3> expected = Probabilities(image);
    for (size_t i = 0; i < p.size(); ++i) {
      if (!(std::abs(p[i] - expected[i]) <= kTolerance)) {
        return absl::StrCat("probability ", p[i], " of class ", i, " instead of ", expected[i]);
      }
    }
    slot = engine_->NextSlot(slot);
  }
  return "";
}

ImageLoad::ImageLoad(Engine* engine, int threads) : engine_(engine) {
  for (int i = 0; i < threads; ++i) threads_.emplace_back(&ImageLoad::Run, this, i);
}

void ImageLoad::Run(int thread) {
  for (int number = thread; !stop_; ++number) {
    std::vector<Image> images;
    for (int row = 0; row < 1 + number % 3; ++row) images.push_back(GoodImage(number + row));
    ImageCall call(engine_, images);
    if (!call.Send()) continue;
    call.Wait();
    ++answered_;
    const std::string mistake = call.Mistake();
    if (mistake.empty()) continue;
    const std::lock_guard<std::mutex> lock(mutex_);
    if (mistake_.empty()) mistake_ = mistake;
  }
}

void ImageLoad::Stop() {
  stop_ = true;
  for (std::thread& thread : threads_) {
    if (thread.joinable()) thread.join();
  }
}

std::string ImageLoad::Mistake() {
  const std::lock_guard<std::mutex> lock(mutex_);
  return mistake_;
}

}  // namespace escan
