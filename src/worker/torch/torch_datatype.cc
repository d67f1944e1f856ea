#include "worker/torch/torch_datatype.h"

#include <algorithm>
#include <array>
#include <utility>

namespace escan {
namespace {

constexpr std::array<std::pair<Datatype, c10::ScalarType>, 13> kTypes = {
    {{Datatype::kBool, c10::ScalarType::Bool},
     {Datatype::kUint8, c10::ScalarType::Byte},
     {Datatype::kUint16, c10::ScalarType::UInt16},
     {Datatype::kUint32, c10::ScalarType::UInt32},
     {Datatype::kUint64, c10::ScalarType::UInt64},
     {Datatype::kInt8, c10::ScalarType::Char},
     {Datatype::kInt16, c10::ScalarType::Short},
     {Datatype::kInt32, c10::ScalarType::Int},
     {Datatype::kInt64, c10::ScalarType::Long},
     {Datatype::kFp16, c10::ScalarType::Half},
     {Datatype::kFp32, c10::ScalarType::Float},
     {Datatype::kFp64, c10::ScalarType::Double},
     {Datatype::kBf16, c10::ScalarType::BFloat16}}};

}  // namespace

c10::ScalarType ToScalarType(Datatype datatype) {
  return std::find_if(kTypes.begin(), kTypes.end(),
                      [=](const auto& pair) { return pair.first == datatype; })
      ->second;
}

std::string DatatypeName(c10::ScalarType type) {
  const auto found = std::find_if(kTypes.begin(), kTypes.end(),
                                  [=](const auto& pair) { return pair.second == type; });
  return found == kTypes.end() ? c10::toString(type) : std::string(Name(found->first));
}

}  // namespace escan
