#include "worker/torch/graph_transform.h"

#include <torch/csrc/jit/ir/constants.h>
#include <torch/csrc/jit/ir/ir.h>

#include <functional>
#include <optional>
#include <set>
#include <string>
#include <vector>

namespace escan {
namespace {

using torch::jit::Graph;
using torch::jit::Module;
using torch::jit::Node;

// Functions that make a tensor. Without a device it is made on the CPU.
const std::set<std::string> kFactories = {"aten::zeros",   "aten::ones", "aten::full",
                                          "aten::empty",   "aten::eye",  "aten::arange",
                                          "aten::linspace"};

// Functions whose argument `dtype` says no more than what comes out: in FP16 all goes on in FP16.
// Not arange and linspace, whose values FP16 may not be able to tell apart.
const std::set<std::string> kCasts = {"aten::to",         "aten::zeros",        "aten::ones",
                                      "aten::full",       "aten::empty",        "aten::eye",
                                      "aten::new_zeros",  "aten::new_ones",     "aten::new_full",
                                      "aten::zeros_like", "aten::ones_like",    "aten::full_like",
                                      "aten::tensor",     "aten::scalar_tensor"};

bool Contains(const std::set<std::string>& names, const Node& node) {
  return names.count(node.kind().toQualString()) > 0;
}

void ForEachNode(torch::jit::Block* block, const std::function<void(Node*)>& visit) {
  for (Node* node : block->nodes()) {
    visit(node);
    for (torch::jit::Block* inner : node->blocks()) ForEachNode(inner, visit);
  }
}

at::Tensor Converted(const at::Tensor& tensor, const GraphTarget& target) {
  if (tensor.dim() == 0 && !tensor.is_floating_point()) return tensor;
  at::TensorOptions options = tensor.options().device(target.device);
  if (target.half && tensor.scalar_type() == at::kFloat) options = options.dtype(at::kHalf);
  const bool reorder = target.channels_last && tensor.dim() == 4 && tensor.is_floating_point();
  const at::Tensor converted = tensor.detach().to(options);
  return converted.contiguous(reorder ? at::MemoryFormat::ChannelsLast
                                      : at::MemoryFormat::Contiguous);
}

std::optional<at::Tensor> TensorConstant(const Node& node) {
  if (node.kind() != torch::jit::prim::Constant || !node.hasAttribute(torch::jit::attr::value) ||
      node.kindOf(torch::jit::attr::value) != torch::jit::AttributeKind::t) {
    return std::nullopt;
  }
  return node.t(torch::jit::attr::value);
}

// Gives `node` this value for the argument `name`, where it has one of that name that is a constant
// for which `replace` holds. The constant itself may have other uses, so it stays.
void ReplaceArgument(Graph& graph, Node* node, const std::string& name,
                     const std::function<bool(const c10::IValue&)>& replace,
                     const c10::IValue& value) {
  const c10::FunctionSchema* schema = node->maybeSchema();
  const std::optional<int> index =
      schema == nullptr ? std::nullopt : schema->argumentIndexWithName(name);
  if (!index) return;
  const std::optional<c10::IValue> found =
      torch::jit::toIValue(node->input(static_cast<size_t>(*index)));
  if (!found || !replace(*found)) return;
  const torch::jit::WithInsertPoint before(node);
  node->replaceInput(static_cast<size_t>(*index), graph.insertConstant(value));
}

void RetargetNode(Graph& graph, Node* node, const GraphTarget& target) {
  if (const std::optional<at::Tensor> constant = TensorConstant(*node)) {
    node->t_(torch::jit::attr::value, Converted(*constant, target));
    node->output()->inferTypeFrom(node->t(torch::jit::attr::value));
    return;
  }
  const bool makes = Contains(kFactories, *node);
  ReplaceArgument(
      graph, node, "device",
      [makes](const c10::IValue& device) {
        return device.isNone() ? makes : device.isDevice() && device.toDevice().is_cpu();
      },
      target.device);
  if (target.half && Contains(kCasts, *node)) {
    ReplaceArgument(
        graph, node, "dtype",
        [](const c10::IValue& type) {
          return type.isInt() && type.toInt() == static_cast<int64_t>(at::kFloat);
        },
        static_cast<int64_t>(at::kHalf));
  }
}

}  // namespace

Module Retarget(const Module& frozen, const GraphTarget& target) {
  Module module = frozen.clone();
  for (const Module& part : module.modules()) {
    for (const auto& attribute : part.named_attributes(/*recurse=*/false)) {
      if (attribute.value.isTensor()) {
        Module(part).setattr(attribute.name, Converted(attribute.value.toTensor(), target));
      }
    }
  }
  const std::shared_ptr<Graph> graph = module.get_method("forward").graph();
  ForEachNode(graph->block(), [&](Node* node) { RetargetNode(*graph, node, target); });
  return module;
}

bool HasConvolutions(const Module& frozen) {
  bool found = false;
  ForEachNode(frozen.get_method("forward").graph()->block(), [&](Node* node) {
    const std::optional<at::Tensor> constant = TensorConstant(*node);
    found = found || (constant && constant->dim() == 4 && constant->is_floating_point());
  });
  return found;
}

}  // namespace escan
