#pragma once

#include <array>
#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "engine/engine.h"
#include "mps/mps_worker_host.h"

namespace escan {

// What the models of SaveTestModels() are given: probabilities softmax(8 x / 255) of the first
// three.
using Image = std::array<uint8_t, 4>;

// A cascade of the test models in `folder`: each sees the image; a row leaves at the first stage
// that is at least 90 % sure.
CascadeSpec ImageCascade(const std::filesystem::path& folder,
                         const std::vector<std::string>& models);

// One request: what it asked, and how it ended.
class ImageCall : public Completion {
 public:
  ImageCall(Engine* engine, std::vector<Image> images);
  ~ImageCall() override;  // waits, and gives the slots back

  // False when there are no free slots.
  bool Send();
  void OnComplete(const Outcome& outcome) override;
  const Outcome& Wait();
  // Empty when each row was answered by the stage that has to, as it has to; else what is wrong.
  std::string Mistake() const;

 private:
  Engine* const engine_;
  const std::vector<Image> images_;
  RequestKey key_;
  Outcome outcome_;
  std::mutex mutex_;
  std::condition_variable changed_;
  bool sent_ = false;
  bool done_ = false;
};

// Threads that send good requests, one after the other, until stopped.
class ImageLoad {
 public:
  ImageLoad(Engine* engine, int threads);
  ~ImageLoad() { Stop(); }

  int64_t answered() const { return answered_; }
  void Stop();
  // After Stop(): of requests that failed or were answered wrong, what happened to the first; empty
  // when there were none.
  std::string Mistake();

 private:
  void Run(int thread);

  Engine* const engine_;
  std::atomic<int64_t> answered_{0};
  std::atomic<bool> stop_{false};
  std::mutex mutex_;
  std::string mistake_;
  std::vector<std::thread> threads_;
};

}  // namespace escan
