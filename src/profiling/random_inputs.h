#pragma once

#include "engine/engine.h"

namespace escan {

// Writes random rows into every slot that is free, once for all requests: what a slot holds stays
// there. So they only need to fill in what differs between them.
void FillSlots(Engine& engine);

}  // namespace escan
