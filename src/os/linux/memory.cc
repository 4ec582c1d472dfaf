// Memory of one process that no file stands behind.
#include <sys/mman.h>

#include "os/linux/error.h"
#include "os/linux/system.h"

namespace utan::os::linux_os {
namespace {

class PrivateMemory final : public Mapping {
 public:
  PrivateMemory(void* address, ByteCount size) : Mapping(static_cast<std::byte*>(address), size) {}
  ~PrivateMemory() override { ::munmap(data(), reserved().value); }
};

}  // namespace

Result<std::unique_ptr<Mapping>> LinuxSystem::private_memory(ByteCount size) {
  void* address =
      ::mmap(nullptr, size.value, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (address == MAP_FAILED) return failure(errno, "get", "memory of " + std::to_string(size.value) + " bytes");
  return std::unique_ptr<Mapping>(std::make_unique<PrivateMemory>(address, size));
}

}  // namespace utan::os::linux_os
