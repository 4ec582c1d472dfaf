// Assertions of the programmer's own errors, and the switch between cheap and costly ones.
//
// CHECK holds in every build: what it guards would otherwise damage a file. DCHECK holds in debug builds. Bytes read
// from a file are never asserted on: they are an operating error (base/result.h).
//
// DCHECK_SOUND is for what is always so in a file that nobody has damaged, and whose opposite is far more often a fault of
// ours than of a disk. It holds in debug builds, too, but not while a test says that it has damaged the file (ExpectDamage):
// what it guards goes on to an error.
#pragma once

namespace utan {

#if defined(UTAN_DEBUG) && UTAN_DEBUG
inline constexpr bool debug_build = true;
#else
inline constexpr bool debug_build = false;
#endif

// Prints the failed condition with its place to standard error and aborts. Async-signal-safe.
[[noreturn]] void check_failed(const char* condition, const char* file, int line) noexcept;

// Of this thread: how many ExpectDamage live.
extern thread_local constinit int damage_expected;

// While it lives, this thread works on files that a test has damaged.
class ExpectDamage {
 public:
  ExpectDamage() { ++damage_expected; }
  ~ExpectDamage() { --damage_expected; }
  ExpectDamage(const ExpectDamage&) = delete;
  ExpectDamage& operator=(const ExpectDamage&) = delete;
};

}  // namespace utan

#define CHECK(condition)                                    \
  do {                                                      \
    if (!(condition)) [[unlikely]]                          \
      ::utan::check_failed(#condition, __FILE__, __LINE__); \
  } while (false)

#define DCHECK(condition)                \
  do {                                   \
    if constexpr (::utan::debug_build) { \
      CHECK(condition);                  \
    }                                    \
  } while (false)

#define DCHECK_SOUND(condition) DCHECK((condition) || ::utan::damage_expected != 0)
