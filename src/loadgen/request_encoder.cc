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
                               const std::optional<ExitControl>& exits, int rows_per_request)
    : samples_(samples), exits_(exits) {
  for (int rows = 1; rows <= rows_per_request; ++rows) {
    by_rows_.push_back(BuildPrefixes(model, rows));
  }
}

RequestEncoder::Prefixes RequestEncoder::BuildPrefixes(const ModelInfo& model, int rows) {
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
  for (const TensorSpec& spec : model.inputs) {
    bytes += RawContentsHeader(spec.row_bytes() * static_cast<size_t>(rows));
    prefixes.emplace_back(bytes);
    bytes.clear();
  }
  return prefixes;
}

std::string_view RequestEncoder::Contents(size_t input, const Ticket& ticket) const {
  int sample_input = static_cast<int>(input);
  if (exits_) {
    if (sample_input == exits_->input) {
      return exits_->difficulties->Rows(ticket.exit_segment, ticket.request, ticket.rows);
    }
    if (sample_input > exits_->input) --sample_input;
  }
  return samples_->Rows(sample_input, ticket.first_row, ticket.rows);
}

grpc::ByteBuffer RequestEncoder::Encode(const Ticket& ticket) const {
  const Prefixes& prefixes = by_rows_[static_cast<size_t>(ticket.rows - 1)];
  std::vector<grpc::Slice> slices;
  slices.reserve(2 * prefixes.size());
  for (size_t i = 0; i < prefixes.size(); ++i) {
    const std::string_view contents = Contents(i, ticket);
    slices.push_back(prefixes[i]);
    slices.emplace_back(contents.data(), contents.size(), grpc::Slice::STATIC_SLICE);
  }
  return grpc::ByteBuffer(slices.data(), slices.size());
}

}  // namespace escan::loadgen
