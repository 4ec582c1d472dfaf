// How a failed system call becomes an Error, and how an interrupted one is repeated.
//
// Thread safety: all functions may be called by any thread at once.
#pragma once

#include <cerrno>
#include <string>

#include "base/result.h"

namespace utan::os::linux_os {

// The system's words for an errno, as strerror gives them but safe between threads.
std::string reason(int system_error);

// The code that fits an errno best: Code::io where no more exact one does.
Code code_of(int system_error);

// "cannot <doing> <path>: <reason>", with the fitting code.
Error failure(int system_error, const char* doing, const std::string& path);

// Repeats `call`, which returns a negative number and sets errno on failure, for as long as a signal interrupts it.
template <class Call>
auto uninterrupted(Call call) {
  for (;;) {
    const auto result = call();
    if (result >= 0 || errno != EINTR) return result;
  }
}

}  // namespace utan::os::linux_os
