// Clocks, identity of the boot, randomness and waiting.
#include "os/linux/system.h"

#include <fcntl.h>
#include <linux/futex.h>
#include <sys/random.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <climits>
#include <cstdlib>
#include <ctime>

#include "os/linux/descriptor.h"
#include "os/linux/error.h"

namespace utan::os {
namespace linux_os {
namespace {

constexpr std::uint64_t second = 1'000'000'000;

Nanoseconds from_timespec(const timespec& time) {
  return Nanoseconds{static_cast<std::uint64_t>(time.tv_sec) * second + static_cast<std::uint64_t>(time.tv_nsec)};
}

timespec to_timespec(Nanoseconds time) {
  timespec result = {};
  result.tv_sec = static_cast<time_t>(time.value / second);
  result.tv_nsec = static_cast<long>(time.value % second);
  return result;
}

Nanoseconds now(clockid_t clock) {
  timespec time = {};
  ::clock_gettime(clock, &time);  // Fails for unknown clocks alone.
  return from_timespec(time);
}

int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  return -1;
}

// The kernel's futex works on a plain 32-bit word.
static_assert(sizeof(std::atomic<std::uint32_t>) == sizeof(std::uint32_t));
static_assert(std::atomic<std::uint32_t>::is_always_lock_free);

}  // namespace

Nanoseconds LinuxSystem::monotonic_now() { return now(CLOCK_MONOTONIC); }

Nanoseconds LinuxSystem::wall_now() { return now(CLOCK_REALTIME); }

void LinuxSystem::sleep(Nanoseconds duration) {
  // Until a point of time, so that interruptions do not add up. clock_nanosleep returns its error.
  const timespec until = to_timespec(monotonic_now() + duration);
  while (::clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, nullptr) == EINTR) {
  }
}

std::optional<BootId> LinuxSystem::boot_id() {
  const Descriptor descriptor{
      uninterrupted([] { return ::open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC); })};
  if (!descriptor.open()) return std::nullopt;
  char text[64];
  const auto size = uninterrupted([&] { return ::read(descriptor.number(), text, sizeof text); });
  // 32 hexadecimal digits with hyphens between them, then the end of the line.
  BootId id = {};
  std::size_t digits = 0;
  for (ssize_t i = 0; i < size; ++i) {
    if (text[i] == '-' || text[i] == '\n') continue;
    const int digit = hex_digit(text[i]);
    if (digit < 0 || digits == 2 * id.size()) return std::nullopt;
    id[digits / 2] = id[digits / 2] << 4 | static_cast<std::byte>(digit);
    ++digits;
  }
  if (digits != 2 * id.size() || id == BootId{}) return std::nullopt;
  return id;
}

std::uint32_t LinuxSystem::process_id() { return static_cast<std::uint32_t>(::getpid()); }

Result<void> LinuxSystem::random(std::span<std::byte> bytes) {
  while (!bytes.empty()) {
    const auto count = uninterrupted([&] { return ::getrandom(bytes.data(), bytes.size(), 0); });
    if (count < 0) return failure(errno, "read", "random bytes");
    bytes = bytes.subspan(static_cast<std::size_t>(count));
  }
  return {};
}

std::optional<std::string> LinuxSystem::environment(const char* name) {
  const char* const value = std::getenv(name);
  return value == nullptr ? std::nullopt : std::optional<std::string>(value);
}

void LinuxSystem::futex_wait(std::atomic<std::uint32_t>& word, std::uint32_t expected, Nanoseconds time_max) {
  // Not FUTEX_PRIVATE_FLAG: the word may lie in a file that several processes map. A signal, a changed word and the end
  // of the time all mean the same to the caller, who looks at the word again.
  const timespec time = to_timespec(time_max);
  (void)::syscall(SYS_futex, &word, FUTEX_WAIT, expected, &time, nullptr, 0);
}

void LinuxSystem::futex_wake_all(std::atomic<std::uint32_t>& word) {
  (void)::syscall(SYS_futex, &word, FUTEX_WAKE, INT_MAX, nullptr, nullptr, 0);
}

}  // namespace linux_os

System& linux_system() {
  // Never destroyed: a process's last stores may be closed by destructors that run after ours would. It has no state.
  // The first fork handler is the one that closes files: whoever registers another has this System from here.
  static auto* const system = (linux_os::watch_forks(), new linux_os::LinuxSystem);
  return *system;
}

}  // namespace utan::os
