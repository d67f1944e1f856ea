#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <variant>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "escan/tensor.h"

namespace escan {

// The elements of a tensor as they come out of a JSON text: in one flat array, or in arrays nested
// as the tensor's dimensions are. 16 bytes an element, whatever the text says.
class JsonElements {
 public:
  using Element = std::variant<bool, int64_t, uint64_t, double>;

  // An array begins, an array ends, an element comes. False when the arrays cannot be those of a
  // tensor any more: too deep, or of different sizes at one depth.
  bool Open();
  bool Close();
  bool Add(Element element);

  // The elements in memory form. InvalidArgument naming the input and the element that the datatype
  // does not hold; for FP16 and BF16, which JSON has no numbers for; or when there are not as many
  // elements as `shape` says.
  absl::StatusOr<std::string> InMemory(absl::string_view input, Datatype datatype,
                                       std::span<const int64_t> shape) const;

 private:
  absl::Status CheckShape(absl::string_view input, std::span<const int64_t> shape) const;

  std::vector<Element> elements_;
  std::vector<int64_t> counts_;  // by depth; of the arrays that are open
  std::vector<int64_t> sizes_;   // by depth; of the arrays that were closed, -1: none was
  size_t depth_ = 0;
  size_t leaf_depth_ = 0;  // at which all elements lie; 0: none came
};

}  // namespace escan
