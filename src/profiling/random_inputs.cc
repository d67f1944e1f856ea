#include "profiling/random_inputs.h"

#include <cstring>
#include <random>
#include <string>
#include <vector>

#include "arrays/random_tensor.h"

namespace escan {
namespace {

constexpr size_t kDifferentRows = 64;  // as many as a batch has, so that it is no batch of equals

}  // namespace

void FillSlots(Engine& engine) {
  const std::vector<TensorSpec>& inputs = engine.cascade().inputs;
  std::mt19937_64 random(1);
  std::vector<std::string> rows;
  for (const TensorSpec& input : inputs)
    rows.push_back(RandomTensor(input, kDifferentRows, random));
  std::vector<RequestKey> keys;
  for (auto key = engine.Acquire(1); key.ok(); key = engine.Acquire(1)) {
    const size_t row = keys.size() % kDifferentRows;
    for (size_t i = 0; i < inputs.size(); ++i) {
      const size_t bytes = inputs[i].row_bytes();
      std::memcpy(engine.input(key->first_slot, static_cast<int>(i)), rows[i].data() + row * bytes,
                  bytes);
    }
    keys.push_back(*key);
  }
  for (const RequestKey& key : keys) engine.Release(key);
}

}  // namespace escan
