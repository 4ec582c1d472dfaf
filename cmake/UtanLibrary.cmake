# libutan from the layers, as utan (static) and utan_shared (shared).
#
# Both are one object file: the layers linked together (-r), optimised across files where UTAN_LTO is on. In the static
# library every symbol but utan_* is made local. So programs get the speed of link-time optimisation without using it
# themselves, any compiler's program can link it, and nothing inside can collide with a name of the program.
#
# The same object before its symbols are made local is utan_layers: what tests of the layers are linked to where UTAN_LTO is
# on. So they test the code that users get, and nothing is compiled or optimised twice.

if(UTAN_LTO AND CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
  set(utan_lto_compile_flags -flto=auto)
  set(utan_lto_merge_flags -flto=auto -flinker-output=nolto-rel)
elseif(UTAN_LTO)
  message(STATUS "UTAN_LTO is for GCC; going on without.")
endif()

function(utan_libraries)
  get_property(folders GLOBAL PROPERTY UTAN_LAYERS)
  list(REMOVE_ITEM folders os/sim)
  utan_layer_objects(objects ${folders})

  string(TOUPPER "CMAKE_CXX_FLAGS_${CMAKE_BUILD_TYPE}" flags_of_type)
  separate_arguments(flags UNIX_COMMAND "${CMAKE_CXX_FLAGS} ${${flags_of_type}}")
  set(public_names "--keep-global-symbol=utan_*")
  if(UTAN_COVERAGE)  # where the compiler's code for counting finds its counters, and its file, which every object names
    list(APPEND public_names "--keep-global-symbol=__llvm_profile_*" "--weaken-symbol=__llvm_profile_filename")
  endif()
  set(merged "${CMAKE_CURRENT_BINARY_DIR}/utan_merged.o")
  set(public "${CMAKE_CURRENT_BINARY_DIR}/utan_public.o")
  # The group of an inline function is dissolved before its symbol is made local: else the linker might drop it for the
  # program's own function of the same name.
  add_custom_command(
    OUTPUT "${merged}"
    COMMAND "${CMAKE_CXX_COMPILER}" ${flags} ${utan_unique_flags} -fPIC -r -nostdlib ${utan_lto_merge_flags}
            -Wl,--force-group-allocation -o "${merged}" ${objects}
    DEPENDS ${objects}
    COMMAND_EXPAND_LISTS
    VERBATIM
    COMMENT "Merging the layers into utan_merged.o")
  add_custom_command(
    OUTPUT "${public}"
    COMMAND "${CMAKE_OBJCOPY}" --wildcard ${public_names} "${merged}" "${public}"
    DEPENDS "${merged}"
    VERBATIM
    COMMENT "Making all but utan_* local in utan_public.o")
  set_source_files_properties("${merged}" "${public}" PROPERTIES EXTERNAL_OBJECT ON GENERATED ON)

  add_library(utan STATIC "${public}")
  add_library(utan_shared SHARED "${public}")
  foreach(library utan utan_shared)
    add_library(Utan::${library} ALIAS ${library})
    target_include_directories(${library} PUBLIC
      "$<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}/include>" "$<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}>")
    set_target_properties(${library} PROPERTIES OUTPUT_NAME utan LINKER_LANGUAGE CXX)
  endforeach()
  add_dependencies(utan_shared utan)  # one of them makes the object, not both at once
  target_link_libraries(utan PRIVATE Threads::Threads)
  target_link_libraries(utan_shared PRIVATE Threads::Threads)
  target_link_options(utan_shared PRIVATE "LINKER:--version-script=${PROJECT_SOURCE_DIR}/cmake/utan.map")
  if(UTAN_SANITIZE STREQUAL "")  # a sanitizer's own functions are defined in the program
    target_link_options(utan_shared PRIVATE LINKER:-z,defs)
  endif()
  set_target_properties(utan_shared PROPERTIES VERSION "${PROJECT_VERSION}" SOVERSION 0
    LINK_DEPENDS "${PROJECT_SOURCE_DIR}/cmake/utan.map")

  if(UTAN_LTO AND UTAN_TESTS)
    add_library(utan_layers STATIC EXCLUDE_FROM_ALL "${merged}")
    set_target_properties(utan_layers PROPERTIES LINKER_LANGUAGE CXX)
    target_include_directories(utan_layers INTERFACE "${PROJECT_SOURCE_DIR}/src" "${PROJECT_SOURCE_DIR}/include")
    target_link_libraries(utan_layers INTERFACE Xxhash::xxhash Threads::Threads)
    add_dependencies(utan_layers utan)
  endif()
endfunction()
