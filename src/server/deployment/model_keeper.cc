#include "server/deployment/model_keeper.h"

#include <pthread.h>
#include <spdlog/spdlog.h>

#include <utility>

namespace escan {

std::shared_ptr<ModelKeeper> ModelKeeper::Start() {
  std::shared_ptr<ModelKeeper> keeper(new ModelKeeper);
  keeper->thread_ = std::thread([raw = keeper.get()] { raw->Run(); });
  pthread_setname_np(keeper->thread_.native_handle(), "model keeper");
  return keeper;
}

ModelKeeper::~ModelKeeper() {
  {
    const MutexLock lock(mutex_);
    ended_ = true;
    changed_.NotifyAll();
  }
  thread_.join();
}

std::shared_ptr<ServedModel> ModelKeeper::Keep(const std::shared_ptr<ModelKeeper>& keeper,
                                               std::unique_ptr<ServedModel> model) {
  std::shared_ptr<ServedModel> kept(model.release(), [keeper](ServedModel* unused) {
    keeper->End(std::unique_ptr<ServedModel>(unused));
  });
  const MutexLock lock(keeper->mutex_);
  std::erase_if(keeper->known_, [](const auto& known) { return known.expired(); });
  keeper->known_.push_back(kept);
  return kept;
}

ModelTable ModelKeeper::Living() const {
  ModelTable living;
  const MutexLock lock(mutex_);
  for (const std::weak_ptr<ServedModel>& known : known_) {
    if (std::shared_ptr<ServedModel> model = known.lock()) living.push_back(std::move(model));
  }
  return living;
}

void ModelKeeper::End(std::unique_ptr<ServedModel> model) {
  const MutexLock lock(mutex_);
  // What is known of it would keep its deleter, and by that this object, for ever.
  std::erase_if(known_, [](const auto& known) { return known.expired(); });
  unused_.push_back(std::move(model));
  changed_.NotifyAll();
}

void ModelKeeper::Run() {
  while (true) {
    std::vector<std::unique_ptr<ServedModel>> ending;
    {
      const MutexLock lock(mutex_);
      while (unused_.empty() && !ended_) changed_.Wait(mutex_);
      if (unused_.empty()) return;
      ending.swap(unused_);
    }
    for (const std::unique_ptr<ServedModel>& model : ending) {
      spdlog::info("cascade ended model={} version={}", model->cascade().name, model->version);
    }
  }
}

}  // namespace escan
