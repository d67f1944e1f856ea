#pragma once

#include "worker/torch/torch_fixture.h"

// Cascades of the packages that make_packages.py writes.
namespace escan {

inline CascadeSpec LookupCascade(const Path& model) {
  CascadeSpec cascade;
  cascade.inputs = {{.name = "tokens", .datatype = Datatype::kUint8, .shape = {4}}};
  cascade.stages = {TorchStage("only", model, {{.tensor = 0}},
                               {{.name = "probabilities", .shape = {3}}, {.name = "sum"}})};
  cascade.stages[0].exit = {.score = ExitScore::kMaxProbability, .threshold = 0.5f};
  return cascade;
}

}  // namespace escan
