# Imported targets for the CPU part of libtorch, made by hand: find_package(Torch) wants a CUDA
# compiler with the wheels that are used here.
#
#   escan::torch  libtorch_cpu.so and libc10.so

set(torch_folder "${ESCAN_TORCH_ROOT}/torch")
set(cuda_folder "${ESCAN_TORCH_ROOT}/nvidia/cu13/lib")
foreach(file "${torch_folder}/lib/libtorch_cpu.so" "${torch_folder}/lib/libc10.so"
             "${torch_folder}/include/torch/script.h" "${cuda_folder}/libcudart.so.13"
             "${cuda_folder}/libcupti.so.13")
  if(NOT EXISTS "${file}")
    message(FATAL_ERROR
      "libtorch is incomplete: ${file} is missing. Run scripts/setup.sh, which fetches it, or set "
      "ESCAN_TORCH_ROOT to a folder that holds torch/ and nvidia/ (now: ${ESCAN_TORCH_ROOT}), or "
      "build without TorchScript: -DESCAN_TORCH=OFF.")
  endif()
endforeach()

add_library(escan_torch_headers INTERFACE)
# Behind all other folders: torch's include folder brings a fmt and a google/protobuf of its own,
# which would shadow the system's.
target_compile_options(escan_torch_headers INTERFACE
  "SHELL:-idirafter \"${torch_folder}/include\""
  "SHELL:-idirafter \"${torch_folder}/include/torch/csrc/api/include\"")

foreach(name c10 torch_cpu)
  add_library(escan_${name} SHARED IMPORTED GLOBAL)
  set_target_properties(escan_${name} PROPERTIES
    IMPORTED_LOCATION "${torch_folder}/lib/lib${name}.so"
    IMPORTED_SONAME "lib${name}.so")
endforeach()
target_link_libraries(escan_torch_cpu INTERFACE escan_c10)

add_library(escan_torch INTERFACE)
target_link_libraries(escan_torch INTERFACE escan_torch_headers escan_torch_cpu)
# libtorch_cpu.so needs two libraries of the CUDA wheels even where nothing of CUDA is used; it finds
# them itself, through its own RPATH, which the linker is told about here.
target_link_options(escan_torch INTERFACE "LINKER:-rpath-link,${cuda_folder}")
add_library(escan::torch ALIAS escan_torch)

if(NOT ESCAN_WITH_CUDA)
  return()
endif()

#   escan::cudart      the CUDA runtime of libtorch's wheels, with the toolkit's headers
#   escan::torch_cuda  libtorch on a GPU

add_library(escan_cudart SHARED IMPORTED GLOBAL)
set_target_properties(escan_cudart PROPERTIES
  IMPORTED_LOCATION "${cuda_folder}/libcudart.so.13"
  IMPORTED_SONAME "libcudart.so.13")
target_include_directories(escan_cudart SYSTEM INTERFACE
  ${CMAKE_CUDA_TOOLKIT_INCLUDE_DIRECTORIES})
add_library(escan::cudart ALIAS escan_cudart)

foreach(name c10_cuda torch_cuda)
  add_library(escan_${name} SHARED IMPORTED GLOBAL)
  set_target_properties(escan_${name} PROPERTIES
    IMPORTED_LOCATION "${torch_folder}/lib/lib${name}.so"
    IMPORTED_SONAME "lib${name}.so")
endforeach()
target_link_libraries(escan_c10_cuda INTERFACE escan_c10 escan_cudart)

add_library(escan_torch_on_cuda INTERFACE)
target_link_libraries(escan_torch_on_cuda INTERFACE escan_torch escan_c10_cuda escan_torch_cuda)
target_link_options(escan_torch_on_cuda INTERFACE
  # Loading libtorch_cuda.so is what makes its kernels known, whether or not a symbol is used.
  "LINKER:--push-state,--no-as-needed,${torch_folder}/lib/libtorch_cuda.so,--pop-state"
  # What libtorch_cuda.so itself needs is large and not there where this is only compiled.
  "LINKER:--allow-shlib-undefined")
add_library(escan::torch_cuda ALIAS escan_torch_on_cuda)
