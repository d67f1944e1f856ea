#include "ipc/worker_spec.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <limits>
#include <nlohmann/json.hpp>
#include <optional>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"

namespace escan {
namespace {

using Json = nlohmann::json;

constexpr std::array<std::pair<ExecutorKind, std::string_view>, 2> kExecutorNames = {
    {{ExecutorKind::kTorchScript, "torchscript"}, {ExecutorKind::kNull, "null"}}};

std::string_view Name(ExecutorKind kind) {
  for (const auto& [value, name] : kExecutorNames) {
    if (value == kind) return name;
  }
  return "";
}

std::optional<ExecutorKind> ParseExecutorKind(std::string_view name) {
  for (const auto& [value, text] : kExecutorNames) {
    if (text == name) return value;
  }
  return std::nullopt;
}

Json TensorsToJson(const std::vector<SlabTensor>& tensors) {
  Json json = Json::array();
  for (const SlabTensor& tensor : tensors) {
    json.push_back({{"name", tensor.name},
                    {"datatype", Name(tensor.datatype)},
                    {"shape", tensor.shape},
                    {"offset", tensor.offset}});
  }
  return json;
}

Json StagesToJson(const std::vector<WorkerStage>& stages) {
  Json json = Json::array();
  for (const WorkerStage& stage : stages) {
    json.push_back({{"index", stage.index},
                    {"name", stage.name},
                    {"executor", Name(stage.executor)},
                    {"model", stage.model},
                    {"model_fd", stage.model_fd},
                    {"model_digest", stage.model_digest},
                    {"inputs", TensorsToJson(stage.inputs)},
                    {"outputs", TensorsToJson(stage.outputs)},
                    {"buckets", stage.buckets},
                    {"score", Name(stage.score)},
                    {"score_output", stage.score_output},
                    {"gpu",
                     {{"precision", Name(stage.gpu.precision)},
                      {"layout", Name(stage.gpu.layout)},
                      {"execution", Name(stage.gpu.execution)},
                      {"fp32_fallback", stage.gpu.fp32_fallback}}}});
  }
  return json;
}

// Reads the members of one JSON object. Keeps the first error of the whole document, which all
// readers share; after it, values are defaults.
class ObjectReader {
 public:
  ObjectReader(const Json& json, std::string path, absl::Status* status)
      : json_(json), path_(std::move(path)), status_(*status) {
    if (!json_.is_object()) Fail(path_, json_, "an object");
  }

  template <typename Integer>
  void Read(const char* key, Integer minimum, Integer maximum, Integer* value) {
    if (const Json* json = Member(key)) ReadInteger(*json, Path(key), minimum, maximum, value);
  }

  void Read(const char* key, std::string* value) {
    const Json* json = Member(key);
    if (json == nullptr) return;
    if (!json->is_string()) return Fail(Path(key), *json, "a string");
    *value = json->get_ref<const std::string&>();
  }

  void Read(const char* key, bool* value) {
    const Json* json = Member(key);
    if (json == nullptr) return;
    if (!json->is_boolean()) return Fail(Path(key), *json, "true or false");
    *value = json->get<bool>();
  }

  template <typename Enum>
  void Read(const char* key, std::optional<Enum> (*parse)(std::string_view), Enum* value) {
    const Json* json = Member(key);
    if (json == nullptr) return;
    if (!json->is_string()) return Fail(Path(key), *json, "a string");
    const std::optional<Enum> parsed = parse(json->get_ref<const std::string&>());
    if (!parsed) return Fail(Path(key), *json, "a known name");
    *value = *parsed;
  }

  template <typename Integer>
  void Read(const char* key, Integer minimum, Integer maximum, std::vector<Integer>* values) {
    ForEach(key, [&](const Json& element, const std::string& path) {
      ReadInteger(element, path, minimum, maximum, &values->emplace_back());
    });
  }

  // `read_one` fills the value from the reader of its object.
  template <typename Object>
  void Read(const char* key, void (*read_one)(ObjectReader&, Object*), Object* value) {
    const Json* json = Member(key);
    if (json == nullptr) return;
    ObjectReader reader(*json, Path(key), &status_);
    read_one(reader, value);
  }

  // The same for every element of a list.
  template <typename Element>
  void Read(const char* key, void (*read_one)(ObjectReader&, Element*),
            std::vector<Element>* values) {
    ForEach(key, [&](const Json& element, const std::string& path) {
      ObjectReader reader(element, path, &status_);
      read_one(reader, &values->emplace_back());
    });
  }

 private:
  const Json* Member(const char* key) {
    if (!json_.is_object()) return nullptr;
    const auto found = json_.find(key);
    if (found != json_.end()) return &*found;
    if (status_.ok()) {
      status_ = absl::InvalidArgumentError(absl::StrCat("worker spec: ", Path(key), ": missing"));
    }
    return nullptr;
  }

  template <typename Function>
  void ForEach(const char* key, const Function& function) {
    const Json* json = Member(key);
    if (json == nullptr) return;
    if (!json->is_array()) return Fail(Path(key), *json, "an array");
    for (size_t i = 0; i < json->size(); ++i) {
      function((*json)[i], absl::StrCat(Path(key), "[", i, "]"));
    }
  }

  template <typename Integer>
  void ReadInteger(const Json& json, const std::string& path, Integer minimum, Integer maximum,
                   Integer* value) {
    bool in_range = false;
    if (json.is_number_unsigned()) {
      const auto found = json.get<uint64_t>();
      in_range = std::cmp_greater_equal(found, minimum) && std::cmp_less_equal(found, maximum);
    } else if (json.is_number_integer()) {
      const auto found = json.get<int64_t>();
      in_range = std::cmp_greater_equal(found, minimum) && std::cmp_less_equal(found, maximum);
    }
    if (!in_range) {
      return Fail(path, json, absl::StrCat("an integer in [", minimum, ", ", maximum, "]"));
    }
    *value = json.get<Integer>();
  }

  std::string Path(const char* key) const {
    return path_.empty() ? key : absl::StrCat(path_, ".", key);
  }

  void Fail(const std::string& path, const Json& found, const std::string& expected) {
    if (!status_.ok()) return;
    status_ = absl::InvalidArgumentError(absl::StrCat(
        "worker spec", path.empty() ? "" : ": ", path, ": found ",
        found.dump(-1, ' ', false, Json::error_handler_t::replace), ", expected ", expected));
  }

  const Json& json_;
  std::string path_;
  absl::Status& status_;
};

template <typename Integer>
constexpr Integer kMost = std::numeric_limits<Integer>::max();

void ReadTensor(ObjectReader& reader, SlabTensor* tensor) {
  reader.Read("name", &tensor->name);
  reader.Read("datatype", &ParseDatatype, &tensor->datatype);
  reader.Read("shape", int64_t{1}, kMost<int64_t>, &tensor->shape);
  reader.Read("offset", size_t{0}, kMaxSlabBytes, &tensor->offset);
}

void ReadGpuOptions(ObjectReader& reader, GpuOptions* options) {
  reader.Read("precision", &ParsePrecision, &options->precision);
  reader.Read("layout", &ParseMemoryLayout, &options->layout);
  reader.Read("execution", &ParseExecution, &options->execution);
  reader.Read("fp32_fallback", &options->fp32_fallback);
}

void ReadStage(ObjectReader& reader, WorkerStage* stage) {
  reader.Read("index", 0, kMaxStages - 1, &stage->index);
  reader.Read("name", &stage->name);
  reader.Read("executor", &ParseExecutorKind, &stage->executor);
  reader.Read("model", &stage->model);
  reader.Read("model_fd", -1, kMost<int>, &stage->model_fd);
  reader.Read("model_digest", &stage->model_digest);
  reader.Read("inputs", &ReadTensor, &stage->inputs);
  reader.Read("outputs", &ReadTensor, &stage->outputs);
  reader.Read("buckets", 1, kMaxBatchRows, &stage->buckets);
  reader.Read("score", &ParseExitScore, &stage->score);
  const int last_output = static_cast<int>(stage->outputs.size()) - 1;
  reader.Read("score_output", 0, std::max(0, last_output), &stage->score_output);
  reader.Read("gpu", &ReadGpuOptions, &stage->gpu);
}

absl::Status SpecFileError(const char* what) {
  return absl::ErrnoToStatus(errno, absl::StrCat("worker spec: cannot ", what));
}

}  // namespace

std::vector<int> FeedersOf(const CascadeSpec& cascade, const std::vector<int>& hosted) {
  std::array<bool, kMaxStages> needed{};
  for (const int stage : hosted) needed[static_cast<size_t>(stage)] = true;
  for (int stage = cascade.stage_count() - 1; stage >= 0; --stage) {
    const auto i = static_cast<size_t>(stage);
    if (!needed[i]) continue;
    for (const TensorRef& input : cascade.stages[i].inputs) {
      if (input.stage != TensorRef::kRequest) needed[static_cast<size_t>(input.stage)] = true;
    }
  }
  std::vector<int> feeders;
  for (int stage = 0; stage < cascade.stage_count(); ++stage) {
    const bool is_hosted = std::find(hosted.begin(), hosted.end(), stage) != hosted.end();
    if (needed[static_cast<size_t>(stage)] && !is_hosted) feeders.push_back(stage);
  }
  return feeders;
}

std::vector<WorkerStage> WorkerStagesOf(const CascadeSpec& cascade, const SlabLayout& layout,
                                        const std::vector<int>& hosted) {
  const auto slab_tensor = [](const TensorSpec& tensor, size_t offset) {
    return SlabTensor{tensor.name, tensor.datatype, tensor.shape, offset};
  };
  std::vector<WorkerStage> result;
  for (const int index : hosted) {
    const StageSpec& spec = cascade.stages[index];
    WorkerStage stage{.index = index,
                      .name = spec.name,
                      .executor = spec.executor,
                      .model = spec.model.string(),
                      .inputs = {},
                      .outputs = {},
                      .buckets = spec.buckets,
                      .score = spec.exit.score,
                      .score_output = spec.exit.output,
                      .gpu = spec.gpu};
    for (const auto& [from, tensor] : spec.inputs) {
      const bool request = from == TensorRef::kRequest;
      stage.inputs.push_back(request ? slab_tensor(cascade.inputs[tensor], layout.inputs[tensor])
                                     : slab_tensor(cascade.stages[from].outputs[tensor],
                                                   layout.outputs[from][tensor]));
    }
    for (size_t i = 0; i < spec.outputs.size(); ++i) {
      stage.outputs.push_back(slab_tensor(spec.outputs[i], layout.outputs[index][i]));
    }
    result.push_back(std::move(stage));
  }
  return result;
}

std::string ToJson(const WorkerSpec& spec) {
  const Json json = {{"cascade", spec.cascade},
                     {"worker", spec.worker},
                     {"incarnation", spec.incarnation},
                     {"slots", spec.slots},
                     {"stride", spec.stride},
                     {"credits", spec.credits},
                     {"threads", spec.threads},
                     {"cpus", spec.cpus},
                     {"yields", spec.yields},
                     {"prepare_cpus", spec.prepare_cpus},
                     {"gpu", spec.gpu},
                     {"cache", spec.cache},
                     {"probes", spec.probes},
                     {"stages", StagesToJson(spec.stages)},
                     {"feeders", StagesToJson(spec.feeders)}};
  return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

absl::StatusOr<WorkerSpec> WorkerSpecFromJson(std::string_view json) {
  const Json document = Json::parse(json, nullptr, /*allow_exceptions=*/false);
  if (document.is_discarded()) return absl::InvalidArgumentError("worker spec: is not JSON");
  absl::Status status;
  ObjectReader reader(document, "", &status);
  WorkerSpec spec;
  reader.Read("cascade", &spec.cascade);
  reader.Read("worker", 0, kMost<int>, &spec.worker);
  reader.Read("incarnation", uint32_t{0}, kMost<uint32_t>, &spec.incarnation);
  reader.Read("slots", uint32_t{1}, kMost<uint32_t>, &spec.slots);
  reader.Read("stride", size_t{1}, kMaxSlabBytes, &spec.stride);
  reader.Read("credits", 1, kMost<int>, &spec.credits);
  reader.Read("threads", 1, kMost<int>, &spec.threads);
  reader.Read("cpus", 0, kMost<int>, &spec.cpus);
  reader.Read("yields", &spec.yields);
  reader.Read("prepare_cpus", 0, kMost<int>, &spec.prepare_cpus);
  reader.Read("gpu", &spec.gpu);
  reader.Read("cache", &spec.cache);
  reader.Read("probes", uint32_t{0}, kMost<uint32_t>, &spec.probes);
  reader.Read("stages", &ReadStage, &spec.stages);
  reader.Read("feeders", &ReadStage, &spec.feeders);
  if (!status.ok()) return status;
  return spec;
}

absl::StatusOr<UniqueFd> WriteWorkerSpec(const WorkerSpec& spec) {
  UniqueFd fd(::memfd_create("escan-worker-spec", MFD_CLOEXEC));
  if (!fd) return SpecFileError("create its memory file");
  const std::string json = ToJson(spec);
  size_t written = 0;
  while (written < json.size()) {
    const ssize_t part = ::pwrite(fd.get(), json.data() + written, json.size() - written,
                                  static_cast<off_t>(written));
    if (part < 0 && errno != EINTR) return SpecFileError("be written");
    if (part > 0) written += static_cast<size_t>(part);
  }
  return fd;
}

absl::StatusOr<WorkerSpec> ReadWorkerSpec(int fd) {
  struct stat facts {};
  if (::fstat(fd, &facts) != 0) return SpecFileError("be looked at");
  std::string json(static_cast<size_t>(facts.st_size), '\0');
  size_t read = 0;
  while (read < json.size()) {
    const ssize_t part =
        ::pread(fd, json.data() + read, json.size() - read, static_cast<off_t>(read));
    if (part < 0 && errno != EINTR) return SpecFileError("be read");
    if (part == 0) break;
    if (part > 0) read += static_cast<size_t>(part);
  }
  return WorkerSpecFromJson(std::string_view(json).substr(0, read));
}

}  // namespace escan
