#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "config/config.h"
#include "config/scalars.h"
#include "config/slots.h"
#include "yaml-cpp/yaml.h"

namespace escan {
namespace {

using YAML::BeginMap;
using YAML::BeginSeq;
using YAML::EndMap;
using YAML::EndSeq;
using YAML::Flow;

// Writes `key: value`, and a comment where there is one.
template <typename T>
void Put(YAML::Emitter& out, const std::string& key, const T& value,
         const std::string& comment = "") {
  out << YAML::Key << key << YAML::Value << value;
  if (!comment.empty()) out << YAML::Comment(comment);
}

YAML::Emitter& PutKey(YAML::Emitter& out, const std::string& key) {
  return out << YAML::Key << key << YAML::Value;
}

template <typename T>
void PutList(YAML::Emitter& out, const std::string& key, const std::vector<T>& values) {
  PutKey(out, key) << Flow << BeginSeq;
  for (const T& value : values) out << value;
  out << EndSeq;
}

// A GPU by its UUID, which says little; a comment says what it is.
void PutDevices(YAML::Emitter& out, const std::vector<Device>& devices) {
  std::vector<std::string> ids;
  std::vector<std::string> names;
  for (const Device& device : devices) {
    ids.push_back(device.kind == Device::Kind::kGpu ? device.uuid : device.name);
    names.push_back(device.name);
  }
  PutList(out, "devices", ids);
  if (ids != names) out << YAML::Comment(absl::StrJoin(names, ", "));
}

void PutTensors(YAML::Emitter& out, const std::string& key,
                const std::vector<TensorSpec>& tensors) {
  PutKey(out, key) << BeginSeq;
  for (const TensorSpec& tensor : tensors) {
    out << Flow << BeginMap;
    Put(out, "name", tensor.name);
    Put(out, "datatype", std::string(Name(tensor.datatype)));
    PutList(out, "shape", tensor.shape);
    if (tensor.range.has_value()) {
      PutList<int64_t>(out, "range", {tensor.range->min, tensor.range->max});
    }
    out << EndMap;
  }
  out << EndSeq;
}

std::string NameOf(const TensorRef& ref, const CascadeSpec& cascade) {
  const auto tensor = static_cast<size_t>(ref.tensor);
  if (ref.stage == TensorRef::kRequest) return cascade.inputs[tensor].name;
  const StageSpec& stage = cascade.stages[static_cast<size_t>(ref.stage)];
  return absl::StrCat(stage.name, ".", stage.outputs[tensor].name);
}

void PutExit(YAML::Emitter& out, const StageSpec& stage, bool last) {
  PutKey(out, "exit") << Flow << BeginMap;
  Put(out, "score", std::string(Name(stage.exit.score)));
  if (stage.exit.score != ExitScore::kNone) {
    Put(out, "output", stage.outputs[static_cast<size_t>(stage.exit.output)].name);
    if (!last) Put(out, "threshold", FormatNumber(stage.exit.threshold));
  }
  out << EndMap;
}

void PutStage(YAML::Emitter& out, const StageSpec& stage, const CascadeSpec& cascade) {
  out << BeginMap;
  Put(out, "name", stage.name);
  if (stage.executor == ExecutorKind::kNull) {
    Put(out, "executor", std::string("null"));
  } else {
    Put(out, "executor", std::string("torchscript"));
    Put(out, "model", stage.model.string());
    Put(out, "precision", std::string(Name(stage.gpu.precision)));
    Put(out, "layout", std::string(Name(stage.gpu.layout)));
    Put(out, "execution", std::string(Name(stage.gpu.execution)));
    Put(out, "fallback", std::string(FallbackName(stage.gpu)));
  }
  std::vector<std::string> inputs;
  for (const TensorRef& ref : stage.inputs) inputs.push_back(NameOf(ref, cascade));
  PutList(out, "inputs", inputs);
  PutTensors(out, "outputs", stage.outputs);
  PutList(out, "buckets", stage.buckets);
  PutExit(out, stage, &stage == &cascade.stages.back());
  out << EndMap;
}

void PutGroup(YAML::Emitter& out, const WorkerGroup& group, const CascadeSpec& cascade) {
  out << Flow << BeginMap;
  Put(out, "count", group.count);
  Put(out, "device", group.device);
  Put(out, "thread_percent", group.thread_percent);
  if (group.memory_limit > 0) Put(out, "memory_limit", FormatMemorySize(group.memory_limit));
  Put(out, "credits", group.credits);
  std::vector<std::string> names;
  for (const int stage : group.stages) {
    names.push_back(cascade.stages[static_cast<size_t>(stage)].name);
  }
  PutList(out, "stages", names);
  out << EndMap;
}

void PutPlan(YAML::Emitter& out, const Plan& plan, const CascadeSpec& cascade) {
  out << BeginMap;
  PutKey(out, "workers") << BeginSeq;
  for (const WorkerGroup& group : plan.workers) PutGroup(out, group, cascade);
  out << EndSeq;
  PutKey(out, "stages") << BeginMap;
  for (size_t i = 0; i < plan.stages.size(); ++i) {
    PutKey(out, cascade.stages[i].name) << Flow << BeginMap;
    Put(out, "max_batch", plan.stages[i].max_batch);
    Put(out, "max_delay", FormatDuration(plan.stages[i].max_delay));
    Put(out, "speculate", plan.stages[i].speculate);
    out << EndMap;
  }
  out << EndMap;
  PutKey(out, "options") << Flow << BeginMap;
  Put(out, "regroup", plan.options.regroup);
  Put(out, "cancel", std::string(plan.options.cancel == CancelPolicy::kNever ? "never" : "queued"));
  out << EndMap << EndMap;
}

// What watches over a cascade, and lowers its thresholds.
void PutMonitoring(YAML::Emitter& out, const CascadeSpec& spec) {
  PutKey(out, "audit") << Flow << BeginMap;
  Put(out, "every", spec.audit_every);
  out << EndMap;
  if (!spec.calibration.file.empty()) Put(out, "calibration", spec.calibration.file.string());
  if (!spec.lowest_thresholds.empty()) {
    PutKey(out, "overload") << Flow << BeginMap;
    PutKey(out, "lower_thresholds_to") << Flow << BeginMap;
    for (size_t i = 0; i < spec.stages.size(); ++i) {
      if (spec.lowest_thresholds[i] >= spec.stages[i].exit.threshold) continue;
      Put(out, spec.stages[i].name, FormatNumber(spec.lowest_thresholds[i]));
    }
    out << EndMap << EndMap;
  }
  if (spec.feedback.samples > 0) {
    PutKey(out, "feedback") << Flow << BeginMap;
    Put(out, "samples", spec.feedback.samples);
    Put(out, "keep", FormatDuration(spec.feedback.keep));
    out << EndMap;
  }
}

void PutCascade(YAML::Emitter& out, const CascadeConfig& cascade) {
  const CascadeSpec& spec = cascade.spec;
  out << BeginMap;
  Put(out, "name", spec.name);
  Put(out, "max_rows", spec.max_rows, "in one request");
  Put(out, "deadline", FormatDuration(spec.deadline));
  if (spec.latency_objective.has_value()) {
    PutKey(out, "latency_objective") << Flow << BeginMap;
    Put(out, "p99", FormatDuration(*spec.latency_objective));
    out << EndMap;
  }
  Put(out, "slots", spec.slots,
      absl::StrCat("samples, of ", SlotBytes(spec), " bytes each in shared memory"));
  PutKey(out, "verify") << Flow << BeginMap;
  Put(out, "every", spec.verify_every);
  out << EndMap;
  PutMonitoring(out, spec);
  PutTensors(out, "inputs", spec.inputs);
  PutTensors(out, "outputs", spec.outputs);
  PutKey(out, "stages") << BeginSeq;
  for (const StageSpec& stage : spec.stages) PutStage(out, stage, spec);
  out << EndSeq;
  if (!cascade.spec.probe.empty()) Put(out, "probe", cascade.spec.probe.string());
  if (!cascade.profile.empty()) Put(out, "profile", cascade.profile.string());
  if (cascade.plan_is_auto) {
    YAML::Emitter plan;
    PutPlan(plan, cascade.plan, spec);
    Put(out, "plan", std::string("auto"), absl::StrCat("that is\n", plan.c_str()));
  } else {
    PutPlan(PutKey(out, "plan"), cascade.plan, spec);
  }
  out << EndMap;
}

void PutTls(YAML::Emitter& out, const std::string& key, const std::optional<TlsConfig>& tls) {
  if (!tls.has_value()) return;
  PutKey(out, key) << BeginMap;
  Put(out, "certificate", tls->certificate.string());
  Put(out, "key", tls->key.string());
  if (!tls->client_ca.empty()) Put(out, "client_ca", tls->client_ca.string());
  out << EndMap;
}

std::string Text(const YAML::Emitter& out) { return absl::StrCat(out.c_str(), "\n"); }

}  // namespace

std::string ToYaml(const Config& config) {
  YAML::Emitter out;
  out << BeginMap;
  PutKey(out, "server") << BeginMap;
  Put(out, "listen", config.server.listen);
  Put(out, "metrics", config.server.metrics.empty() ? "off" : config.server.metrics);
  Put(out, "admin", config.server.admin);
  PutTls(out, "tls", config.server.tls);
  PutTls(out, "admin_tls", config.server.admin_tls);
  if (!config.server.clients.empty()) Put(out, "clients", config.server.clients.string());
  Put(out, "model_control", config.server.model_control);
  out << EndMap;
  PutKey(out, "http") << BeginMap;
  Put(out, "listen", config.http.listen.empty() ? "off" : config.http.listen);
  PutList(out, "allow_origins", config.http.allow_origins);
  out << EndMap;
  PutDevices(out, config.devices);
  PutKey(out, "mps") << Flow << BeginMap;
  Put(out, "mode", std::string(Name(config.mps.mode)));
  if (!config.mps.directory.empty()) Put(out, "directory", config.mps.directory.string());
  out << EndMap;
  if (!config.cache.empty()) Put(out, "cache", config.cache.string());
  PutKey(out, "shutdown") << Flow << BeginMap;
  Put(out, "grace", FormatDuration(config.shutdown.grace));
  Put(out, "drain_timeout", FormatDuration(config.shutdown.drain_timeout));
  out << EndMap;
  PutKey(out, "cascades") << BeginSeq;
  for (const CascadeConfig& cascade : config.cascades) PutCascade(out, cascade);
  out << EndSeq << EndMap;
  return Text(out);
}

std::string ToYaml(const Plan& plan, const CascadeSpec& cascade) {
  YAML::Emitter out;
  PutPlan(out, plan, cascade);
  return Text(out);
}

}  // namespace escan
