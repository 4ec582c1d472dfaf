# cmake --install: the headers, both libraries, the CMake package Utan (Utan::utan, Utan::utan_shared) and utan.pc.
include(CMakePackageConfigHelpers)

set(utan_package_dir "${CMAKE_INSTALL_LIBDIR}/cmake/Utan")
install(TARGETS utan utan_shared EXPORT UtanTargets
  ARCHIVE DESTINATION "${CMAKE_INSTALL_LIBDIR}"
  LIBRARY DESTINATION "${CMAKE_INSTALL_LIBDIR}"
  RUNTIME DESTINATION "${CMAKE_INSTALL_BINDIR}")
install(DIRECTORY "${PROJECT_SOURCE_DIR}/include/utan" DESTINATION "${CMAKE_INSTALL_INCLUDEDIR}"
  FILES_MATCHING PATTERN "*.h" PATTERN "*.hpp")
install(EXPORT UtanTargets NAMESPACE Utan:: DESTINATION "${utan_package_dir}")

configure_package_config_file("${PROJECT_SOURCE_DIR}/cmake/UtanConfig.cmake.in" "${PROJECT_BINARY_DIR}/UtanConfig.cmake"
  INSTALL_DESTINATION "${utan_package_dir}")
write_basic_package_version_file("${PROJECT_BINARY_DIR}/UtanConfigVersion.cmake" COMPATIBILITY SameMinorVersion)
install(FILES "${PROJECT_BINARY_DIR}/UtanConfig.cmake" "${PROJECT_BINARY_DIR}/UtanConfigVersion.cmake"
  DESTINATION "${utan_package_dir}")

# The prefix in utan.pc is relative to where the file lies, so that an installed tree can be moved.
cmake_path(RELATIVE_PATH CMAKE_INSTALL_PREFIX BASE_DIRECTORY "${CMAKE_INSTALL_FULL_LIBDIR}/pkgconfig"
  OUTPUT_VARIABLE utan_prefix_from_pc)
configure_file("${PROJECT_SOURCE_DIR}/cmake/utan.pc.in" "${PROJECT_BINARY_DIR}/utan.pc" @ONLY)
install(FILES "${PROJECT_BINARY_DIR}/utan.pc" DESTINATION "${CMAKE_INSTALL_LIBDIR}/pkgconfig")
