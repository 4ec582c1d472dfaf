# Builds for AArch64 on another machine: Debian's cross compiler (g++-aarch64-linux-gnu), and QEMU's user mode
# (qemu-user-static) to run what was built. The preset `aarch64` names this file, and scripts/aarch64.sh uses that.
set(CMAKE_SYSTEM_NAME Linux)
set(CMAKE_SYSTEM_PROCESSOR aarch64)
set(CMAKE_C_COMPILER aarch64-linux-gnu-gcc)
set(CMAKE_CXX_COMPILER aarch64-linux-gnu-g++)
set(CMAKE_CROSSCOMPILING_EMULATOR qemu-aarch64-static -L /usr/aarch64-linux-gnu)

# The libraries that Utan includes are headers, the same for every processor: copies of this machine's, in a folder without its C
# library's. CMake reads this file several times.
cmake_path(SET utan_headers NORMALIZE "${CMAKE_CURRENT_LIST_DIR}/../../build/aarch64-headers")
if(NOT EXISTS "${utan_headers}/include/nlohmann")
  file(COPY /usr/include/xxhash.h /usr/include/nlohmann DESTINATION "${utan_headers}/include")
  file(COPY /usr/share/cmake/nlohmann_json DESTINATION "${utan_headers}/share/cmake")
endif()

set(CMAKE_FIND_ROOT_PATH "${utan_headers}" /usr/aarch64-linux-gnu)
set(CMAKE_FIND_ROOT_PATH_MODE_PROGRAM NEVER)
set(CMAKE_FIND_ROOT_PATH_MODE_LIBRARY ONLY)
set(CMAKE_FIND_ROOT_PATH_MODE_INCLUDE ONLY)
set(CMAKE_FIND_ROOT_PATH_MODE_PACKAGE ONLY)
