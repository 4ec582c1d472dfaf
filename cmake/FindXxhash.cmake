# Finds xxHash as a header-only library (whoever includes it defines XXH_INLINE_ALL) and defines Xxhash::xxhash.
find_path(Xxhash_INCLUDE_DIR xxhash.h)
mark_as_advanced(Xxhash_INCLUDE_DIR)
include(FindPackageHandleStandardArgs)
find_package_handle_standard_args(Xxhash REQUIRED_VARS Xxhash_INCLUDE_DIR
  REASON_FAILURE_MESSAGE "On Debian: apt-get install libxxhash-dev")
if(Xxhash_FOUND AND NOT TARGET Xxhash::xxhash)
  add_library(Xxhash::xxhash INTERFACE IMPORTED)
  target_include_directories(Xxhash::xxhash INTERFACE "${Xxhash_INCLUDE_DIR}")
endif()
