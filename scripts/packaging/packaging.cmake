# What is installed beside the programs (manual pages, completions, the service, examples), and the
# Debian packages that cpack makes of it all. Included once the programs are known.
find_package(Python3 REQUIRED COMPONENTS Interpreter)
set(packaging "${PROJECT_SOURCE_DIR}/scripts/packaging")
set(pages "${PROJECT_BINARY_DIR}/pages")

file(GLOB page_sources CONFIGURE_DEPENDS "${packaging}/*.py" "${packaging}/man/*.roff")
add_custom_command(OUTPUT "${pages}/made"
  COMMAND "${CMAKE_COMMAND}" -E rm -rf "${pages}"
  COMMAND "${Python3_EXECUTABLE}" -B "${packaging}/make_pages.py" --version "${PROJECT_VERSION}"
          --output "${pages}" "$<TARGET_FILE:escand>:8" "$<TARGET_FILE:escanctl>:1"
          "$<TARGET_FILE:escan-loadgen>:1" "$<TARGET_FILE:escan-worker>:1"
  COMMAND "${CMAKE_COMMAND}" -E touch "${pages}/made"
  DEPENDS ${page_sources} ${programs}
  COMMENT "Writing manual pages and completions from --help" VERBATIM)
add_custom_target(pages ALL DEPENDS "${pages}/made")

install(DIRECTORY "${pages}/man" DESTINATION share COMPONENT manual)
install(DIRECTORY "${pages}/bash/" DESTINATION share/bash-completion/completions COMPONENT manual)
# Where zsh looks: here in /usr/local, and in a Debian package elsewhere.
install(DIRECTORY "${pages}/zsh/" DESTINATION share/zsh/site-functions COMPONENT zsh)
install(DIRECTORY "${pages}/zsh/" DESTINATION share/zsh/vendor-completions COMPONENT debian
  EXCLUDE_FROM_ALL)
install(DIRECTORY "${pages}/fish/" DESTINATION share/fish/vendor_completions.d COMPONENT manual)
install(DIRECTORY configs/ docs/examples/ DESTINATION share/doc/escan/examples COMPONENT manual)
install(DIRECTORY proto/ DESTINATION share/escan/proto COMPONENT manual
        FILES_MATCHING PATTERN "*.proto")
install(DIRECTORY docs/ DESTINATION share/doc/escan COMPONENT manual FILES_MATCHING PATTERN "*.md"
        PATTERN examples EXCLUDE)

# The unit names the folder that it is installed for.
install(CODE "
  file(READ \"${PROJECT_SOURCE_DIR}/scripts/systemd/escand.service\" unit)
  string(REPLACE \"/opt/escan\" \"\${CMAKE_INSTALL_PREFIX}\" unit \"\${unit}\")
  file(WRITE \"${PROJECT_BINARY_DIR}/escand.service\" \"\${unit}\")" COMPONENT service)
install(FILES "${PROJECT_BINARY_DIR}/escand.service" DESTINATION lib/systemd/system
  COMPONENT service)
install(FILES scripts/systemd/escan.sysusers DESTINATION lib/sysusers.d RENAME escan.conf
  COMPONENT service)
install(FILES scripts/systemd/escan.tmpfiles DESTINATION lib/tmpfiles.d RENAME escan.conf
  COMPONENT service)

# Debian packages: escan, and escan-cuda with the worker for GPUs where that is built.
set(CPACK_GENERATOR DEB)
set(CPACK_PACKAGE_NAME escan)
set(CPACK_PACKAGE_CONTACT "ESCAN developers <escan@example.org>")
set(CPACK_PACKAGE_VENDOR ESCAN)
set(CPACK_PACKAGING_INSTALL_PREFIX /usr)
set(CPACK_STRIP_FILES ON)
set(CPACK_OUTPUT_FILE_PREFIX "${PROJECT_BINARY_DIR}/packages")
set(CPACK_INSTALL_DEFAULT_DIRECTORY_PERMISSIONS
    OWNER_READ OWNER_WRITE OWNER_EXECUTE GROUP_READ GROUP_EXECUTE WORLD_READ WORLD_EXECUTE)
set(CPACK_DEB_COMPONENT_INSTALL ON)
set(CPACK_COMPONENTS_ALL programs torch service manual debian)
set(CPACK_COMPONENTS_GROUPING ONE_PER_GROUP)
foreach(component programs torch service manual debian)
  string(TOUPPER ${component} upper)
  set(CPACK_COMPONENT_${upper}_GROUP escan)
endforeach()
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_COMPRESSION_TYPE xz)
set(CPACK_THREADS 0)
set(CPACK_DEBIAN_ESCAN_PACKAGE_NAME escan)
set(CPACK_DEBIAN_ESCAN_PACKAGE_SECTION science)
set(CPACK_DEBIAN_ESCAN_DESCRIPTION "inference server for cascades of models
ESCAN serves chains of models over the Open Inference Protocol. Easy samples
exit early and only hard ones reach the large model.

This package has the server as a systemd service, the operator's command line,
the load generator and libtorch for the processor.")
set(CPACK_DEBIAN_ESCAN_PACKAGE_SHLIBDEPS ON)
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS_PRIVATE_DIRS "${ESCAN_TORCH_ROOT}/torch/lib"
    "${ESCAN_TORCH_ROOT}/nvidia/cu13/lib")
set(CPACK_DEBIAN_ESCAN_PACKAGE_DEPENDS 
    "systemd | systemd-standalone-sysusers, systemd | systemd-standalone-tmpfiles")
set(CPACK_DEBIAN_ESCAN_PACKAGE_CONTROL_EXTRA "${packaging}/debian/postinst"
    "${packaging}/debian/prerm" "${packaging}/debian/postrm")
set(CPACK_DEBIAN_ESCAN_PACKAGE_CONTROL_STRICT_PERMISSION ON)

install(FILES "${packaging}/debian/copyright" DESTINATION share/doc/escan COMPONENT debian
  EXCLUDE_FROM_ALL)
install(FILES "${packaging}/debian/lintian-overrides" DESTINATION share/lintian/overrides
  RENAME escan COMPONENT debian EXCLUDE_FROM_ALL)
install(CODE "
  execute_process(COMMAND gzip -9n INPUT_FILE \"${packaging}/debian/changelog\"
    OUTPUT_FILE \"${PROJECT_BINARY_DIR}/changelog.gz\" COMMAND_ERROR_IS_FATAL ANY)"
  COMPONENT debian EXCLUDE_FROM_ALL)
install(FILES "${PROJECT_BINARY_DIR}/changelog.gz" DESTINATION share/doc/escan COMPONENT debian
  EXCLUDE_FROM_ALL)
install(DIRECTORY "${ESCAN_TORCH_ROOT}/torch-2.11.0.dist-info/licenses/"
  DESTINATION share/doc/escan/torch COMPONENT torch OPTIONAL)
install(DIRECTORY "${ESCAN_TORCH_ROOT}/nvidia_cuda_runtime-13.0.96.dist-info/licenses/"
  DESTINATION share/doc/escan/cuda COMPONENT torch OPTIONAL)
if(gpu_programs)
  list(APPEND CPACK_COMPONENTS_ALL gpu_programs debian_cuda)
  set(CPACK_COMPONENT_GPU_PROGRAMS_GROUP cuda)
  set(CPACK_COMPONENT_DEBIAN_CUDA_GROUP cuda)
  set(CPACK_DEBIAN_CUDA_PACKAGE_NAME escan-cuda)
  set(CPACK_DEBIAN_CUDA_PACKAGE_SECTION science)
  set(CPACK_DEBIAN_CUDA_DESCRIPTION "worker of the inference server ESCAN for GPUs
With it escand serves on NVIDIA GPUs. It needs torch 2.11.0 with CUDA 13,
which is not packaged: installation.md of the package escan says where it is
looked for.")
  set(CPACK_DEBIAN_CUDA_PACKAGE_DEPENDS "escan (= ${PROJECT_VERSION}), libc6")
  install(CODE "
    file(MAKE_DIRECTORY \"\$ENV{DESTDIR}\${CMAKE_INSTALL_PREFIX}/share/doc\"
                        \"\$ENV{DESTDIR}\${CMAKE_INSTALL_PREFIX}/share/man/man1\")
    file(CREATE_LINK escan \"\$ENV{DESTDIR}\${CMAKE_INSTALL_PREFIX}/share/doc/escan-cuda\" SYMBOLIC)
    file(CREATE_LINK escan-worker.1.gz
      \"\$ENV{DESTDIR}\${CMAKE_INSTALL_PREFIX}/share/man/man1/escan-worker-cuda.1.gz\" SYMBOLIC)"
    COMPONENT debian_cuda EXCLUDE_FROM_ALL)
endif()
include(CPack)
