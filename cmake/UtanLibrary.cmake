# libutan from the layers, as utan (static) and utan_shared (shared).
#
# The static library is one object file: the layers linked together (-r), optimised across files where UTAN_LTO is on,
# with every symbol but utan_* made local. So programs get the speed of link-time optimisation without using it
# themselves, any compiler's program can link it, and nothing inside can collide with a name of the program.

# UTAN_LTO: compiled files hold machine code too (fat), so that tests link the layers quickly, without optimising again.
if(UTAN_LTO AND CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
  set(utan_lto_compile_flags -flto=auto -ffat-lto-objects)
  set(utan_lto_link_flags -flto=auto)
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
  set(merged "${CMAKE_CURRENT_BINARY_DIR}/utan_merged.o")
  # The group of an inline function is dissolved before its symbol is made local: else the linker might drop it for the
  # program's own function of the same name.
  add_custom_command(
    OUTPUT "${merged}"
    COMMAND "${CMAKE_CXX_COMPILER}" ${flags} ${utan_unique_flags} -fPIC -r -nostdlib ${utan_lto_merge_flags}
            -Wl,--force-group-allocation -o "${merged}" ${objects}
    COMMAND "${CMAKE_OBJCOPY}" --wildcard "--keep-global-symbol=utan_*" "${merged}"
    DEPENDS ${objects}
    COMMAND_EXPAND_LISTS
    VERBATIM
    COMMENT "Merging the layers into utan_merged.o")
  set_source_files_properties("${merged}" PROPERTIES EXTERNAL_OBJECT ON GENERATED ON)

  add_library(utan STATIC "${merged}")
  add_library(utan_shared SHARED ${objects})
  foreach(library utan utan_shared)
    add_library(Utan::${library} ALIAS ${library})
    target_include_directories(${library} PUBLIC
      "$<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}/include>" "$<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}>")
    set_target_properties(${library} PROPERTIES OUTPUT_NAME utan LINKER_LANGUAGE CXX)
  endforeach()
  target_link_libraries(utan PRIVATE Threads::Threads)
  target_link_libraries(utan_shared PRIVATE Threads::Threads)
  target_link_options(utan_shared PRIVATE ${utan_lto_link_flags} ${utan_unique_flags}
    "LINKER:--version-script=${PROJECT_SOURCE_DIR}/cmake/utan.map")
  if(UTAN_SANITIZE STREQUAL "")  # a sanitizer's own functions are defined in the program
    target_link_options(utan_shared PRIVATE LINKER:-z,defs)
  endif()
  set_target_properties(utan_shared PROPERTIES VERSION "${PROJECT_VERSION}" SOVERSION 0
    LINK_DEPENDS "${PROJECT_SOURCE_DIR}/cmake/utan.map")
endfunction()
