# GTest::gtest and GTest::gtest_main: GoogleTest as it is installed. Debian has its library for the machine's own processor
# alone; for another one it is built from the sources that come with it.
if(NOT CMAKE_CROSSCOMPILING)
  find_package(GTest REQUIRED)
else()
  find_path(UTAN_GOOGLETEST_SOURCES googletest/src/gtest-all.cc PATHS /usr/src/googletest NO_DEFAULT_PATH NO_CMAKE_FIND_ROOT_PATH
    REQUIRED)
  set(INSTALL_GTEST OFF)
  add_subdirectory("${UTAN_GOOGLETEST_SOURCES}/googletest" "${PROJECT_BINARY_DIR}/googletest" EXCLUDE_FROM_ALL)
  foreach(library gtest gtest_main)
    if(NOT TARGET GTest::${library})
      add_library(GTest::${library} ALIAS ${library})
    endif()
  endforeach()
endif()
