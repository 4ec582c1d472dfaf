#include "base/check.h"

#include <unistd.h>

#include <cstdio>
#include <cstdlib>

namespace utan {

thread_local constinit int damage_expected = 0;

void check_failed(const char* condition, const char* file, int line) noexcept {
  char text[512];
  const int size = std::snprintf(text, sizeof text, "utan: %s:%d: check failed: %s\n", file, line, condition);
  if (size > 0) {
    const auto length = static_cast<std::size_t>(size) < sizeof text ? static_cast<std::size_t>(size) : sizeof text - 1;
    [[maybe_unused]] const auto written = ::write(STDERR_FILENO, text, length);
  }
  std::abort();
}

}  // namespace utan
