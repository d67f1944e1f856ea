#include "escan/verdict.h"

namespace escan {

std::string_view Name(Verdict verdict) {
  switch (verdict) {
    case Verdict::kRight:
      return "right";
    case Verdict::kRightByRemedy:
      return "right by remedy";
    case Verdict::kWrong:
      return "wrong";
    case Verdict::kUnknown:
      return "unknown";
  }
  return "unknown";
}

}  // namespace escan
