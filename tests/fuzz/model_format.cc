#include "worker/files/model_format.h"

#include "fuzz/input_file.h"
#include "fuzz/target.h"
#include "worker/files/model_file.h"

// The file of a model.
int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view bytes = escan::AsText(data, size);
  (void)escan::CheckModelFormat(bytes);
  const escan::InputFile file(bytes);
  (void)escan::ModelFile::Read({.model = file.path().string()});
  return 0;
}
