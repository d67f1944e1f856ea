#include <cstdlib>

#include "config/profile_file.h"
#include "fuzz/sample_cascade.h"
#include "fuzz/target.h"

// A profile of a cascade. What was read is written, and that can be read.
int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const escan::CascadeSpec& cascade = escan::SampleConfig().cascades.front().spec;
  const escan::InputFile file(escan::AsText(data, size));
  (void)escan::LoadProfiledDevice(file.path());
  const auto profile = escan::LoadProfile(file.path(), cascade);
  if (!profile.ok()) return 0;
  const escan::InputFile written(escan::ToJson(*profile));
  if (!escan::LoadProfile(written.path(), cascade).ok()) std::abort();
  return 0;
}
