# Decides whether escan-worker-cuda is built (ESCAN_CUDA), sets ESCAN_WITH_CUDA, and enables the
# language. Included by the top folder, where a language has to be enabled.
#
# Needed are a CUDA compiler, looked for in CMAKE_CUDA_COMPILER, CUDACXX, CUDAToolkit_ROOT, the path
# and the usual place, and the parts of libtorch that run on a GPU. Their own needs (cuDNN, cuBLAS
# ...) are not: only running takes them.

set(ESCAN_WITH_CUDA OFF)
set(cuda_missing "")

if(NOT CMAKE_CUDA_COMPILER)
  get_filename_component(cuda_compiler_folder "$ENV{CUDACXX}" DIRECTORY)
  find_program(ESCAN_NVCC nvcc
    HINTS ${cuda_compiler_folder} "${CUDAToolkit_ROOT}/bin" "$ENV{CUDAToolkit_ROOT}/bin"
    PATHS /usr/local/cuda/bin)
  mark_as_advanced(ESCAN_NVCC)
  if(NOT ESCAN_NVCC)
    list(APPEND cuda_missing "a CUDA compiler (nvcc; see CUDAToolkit_ROOT)")
  endif()
endif()
if(NOT ESCAN_TORCH)
  list(APPEND cuda_missing "TorchScript (ESCAN_TORCH=ON)")
else()
  foreach(file torch/lib/libtorch_cuda.so torch/lib/libc10_cuda.so)
    if(NOT EXISTS "${ESCAN_TORCH_ROOT}/${file}")
      list(APPEND cuda_missing "${ESCAN_TORCH_ROOT}/${file}")
    endif()
  endforeach()
endif()
if(ESCAN_SANITIZE)
  list(APPEND cuda_missing "a build without sanitizers (ESCAN_SANITIZE)")
endif()
list(JOIN cuda_missing ", " cuda_missing)

if(NOT ESCAN_CUDA)
  message(STATUS "escan-worker-cuda: not built (ESCAN_CUDA=OFF)")
elseif(cuda_missing AND ESCAN_CUDA STREQUAL "AUTO")
  message(STATUS "escan-worker-cuda: not built, for want of ${cuda_missing}")
elseif(cuda_missing)
  message(FATAL_ERROR "ESCAN_CUDA=${ESCAN_CUDA}: missing: ${cuda_missing}")
else()
  set(ESCAN_WITH_CUDA ON)
  if(NOT CMAKE_CUDA_COMPILER)
    set(CMAKE_CUDA_COMPILER "${ESCAN_NVCC}")
  endif()
  # Ampere, Ada and Hopper; what is newer compiles the last one's intermediate code when it starts.
  if(NOT DEFINED CMAKE_CUDA_ARCHITECTURES)
    set(CMAKE_CUDA_ARCHITECTURES 80-real 86-real 89-real 90-real 90-virtual)
  endif()
  # libtorch's own copy of the CUDA runtime is linked instead: see libtorch.cmake.
  set(CMAKE_CUDA_RUNTIME_LIBRARY None)
  enable_language(CUDA)
  if(NOT CMAKE_CUDA20_STANDARD_COMPILE_OPTION)  # CMake 3.25 does not know it
    set(CMAKE_CUDA20_STANDARD_COMPILE_OPTION "-std=c++20")
    set(CMAKE_CUDA20_EXTENSION_COMPILE_OPTION "-std=c++20")
  endif()
  set(CMAKE_CUDA_STANDARD 20)
  set(CMAKE_CUDA_STANDARD_REQUIRED ON)
  message(STATUS "escan-worker-cuda: built with ${CMAKE_CUDA_COMPILER} "
                 "(CUDA ${CMAKE_CUDA_COMPILER_VERSION}) for ${CMAKE_CUDA_ARCHITECTURES}")
endif()
