#pragma once

#include <c10/util/Exception.h>

namespace escan {

// While it lives, the calling thread's warnings of libtorch are dropped.
class QuietWarnings {
 private:
  class Nowhere : public c10::WarningHandler {
    void process(const c10::Warning&) override {}
  };

  Nowhere nowhere_;
  const c10::WarningUtils::WarningHandlerGuard guard_{&nowhere_};
};

}  // namespace escan
