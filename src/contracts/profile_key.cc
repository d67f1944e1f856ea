#include "contracts/profile_key.h"

#include <cstddef>
#include <string_view>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

namespace escan {
namespace {

std::string StageNames(const ProfileKey& key) {
  return absl::StrJoin(key.stages, ", ",
                       [](std::string* out, const StageKey& stage) { out->append(stage.name); });
}

std::string ValueText(std::string_view value) {
  return value.empty() ? "none" : std::string(value);
}
std::string ValueText(int value) { return absl::StrCat(value); }

// Collects the first difference.
class Comparison {
 public:
  template <typename T>
  void Compare(const std::string& what, const T& measured, const T& present) {
    if (reason_ || measured == present) return;
    reason_ = absl::StrCat(what, ": it was measured with ", ValueText(measured), ", and this is ",
                           ValueText(present));
  }

  void CompareStages(const StageKey& measured, const StageKey& present) {
    const std::string stage = absl::StrCat("stage ", measured.name, ": ");
    Compare(stage + "model", measured.model_hash, present.model_hash);
    Compare(stage + "precision", Name(measured.gpu.precision), Name(present.gpu.precision));
    Compare(stage + "layout", Name(measured.gpu.layout), Name(present.gpu.layout));
    Compare(stage + "execution", Name(measured.gpu.execution), Name(present.gpu.execution));
    Compare(stage + "fallback", FallbackName(measured.gpu), FallbackName(present.gpu));
  }

  const std::optional<std::string>& reason() const { return reason_; }

 private:
  std::optional<std::string> reason_;
};

}  // namespace

std::optional<std::string> StaleReason(const ProfileKey& measured, const ProfileKey& present) {
  Comparison comparison;
  comparison.Compare("device", measured.device.name, present.device.name);
  comparison.Compare("multiprocessors", measured.device.multiprocessors,
                     present.device.multiprocessors);
  comparison.Compare("driver", measured.driver, present.driver);
  comparison.Compare("torch", measured.torch, present.torch);
  comparison.Compare("stages", StageNames(measured), StageNames(present));
  if (comparison.reason()) return comparison.reason();
  for (size_t i = 0; i < measured.stages.size(); ++i) {
    comparison.CompareStages(measured.stages[i], present.stages[i]);
  }
  return comparison.reason();
}

}  // namespace escan
