#include <cstdlib>

#include "fuzz/sample_cascade.h"
#include "fuzz/target.h"

// A plan, as operators send one. What was read is written, and that is read and written to the
// same.
int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const escan::Config& config = escan::SampleConfig();
  const escan::CascadeSpec& cascade = config.cascades.front().spec;
  const escan::PlanContext context{cascade, config.devices};
  const auto plan = escan::ParsePlan(escan::AsText(data, size), "input", context);
  if (!plan.ok()) return 0;
  const std::string yaml = escan::ToYaml(*plan, cascade);
  const auto again = escan::ParsePlan(yaml, "written", context);
  if (!again.ok() || escan::ToYaml(*again, cascade) != yaml) std::abort();
  return 0;
}
