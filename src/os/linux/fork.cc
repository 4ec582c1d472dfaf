// Noticing a fork.
#include <pthread.h>
#include <sys/mman.h>
#include <unistd.h>

#include <new>

#include "os/linux/error.h"
#include "os/linux/system.h"

namespace utan::os::linux_os {
namespace {

class LinuxForkSentinel final : public ForkSentinel {
 public:
  LinuxForkSentinel(void* page, std::size_t size)
      : ForkSentinel(new (page) std::atomic<std::uint64_t>(1)), page_(page), size_(size) {}
  ~LinuxForkSentinel() override { ::munmap(page_, size_); }

 private:
  void* const page_;
  const std::size_t size_;
};

}  // namespace

Result<std::unique_ptr<ForkSentinel>> LinuxSystem::fork_sentinel() {
  const auto size = static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
  void* page = ::mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (page == MAP_FAILED) return failure(errno, "map", "a page of memory");
  if (::madvise(page, size, MADV_WIPEONFORK) != 0) {
    const int system_error = errno;
    ::munmap(page, size);
    return Error{Code::unsupported, system_error, "cannot notice a fork: " + reason(system_error)};
  }
  return std::unique_ptr<ForkSentinel>(std::make_unique<LinuxForkSentinel>(page, size));
}

Result<void> LinuxSystem::at_fork_in_child(void (*in_child)()) {
  // The list of handlers belongs to the C library and is for ever: a global that cannot be avoided. A shared library's
  // own handlers leave it when the library is unloaded.
  const int system_error = ::pthread_atfork(nullptr, nullptr, in_child);
  if (system_error != 0) return failure(system_error, "register", "a fork handler");
  return {};
}

}  // namespace utan::os::linux_os
