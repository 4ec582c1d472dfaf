# Compiler flags. utan_flags gives our own code its flags; code of others (GoogleTest) never gets them.

if(PROJECT_IS_TOP_LEVEL)
  set(CMAKE_EXPORT_COMPILE_COMMANDS ON)
endif()
set(CMAKE_CXX_STANDARD 20)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_C_STANDARD 11)
set(CMAKE_C_STANDARD_REQUIRED ON)
set(CMAKE_C_EXTENSIONS OFF)
set(CMAKE_C_VISIBILITY_PRESET hidden)
set(CMAKE_CXX_VISIBILITY_PRESET hidden)
set(CMAKE_VISIBILITY_INLINES_HIDDEN ON)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)

# A sanitizer is for the whole build, also for what is linked to libutan.
if(UTAN_SANITIZE STREQUAL "address")
  set(utan_sanitize_flags -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer)
  set(utan_sanitize_link_flags -fsanitize=address,undefined)
elseif(UTAN_SANITIZE STREQUAL "thread")
  set(utan_sanitize_flags -fsanitize=thread -fno-omit-frame-pointer)
  set(utan_sanitize_link_flags -fsanitize=thread)
elseif(UTAN_SANITIZE STREQUAL "fuzz")
  if(NOT CMAKE_CXX_COMPILER_ID MATCHES "Clang")
    message(FATAL_ERROR "UTAN_SANITIZE=fuzz needs Clang: use the preset, or set CMAKE_C_COMPILER and _CXX_COMPILER.")
  endif()
  set(utan_sanitize_flags -fsanitize=fuzzer-no-link,address -fno-omit-frame-pointer)
  set(utan_sanitize_link_flags -fsanitize=address)
elseif(NOT UTAN_SANITIZE STREQUAL "")
  message(FATAL_ERROR "UTAN_SANITIZE is \"${UTAN_SANITIZE}\"; it may be address, thread, fuzz or empty.")
endif()
add_compile_options(${utan_sanitize_flags})
add_link_options(${utan_sanitize_link_flags})

# What is counted is in a mapped file at once (continuous mode), so that the counts of a process that is killed are kept, and those
# of its children are added to the same ones: one file for each program or extension (%m), mapped (%c), wherever it is started
# from. Threads count atomically.
if(UTAN_COVERAGE)
  if(NOT CMAKE_CXX_COMPILER_ID MATCHES "Clang")
    message(FATAL_ERROR "UTAN_COVERAGE needs Clang: use the preset, or set CMAKE_C_COMPILER and _CXX_COMPILER.")
  endif()
  add_compile_options("-fprofile-instr-generate=${PROJECT_BINARY_DIR}/counts/%c%m.profraw" -fcoverage-mapping
    -fprofile-update=atomic "SHELL:-mllvm -runtime-counter-relocation")
  add_link_options(-fprofile-instr-generate)
endif()

# A unique symbol is shared by all libraries of a process, whatever its visibility, and a library with one stays loaded.
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
  set(utan_unique_flags -fno-gnu-unique)  # also said where libutan is linked: code is made there
  add_compile_options($<$<COMPILE_LANGUAGE:CXX>:${utan_unique_flags}>)
endif()

# GCC makes x86's string instructions of short copies, which take longer to start than a call of memcpy takes in all.
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU" AND CMAKE_SYSTEM_PROCESSOR MATCHES "x86_64|AMD64")
  add_compile_options($<$<COMPILE_LANGUAGE:CXX>:-mstringop-strategy=libcall>)
endif()

# Warnings and the compile definitions of our own code. A definition is always there, as 0 or 1.
function(utan_flags target)
  target_compile_options(${target} PRIVATE -Wall -Wextra -Wpedantic -Wconversion -Wshadow)
  if(CMAKE_CXX_COMPILER_ID MATCHES "Clang")
    target_compile_options(${target} PRIVATE -Wno-sign-conversion)  # part of -Wconversion for Clang, not for GCC
  endif()
  if(UTAN_WERROR)
    target_compile_options(${target} PRIVATE -Werror)
  endif()
  if(UTAN_SANITIZE STREQUAL "thread" AND CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
    # ThreadSanitizer does not see fences; GCC says so at each one.
    target_compile_options(${target} PRIVATE -Wno-tsan)
  endif()
  if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU" AND CMAKE_CXX_COMPILER_VERSION VERSION_LESS 13)
    # GCC 12 warns wrongly about std::string at -O2 and above (GCC bug 105651).
    target_compile_options(${target} PRIVATE -Wno-restrict)
  endif()
  target_compile_definitions(${target} PRIVATE UTAN_DEBUG=$<BOOL:${UTAN_DEBUG}> UTAN_STEPS=$<BOOL:${UTAN_STEPS}>)
endfunction()
