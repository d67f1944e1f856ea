#pragma once

#include "config/node_reader.h"
#include "escan/cascade.h"

namespace escan {

// `exit:` of a stage that another one follows. `stage` is read but for its exit rule; its outputs
// or its answer are empty where they could not be read.
ExitRule ReadExit(const NodeReader& node, const StageSpec& stage);

// `exit:` of the last stage, which always answers: there is no threshold, and the score serves only
// as the answer's confidence. Where `exit:` is not given, the score is that of the stage `before`,
// from the output of the same name; in a cascade of one stage (null) it is max_probability of the
// first output. It is none where the output does not suit that, or nothing computes it.
ExitRule ReadLastExit(const NodeReader& node, const StageSpec& stage, const StageSpec* before);

}  // namespace escan
