# Tests. One source file is one program and one ctest entry.
#
#   src/heap/bitmap_test.cc    heap_bitmap_test
#   src/os/sim/crash_test.cc   os_sim_crash_test
#   tests/processes_test.cc    processes_test
#   tests/c_api_test.c         c_api_test, in C11, linked to libutan.so
#
# A C++ test is linked to all layers, the simulated system and GoogleTest. One that includes <utan/utan.hpp> or
# <utan/utan.h> and nothing from src/ is linked as a user's program is: to libutan.a, whose insides it cannot reach.
#
# What tests share lies in tests/support/: #include "support/x.h".
#
# What ctest should know of a test stands in the test's own opening comment:
#
#   // Labels: tsan small      tsan: has threads, also run under ThreadSanitizer; small: also run on the release build
#   // Labels: plain           not under AddressSanitizer, which would take too long or is in its way: `make test` runs it
#                              in the debug build, and all others under AddressSanitizer
#   // Timeout: 120 s          instead of 60 s
#
# A program that only other tests start lies in tests/programs/: linked to all layers, without a ctest entry. Fuzzers lie in
# tests/fuzz/ and are built where UTAN_SANITIZE is fuzz.

set(utan_test_timeout_s 60)  # three times as long under a sanitizer, ten times in an emulator and where what is executed is counted

# What tests include first and most, compiled once for all of them. With UTAN_PRECOMPILE more of it.
function(utan_test_header)
  file(WRITE "${CMAKE_CURRENT_BINARY_DIR}/test_header.cc" "")
  add_executable(utan_test_header "${CMAKE_CURRENT_BINARY_DIR}/test_header.cc")
  utan_test_flags(utan_test_header)
  target_link_libraries(utan_test_header PRIVATE GTest::gtest_main)
  target_precompile_headers(utan_test_header PRIVATE <gtest/gtest.h>)
  if(UTAN_PRECOMPILE)
    utan_link_layers(utan_test_header)
    target_precompile_headers(utan_test_header PRIVATE
      <algorithm> <atomic> <filesystem> <functional> <map> <random> <set> <string> <thread> <vector>
      "${PROJECT_SOURCE_DIR}/src/object/container.h" "${PROJECT_SOURCE_DIR}/src/object/iterator.h"
      "${PROJECT_SOURCE_DIR}/tests/support/store_fixture.h")
  endif()
endfunction()

# Where the library is optimised, a test of its layers is so only a little: it tests their code, its own need not be fast.
# Nor is its own code looked at for undefined behaviour, which takes a third of the time of compiling it.
function(utan_test_flags target)
  utan_flags(${target})
  target_include_directories(${target} PRIVATE "${PROJECT_SOURCE_DIR}/tests")
  target_compile_options(${target} PRIVATE $<$<CONFIG:Release>:-O1>)
  if(UTAN_SANITIZE STREQUAL "address")
    target_compile_options(${target} PRIVATE -fno-sanitize=undefined)
  endif()
endfunction()

# The layers, the simulated system among them, for `target`.
function(utan_link_layers target)
  if(TARGET utan_layers)
    target_link_libraries(${target} PRIVATE utan_os_sim utan_layers)
    return()
  endif()
  get_property(folders GLOBAL PROPERTY UTAN_LAYERS)
  list(TRANSFORM folders REPLACE "/" "_")
  list(TRANSFORM folders PREPEND "utan_")
  list(REVERSE folders)
  target_link_libraries(${target} PRIVATE ${folders})
endfunction()

# Labels and timeout of the test `name` from the comment in `source`.
function(utan_test_properties name source)
  set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS "${source}")
  file(STRINGS "${source}" lines REGEX "^(//|/\\*| \\*) (Labels: [a-z ]+|Timeout: [0-9]+ s)( \\*/)?$")
  set(labels "")
  set(timeout ${utan_test_timeout_s})
  foreach(line IN LISTS lines)
    if(line MATCHES "Labels: ([a-z ]+)")
      string(STRIP "${CMAKE_MATCH_1}" words)
      string(REPLACE " " ";" labels "${words}")
      foreach(label IN LISTS labels)
        if(NOT label MATCHES "^(tsan|small|plain)$")
          message(FATAL_ERROR "${source}: the label \"${label}\" is unknown; there are tsan, small and plain.")
        endif()
      endforeach()
    elseif(line MATCHES "Timeout: ([0-9]+) s")
      set(timeout ${CMAKE_MATCH_1})
    endif()
  endforeach()
  if(UTAN_COVERAGE OR CMAKE_CROSSCOMPILING)
    math(EXPR timeout "${timeout} * 10")
  elseif(NOT UTAN_SANITIZE STREQUAL "")
    math(EXPR timeout "${timeout} * 3")
  endif()
  if(UTAN_TORTURE)
    set(timeout 14400)
    set_tests_properties(${name} PROPERTIES ENVIRONMENT UTAN_TORTURE=1)
  endif()
  # Those that may take long begin first, so that at the end no processor waits for one that began last.
  set_tests_properties(${name} PROPERTIES TIMEOUT ${timeout} COST ${timeout} LABELS "${labels}")
  # What `make test` runs under ThreadSanitizer, in release and in debug is built by tests_tsan, tests_small, tests_plain.
  foreach(label tsan small plain)
    if(label IN_LIST labels)
      add_dependencies(tests_${label} ${name})
    endif()
  endforeach()
  if("plain" IN_LIST labels AND UTAN_SANITIZE STREQUAL "address" AND NOT UTAN_TORTURE)
    set_target_properties(${name} PROPERTIES EXCLUDE_FROM_ALL ON)
  endif()
endfunction()

function(utan_cc_test name source)
  add_executable(${name} "${source}")
  target_link_libraries(${name} PRIVATE GTest::gtest_main)
  file(STRINGS "${source}" public_includes REGEX "^#include <utan/utan\\.hp*>")
  file(STRINGS "${source}" inner_includes REGEX "^#include \"[a-z/]+/[a-z_]+\\.h\"")
  if(public_includes AND NOT inner_includes)
    # Compiled as a user's program is, too: without headers that it does not include, and optimised.
    utan_flags(${name})
    target_link_libraries(${name} PRIVATE utan)
  else()
    utan_test_flags(${name})
    target_precompile_headers(${name} REUSE_FROM utan_test_header)
    utan_link_layers(${name})
  endif()
  add_test(NAME ${name} COMMAND ${name})
  utan_test_properties(${name} "${source}")
endfunction()

function(utan_c_test name source)
  add_executable(${name} "${source}")
  utan_flags(${name})
  target_link_libraries(${name} PRIVATE utan_shared)
  add_test(NAME ${name} COMMAND ${name})
  utan_test_properties(${name} "${source}")
endfunction()

# A fuzzer, which is no test: scripts/fuzz.sh runs it. What is covered of its own code does not count.
function(utan_fuzzer name source)
  add_executable(${name} "${source}")
  utan_flags(${name})
  target_include_directories(${name} PRIVATE "${PROJECT_SOURCE_DIR}/tests")
  target_link_libraries(${name} PRIVATE GTest::gtest)
  target_compile_options(${name} PRIVATE -fno-sanitize=fuzzer-no-link)
  target_link_options(${name} PRIVATE -fsanitize=fuzzer)
  utan_link_layers(${name})
endfunction()
