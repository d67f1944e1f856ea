#include "server/protocol/model_description.h"

#include <chrono>

#include "absl/strings/str_cat.h"
#include "server/protocol/contract.h"

namespace escan {
namespace {

inference::DataType ToProto(Datatype datatype) {
  switch (datatype) {
    case Datatype::kBool:
      return inference::TYPE_BOOL;
    case Datatype::kUint8:
      return inference::TYPE_UINT8;
    case Datatype::kUint16:
      return inference::TYPE_UINT16;
    case Datatype::kUint32:
      return inference::TYPE_UINT32;
    case Datatype::kUint64:
      return inference::TYPE_UINT64;
    case Datatype::kInt8:
      return inference::TYPE_INT8;
    case Datatype::kInt16:
      return inference::TYPE_INT16;
    case Datatype::kInt32:
      return inference::TYPE_INT32;
    case Datatype::kInt64:
      return inference::TYPE_INT64;
    case Datatype::kFp16:
      return inference::TYPE_FP16;
    case Datatype::kFp32:
      return inference::TYPE_FP32;
    case Datatype::kFp64:
      return inference::TYPE_FP64;
    case Datatype::kBf16:
      return inference::TYPE_BF16;
  }
  return inference::TYPE_INVALID;
}

void Describe(const TensorSpec& tensor, inference::ModelMetadataResponse::TensorMetadata* to) {
  to->set_name(tensor.name);
  to->set_datatype(std::string(Name(tensor.datatype)));
  to->add_shape(-1);
  for (const int64_t dimension : tensor.shape) to->add_shape(dimension);
}

// For a ModelInput or a ModelOutput.
template <typename Tensor>
void DescribeTensor(const TensorSpec& tensor, Tensor* to) {
  to->set_name(tensor.name);
  to->set_data_type(ToProto(tensor.datatype));
  for (const int64_t dimension : tensor.shape) to->add_dims(dimension);
}

void DescribeBatching(const CascadeSpec& cascade, const Plan& plan,
                      inference::ModelDynamicBatching* to) {
  for (const int bucket : cascade.stages.front().buckets) to->add_preferred_batch_size(bucket);
  if (!plan.stages.empty()) {
    const auto delay =
        std::chrono::duration_cast<std::chrono::microseconds>(plan.stages.front().max_delay);
    to->set_max_queue_delay_microseconds(static_cast<uint64_t>(delay.count()));
  }
  to->set_priority_levels(kLowestPriority);
  to->set_default_priority_level(kDefaultPriority);
  auto* const policy = to->mutable_default_queue_policy();
  const auto deadline = std::chrono::duration_cast<std::chrono::microseconds>(cascade.deadline);
  policy->set_default_timeout_microseconds(static_cast<uint64_t>(deadline.count()));
  policy->set_allow_timeout_override(true);
}

}  // namespace

inference::ModelMetadataResponse DescribeModel(const CascadeSpec& cascade) {
  inference::ModelMetadataResponse metadata;
  metadata.set_name(cascade.name);
  metadata.add_versions(std::string(kModelVersion));
  metadata.set_platform(std::string(kPlatform));
  for (const TensorSpec& input : cascade.inputs) Describe(input, metadata.add_inputs());
  for (const TensorSpec& output : AnswerTensors(cascade)) Describe(output, metadata.add_outputs());
  return metadata;
}

inference::ModelConfig DescribeConfig(const CascadeSpec& cascade, const Plan& plan,
                                      const std::vector<Device>& devices) {
  inference::ModelConfig config;
  config.set_name(cascade.name);
  config.set_platform(std::string(kPlatform));
  config.set_backend("escan");
  config.mutable_version_policy()->mutable_specific()->add_versions(1);
  config.set_max_batch_size(cascade.max_rows);
  for (const TensorSpec& input : cascade.inputs) DescribeTensor(input, config.add_input());
  for (const TensorSpec& output : AnswerTensors(cascade)) {
    DescribeTensor(output, config.add_output());
  }
  DescribeBatching(cascade, plan, config.mutable_dynamic_batching());
  for (size_t i = 0; i < plan.workers.size(); ++i) {
    auto* const group = config.add_instance_group();
    group->set_name(absl::StrCat(cascade.name, "_", i));
    group->set_count(plan.workers[i].count);
    const int device = plan.workers[i].device;
    const bool gpu = devices[static_cast<size_t>(device)].kind == Device::Kind::kGpu;
    group->set_kind(gpu ? inference::ModelInstanceGroup::KIND_GPU
                        : inference::ModelInstanceGroup::KIND_CPU);
    if (gpu) group->add_gpus(device);
  }
  config.mutable_model_transaction_policy()->set_decoupled(false);
  return config;
}

}  // namespace escan
