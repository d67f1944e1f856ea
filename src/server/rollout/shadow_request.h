#pragma once

#include <cstddef>
#include <memory>
#include <vector>

#include "server/inference/served_model.h"
#include "server/rollout/rollout.h"

namespace escan {

// The rows of a request that a new version answered, asked of the old one too. Owns itself until
// the answer was compared; where the old version has no free slots, nothing is compared.
class ShadowRequest final : private Completion {
 public:
  // Copies rows and answers of `key`, which the new version has answered, and returns at once.
  static void Start(const std::shared_ptr<Rollout>& rollout, const ServedModel& after,
                    const RequestKey& key, int rows);

 private:
  ShadowRequest(std::shared_ptr<Rollout> rollout, std::shared_ptr<ServedModel> before)
      : rollout_(std::move(rollout)), before_(std::move(before)) {}
  ~ShadowRequest() override = default;

  bool CopyRows(const ServedModel& after, const RequestKey& key, int rows);
  void OnComplete(const Outcome& outcome) override;
  uint64_t Agreeing() const;

  const std::shared_ptr<Rollout> rollout_;
  const std::shared_ptr<ServedModel> before_;
  RequestKey key_{};
  int rows_ = 0;
  std::vector<std::byte> answers_;  // of the new version: row by row, each its outputs
};

}  // namespace escan
