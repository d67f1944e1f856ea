#include "server/protocol/answer_writer.h"

#include <google/protobuf/io/coded_stream.h>

#include <cstring>

#include "inference/grpc_service.pb.h"
#include "server/protocol/contract.h"

namespace escan {
namespace {

using google::protobuf::io::CodedOutputStream;
using inference::ModelInferResponse;
using OutputTensor = inference::ModelInferResponse::InferOutputTensor;

// The tag of a length-delimited field whose number is below 16: one byte.
constexpr uint8_t Tag(int field) { return static_cast<uint8_t>(field << 3 | 2); }

size_t FieldSize(size_t payload) {
  return 1 + CodedOutputStream::VarintSize32(static_cast<uint32_t>(payload)) + payload;
}

uint8_t* WriteHead(int field, size_t payload, uint8_t* to) {
  *to++ = Tag(field);
  return CodedOutputStream::WriteVarint32ToArray(static_cast<uint32_t>(payload), to);
}

uint8_t* WriteBytes(absl::string_view bytes, uint8_t* to) {
  std::memcpy(to, bytes.data(), bytes.size());
  return to + bytes.size();
}

std::string EncodedField(int field, absl::string_view payload) {
  std::string encoded(FieldSize(payload.size()), '\0');
  auto* const begin = reinterpret_cast<uint8_t*>(encoded.data());
  WriteBytes(payload, WriteHead(field, payload.size(), begin));
  return encoded;
}

std::string EncodedShape(const std::vector<int64_t>& shape) {
  std::string encoded;
  for (const int64_t dimension : shape) {
    uint8_t buffer[10];
    const uint8_t* end =
        CodedOutputStream::WriteVarint64ToArray(static_cast<uint64_t>(dimension), buffer);
    encoded.append(reinterpret_cast<const char*>(buffer), static_cast<size_t>(end - buffer));
  }
  return encoded;
}

std::string EncodedFinalMark() {
  ModelInferResponse response;
  (*response.mutable_parameters())["triton_final_response"].set_bool_param(true);
  return response.SerializeAsString();
}

std::string EncodedBrownOut(int level) {
  ModelInferResponse response;
  (*response.mutable_parameters())["brown_out"].set_int64_param(level);
  return response.SerializeAsString();
}

size_t ShapeSize(const std::string& row_shape, size_t rows) {
  return CodedOutputStream::VarintSize32(static_cast<uint32_t>(rows)) + row_shape.size();
}

template <typename T>
uint8_t* WriteElement(T value, uint8_t* to) {
  std::memcpy(to, &value, sizeof(value));
  return to + sizeof(value);
}

}  // namespace

AnswerWriter::AnswerWriter(const CascadeSpec& cascade, absl::string_view version)
    : model_(EncodedField(ModelInferResponse::kModelNameFieldNumber, cascade.name) +
             EncodedField(ModelInferResponse::kModelVersionFieldNumber, version)),
      final_(EncodedFinalMark()),
      exit_stage_(static_cast<int>(cascade.outputs.size())) {
  for (int level = 1; level <= BrownOut::kLevels; ++level) {
    brown_out_[static_cast<size_t>(level)] = EncodedBrownOut(level);
  }
  for (const TensorSpec& tensor : AnswerTensors(cascade)) {
    outputs_.push_back(
        {.name_and_datatype =
             EncodedField(OutputTensor::kNameFieldNumber, tensor.name) +
             EncodedField(OutputTensor::kDatatypeFieldNumber, std::string(Name(tensor.datatype))),
         .row_shape = EncodedShape(tensor.shape),
         .row_bytes = tensor.row_bytes()});
  }
}

size_t AnswerWriter::TensorSize(const Output& output, size_t rows) const {
  return output.name_and_datatype.size() + FieldSize(ShapeSize(output.row_shape, rows));
}

size_t AnswerWriter::Size(const Answer& answer) const {
  const size_t rows = answer.rows.size();
  size_t size = model_.size();
  if (!answer.id.empty()) size += FieldSize(answer.id.size());
  if (answer.mark_final) size += final_.size();
  size += brown_out_[static_cast<size_t>(answer.brown_out)].size();
  for (const int index : answer.outputs) {
    const Output& output = outputs_[static_cast<size_t>(index)];
    size += FieldSize(TensorSize(output, rows)) + FieldSize(rows * output.row_bytes);
  }
  return size;
}

void AnswerWriter::Write(const Answer& answer, uint8_t* to) const {
  const size_t rows = answer.rows.size();
  to = WriteBytes(model_, to);
  if (!answer.id.empty()) {
    to = WriteHead(ModelInferResponse::kIdFieldNumber, answer.id.size(), to);
    to = WriteBytes(answer.id, to);
  }
  if (answer.mark_final) to = WriteBytes(final_, to);
  to = WriteBytes(brown_out_[static_cast<size_t>(answer.brown_out)], to);
  for (const int index : answer.outputs) {
    const Output& output = outputs_[static_cast<size_t>(index)];
    to = WriteHead(ModelInferResponse::kOutputsFieldNumber, TensorSize(output, rows), to);
    to = WriteBytes(output.name_and_datatype, to);
    to = WriteHead(OutputTensor::kShapeFieldNumber, ShapeSize(output.row_shape, rows), to);
    to = CodedOutputStream::WriteVarint32ToArray(static_cast<uint32_t>(rows), to);
    to = WriteBytes(output.row_shape, to);
  }
  for (const int index : answer.outputs) to = WriteRaw(answer, index, to);
}

uint8_t* AnswerWriter::WriteRaw(const Answer& answer, int index, uint8_t* to) const {
  const size_t row_bytes = outputs_[static_cast<size_t>(index)].row_bytes;
  to = WriteHead(ModelInferResponse::kRawOutputContentsFieldNumber, answer.rows.size() * row_bytes,
                 to);
  if (index == exit_stage_) {
    for (const SampleAnswer& row : answer.rows) to = WriteElement(int32_t{row.stage} + 1, to);
  } else if (index > exit_stage_) {
    for (const SampleAnswer& row : answer.rows) to = WriteElement(row.score, to);
  } else {
    for (size_t row = 0; row < answer.rows.size(); ++row) {
      std::memcpy(to, answer.data(static_cast<int>(row), index), row_bytes);
      to += row_bytes;
    }
  }
  return to;
}

size_t AnswerWriter::StreamSize(const Answer& answer) const { return FieldSize(Size(answer)); }

void AnswerWriter::WriteStream(const Answer& answer, uint8_t* to) const {
  constexpr int kField = inference::ModelStreamInferResponse::kInferResponseFieldNumber;
  Write(answer, WriteHead(kField, Size(answer), to));
}

}  // namespace escan
