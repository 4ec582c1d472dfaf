// Assertions of the programmer's own errors, and the switch between cheap and costly ones.
//
// CHECK holds in every build: what it guards would otherwise damage a file. DCHECK holds in debug builds. Bytes read
// from a file are never asserted on: they are an operating error (base/result.h).
#pragma once

namespace utan {

#if defined(UTAN_DEBUG) && UTAN_DEBUG
inline constexpr bool debug_build = true;
#else
inline constexpr bool debug_build = false;
#endif

// Prints the failed condition with its place to standard error and aborts. Async-signal-safe.
[[noreturn]] void check_failed(const char* condition, const char* file, int line) noexcept;

}  // namespace utan

#define CHECK(condition)                                    \
  do {                                                      \
    if (!(condition)) [[unlikely]]                          \
      ::utan::check_failed(#condition, __FILE__, __LINE__); \
  } while (false)

#define DCHECK(condition)                                     \
  do {                                                        \
    if constexpr (::utan::debug_build) {                      \
      if (!(condition)) [[unlikely]]                          \
        ::utan::check_failed(#condition, __FILE__, __LINE__); \
    }                                                         \
  } while (false)
