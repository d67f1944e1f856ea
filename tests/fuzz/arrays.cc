#include "arrays/array_file.h"
#include "arrays/zip_archive.h"
#include "fuzz/input_file.h"
#include "fuzz/target.h"

// A file of arrays: IDX, .npy or .npz, perhaps compressed; and any of them as a zip archive.
int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view bytes = escan::AsText(data, size);
  const escan::InputFile file(bytes);
  (void)escan::ReadLabels(file.path());
  (void)escan::ReadArrayArchive(file.path());
  (void)escan::ParseArray(std::string(bytes));
  if (const auto archive = escan::ZipArchive::Open(bytes); archive.ok()) {
    (void)archive->Check();
  }
  return 0;
}
