#pragma once

#include "escan/cascade.h"

namespace escan {

// Two stages that run nothing; "late" reads the request's input and an output of "early".
inline CascadeSpec ProfiledCascade() {
  CascadeSpec cascade;
  cascade.name = "digits";
  cascade.max_rows = 4;
  cascade.deadline = std::chrono::minutes(1);
  cascade.inputs = {{.name = "image", .datatype = Datatype::kUint8, .shape = {4}}};
  cascade.outputs = {{.name = "digit", .datatype = Datatype::kFp32, .shape = {1}}};
  StageSpec& early = cascade.stages.emplace_back();
  early.name = "early";
  early.executor = ExecutorKind::kNull;
  early.inputs = {{.tensor = 0}};
  early.outputs = {{.name = "features", .datatype = Datatype::kFp32, .shape = {2}},
                   cascade.outputs.front()};
  early.answer = {1};
  early.buckets = {1, 4};
  early.exit = {.score = ExitScore::kOutput, .output = 1, .threshold = 0.5f};
  StageSpec& late = cascade.stages.emplace_back();
  late.name = "late";
  late.executor = ExecutorKind::kNull;
  late.inputs = {{.tensor = 0}, {.stage = 0, .tensor = 0}};
  late.outputs = cascade.outputs;
  late.answer = {0};
  late.buckets = {1, 8};
  return cascade;
}

}  // namespace escan
