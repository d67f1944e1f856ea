#include "worker/torch/convolution_fusion.h"

#include <torch/csrc/jit/ir/alias_analysis.h>
#include <torch/csrc/jit/ir/constants.h>
#include <torch/csrc/jit/ir/ir.h>
#include <torch/csrc/jit/passes/remove_mutation.h>

#include <memory>
#include <optional>
#include <vector>

namespace escan {
namespace {

using torch::jit::AliasDb;
using torch::jit::Graph;
using torch::jit::Node;
using torch::jit::Value;
namespace aten = torch::jit::aten;

// What a convolution is given that the fused operations take too.
struct Convolution {
  Node* node;
  Value* input;
  Value* weight;
  std::vector<Value*> others;  // bias, stride, padding, dilation, groups
};

// What becomes one operation.
struct Chain {
  Convolution convolution;
  Node* sum;      // null: nothing is added
  Value* addend;  // of the sum, beside the convolution
  Node* relu;
};

template <typename Predicate>
bool IsConstant(const Value* value, Predicate predicate) {
  const std::optional<c10::IValue> constant = torch::jit::toIValue(value);
  return constant && predicate(*constant);
}

// Scripted modules have aten::conv2d, whose padding may be a word, and traced ones
// aten::_convolution, which may have another number of dimensions or be transposed.
std::optional<Convolution> AsConvolution(Node* node) {
  const bool scripted = node->kind() == aten::conv2d;
  if (!scripted && node->kind() != aten::_convolution) return std::nullopt;
  Value* const padding = node->input(4);
  Value* const groups = node->input(scripted ? 6 : 8);
  const bool suits =
      IsConstant(node->input(1),
                 [](const c10::IValue& weight) {
                   return weight.isTensor() && weight.toTensor().dim() == 4;
                 }) &&
      IsConstant(padding, [](const c10::IValue& value) { return value.isIntList(); }) &&
      (scripted || IsConstant(node->input(6), [](const c10::IValue& transposed) {
         return transposed.isBool() && !transposed.toBool();
       }));
  if (!suits) return std::nullopt;
  return Convolution{.node = node,
                     .input = node->input(0),
                     .weight = node->input(1),
                     .others = {node->input(2), node->input(3), padding, node->input(5), groups}};
}

// The node whose result this is, if nothing else reads it and it is beside `reader`.
Node* OwnNode(Value* value, const Node* reader) {
  const bool own =
      value->uses().size() == 1 && value->node()->owningBlock() == reader->owningBlock();
  return own ? value->node() : nullptr;
}

bool IsSumOfTensors(const Node& node) {
  return node.kind() == aten::add && node.inputs().size() == 3 &&
         node.input(1)->type()->isSubtypeOf(*c10::TensorType::get()) &&
         IsConstant(node.input(2),
                    [](const c10::IValue& alpha) { return alpha.isInt() && alpha.toInt() == 1; });
}

std::optional<Chain> ChainThatEndsIn(Node* relu) {
  if (relu->kind() != aten::relu) return std::nullopt;
  Node* const before = OwnNode(relu->input(), relu);
  if (before == nullptr) return std::nullopt;
  if (const auto convolution = AsConvolution(before)) {
    return Chain{.convolution = *convolution, .sum = nullptr, .addend = nullptr, .relu = relu};
  }
  if (!IsSumOfTensors(*before)) return std::nullopt;
  for (const size_t operand : {0, 1}) {
    Node* const node = OwnNode(before->input(operand), before);
    const auto convolution = node == nullptr ? std::nullopt : AsConvolution(node);
    if (convolution) return Chain{*convolution, before, before->input(1 - operand), relu};
  }
  return std::nullopt;
}

// In the order of the code. Convolution and sum move to where the ReLU is, so nothing may change
// what they read in between.
std::vector<Chain> FindChains(const std::shared_ptr<Graph>& graph) {
  const AliasDb aliases(graph);
  std::vector<Chain> chains;
  for (Node* node : graph->block()->nodes()) {
    std::optional<Chain> chain = ChainThatEndsIn(node);
    if (!chain || aliases.hasWriters(chain->convolution.input)) continue;
    if (chain->addend == nullptr || !aliases.hasWriters(chain->addend)) chains.push_back(*chain);
  }
  return chains;
}

void Fuse(Graph& graph, const Chain& chain) {
  std::vector<Value*> inputs = {chain.convolution.input, chain.convolution.weight};
  if (chain.sum != nullptr) inputs.insert(inputs.end(), {chain.addend, chain.sum->input(2)});
  inputs.insert(inputs.end(), chain.convolution.others.begin(), chain.convolution.others.end());
  Node* const fused = graph.create(
      chain.sum != nullptr ? aten::cudnn_convolution_add_relu : aten::cudnn_convolution_relu,
      inputs);
  fused->insertBefore(chain.relu);
  fused->output()->setType(chain.relu->output()->type());
  chain.relu->output()->replaceAllUsesWith(fused->output());
  chain.relu->destroy();
  if (chain.sum != nullptr) chain.sum->destroy();
  chain.convolution.node->destroy();
}

}  // namespace

int FuseConvolutions(torch::jit::Module& module) {
  const std::shared_ptr<Graph> graph = module.get_method("forward").graph();
  torch::jit::RemoveTensorMutation(graph);
  const std::vector<Chain> chains = FindChains(graph);
  // From the last to the first: a chain may read what an earlier one computes.
  for (auto chain = chains.rbegin(); chain != chains.rend(); ++chain) Fuse(*graph, *chain);
  return static_cast<int>(chains.size());
}

}  // namespace escan
