#include "config/config.h"

#include <cstdlib>

#include "fuzz/input_file.h"
#include "fuzz/target.h"

// A configuration. What was read is written, and that is read and written to the same.
int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const escan::InputFile file(escan::AsText(data, size));
  const auto config = escan::LoadConfig(file.path());
  if (!config.ok()) return 0;
  const std::string yaml = escan::ToYaml(*config);
  const escan::InputFile written(yaml);
  const auto again = escan::LoadConfig(written.path());
  if (!again.ok() || escan::ToYaml(*again) != yaml) std::abort();
  return 0;
}
