// Memory of one process that no file stands behind.
#include "os/linux/error.h"
#include "os/linux/pages.h"
#include "os/linux/system.h"

namespace utan::os::linux_os {
namespace {

class PrivateMemory final : public Mapping {
 public:
  explicit PrivateMemory(Pages pages)
      : Mapping(static_cast<std::byte*>(pages.begin()), ByteCount{pages.size()}), pages_(std::move(pages)) {}

 private:
  const Pages pages_;
};

}  // namespace

Result<std::unique_ptr<Mapping>> LinuxSystem::private_memory(ByteCount size) {
  Pages pages(::mmap(nullptr, size.value, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0),
              size.value);
  if (!pages.mapped()) return failure(errno, "get", "memory of " + std::to_string(size.value) + " bytes");
  return std::unique_ptr<Mapping>(std::make_unique<PrivateMemory>(std::move(pages)));
}

}  // namespace utan::os::linux_os
