#include "ipc/worker_spec.h"

#include <cstdlib>

#include "fuzz/target.h"

// What a worker is told at its start. What was read is written and read again to the same.
int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const auto spec = escan::WorkerSpecFromJson(escan::AsText(data, size));
  if (!spec.ok()) return 0;
  const auto again = escan::WorkerSpecFromJson(escan::ToJson(*spec));
  if (!again.ok() || !(*again == *spec)) std::abort();
  return 0;
}
