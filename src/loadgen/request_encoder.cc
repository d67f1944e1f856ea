#include "loadgen/request_encoder.h"

#include <google/protobuf/io/coded_stream.h>
#include <google/protobuf/io/zero_copy_stream_impl_lite.h>
#include <google/protobuf/wire_format_lite.h>

#include <string_view>

#include "inference/grpc_service.pb.h"

namespace escan::loadgen {
namespace {

using google::protobuf::internal::WireFormatLite;

// The serialised field before a length-delimited value.
std::string RawContentsHeader(size_t length) {
  std::string header;
  google::protobuf::io::StringOutputStream stream(&header);
  google::protobuf::io::CodedOutputStream output(&stream);
  output.WriteTag(
      WireFormatLite::MakeTag(inference::ModelInferRequest::kRawInputContentsFieldNumber,
                              WireFormatLite::WIRETYPE_LENGTH_DELIMITED));
  output.WriteVarint64(length);
  output.Trim();
  return header;
}

}  // namespace

RequestEncoder::RequestEncoder(const ModelInfo& model, const SampleSet* samples,
                               int rows_per_request)
    : samples_(samples) {
  for (int rows = 1; rows <= rows_per_request; ++rows) {
    by_rows_.push_back(BuildPrefixes(model, rows));
  }
}

RequestEncoder::Prefixes RequestEncoder::BuildPrefixes(const ModelInfo& model, int rows) const {
  inference::ModelInferRequest head;
  head.set_model_name(model.name);
  for (const TensorSpec& spec : model.inputs) {
    auto* input = head.add_inputs();
    input->set_name(spec.name);
    input->set_datatype(std::string(Name(spec.datatype)));
    input->add_shape(rows);
    for (const int64_t dimension : spec.shape) input->add_shape(dimension);
  }
  std::string bytes = head.SerializeAsString();
  Prefixes prefixes;
  for (int i = 0; i < samples_->input_count(); ++i) {
    bytes += RawContentsHeader(samples_->Rows(i, 0, 1).size() * static_cast<size_t>(rows));
    prefixes.emplace_back(bytes);
    bytes.clear();
  }
  return prefixes;
}

grpc::ByteBuffer RequestEncoder::Encode(int64_t first_row, int rows) const {
  const Prefixes& prefixes = by_rows_[static_cast<size_t>(rows - 1)];
  std::vector<grpc::Slice> slices;
  slices.reserve(2 * prefixes.size());
  for (size_t i = 0; i < prefixes.size(); ++i) {
    const std::string_view contents = samples_->Rows(static_cast<int>(i), first_row, rows);
    slices.push_back(prefixes[i]);
    slices.emplace_back(contents.data(), contents.size(), grpc::Slice::STATIC_SLICE);
  }
  return grpc::ByteBuffer(slices.data(), slices.size());
}

}  // namespace escan::loadgen
