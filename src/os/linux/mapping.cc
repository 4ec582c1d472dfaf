// Mappings of files, and how much address space there is for them.
#include <fcntl.h>
#include <sys/resource.h>

#include <algorithm>

#include "os/linux/error.h"
#include "os/linux/fault.h"
#include "os/linux/file.h"
#include "os/linux/pages.h"
#include "os/linux/system.h"

namespace utan::os::linux_os {
namespace {

#if defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer) || __has_feature(memory_sanitizer)
#define UTAN_ADDRESS_SPACE_LIMITED 1
#endif
#endif
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define UTAN_ADDRESS_SPACE_LIMITED 1
#endif

// Sanitizers shadow each byte of the address space, and thread sanitizer walks the shadow of every mapping it sees. An emulator
// (src/CMakeLists.txt) walks the pages of each.
#if defined(UTAN_ADDRESS_SPACE_LIMITED)
constexpr std::uint64_t reservation_max = std::uint64_t{4} << 30;
#else
constexpr std::uint64_t reservation_max = std::uint64_t{64} << 40;
#endif

class LinuxMapping final : public Mapping {
 public:
  explicit LinuxMapping(Pages pages)
      : Mapping(static_cast<std::byte*>(pages.begin()), ByteCount{pages.size()}),
        pages_(std::move(pages)),
        range_(watch_range(pages_.begin(), pages_.size())) {}
  ~LinuxMapping() override { forget_range(range_); }

  bool is_lost() const override { return range_ != nullptr && range_->faults.load(std::memory_order_acquire) != 0; }
  void watch(std::atomic<std::uint64_t>* word) override {
    if (range_ != nullptr) range_->word.store(word, std::memory_order_release);
  }
  void lose() override {
    if (range_ != nullptr) lose_range(*range_);
  }

 private:
  const Pages pages_;
  WatchedRange* const range_;
};

Result<void> must_be_same(int a, int b, const std::string& path) {
  struct stat first = {};
  struct stat second = {};
  if (::fstat(a, &first) != 0 || ::fstat(b, &second) != 0) return failure(errno, "stat", path);
  if (first.st_dev == second.st_dev && first.st_ino == second.st_ino) return {};
  return Error{Code::io, "cannot map " + path + ": it names another file now"};
}

// Another open file description of the same file, for the mapping alone. A mapping holds its description open, and
// so would hold the locks that belong to it: beyond the closing of the File, and, inherited by a forked child, beyond
// the death of the process that took them. The name in /proc leads to the file itself, whatever became of its path.
Result<Descriptor> open_again(int number, const std::string& path, int flags) {
  const auto open = [flags](const std::string& name) {
    return uninterrupted([&] { return ::open(name.c_str(), flags | O_CLOEXEC | O_NOCTTY | O_NONBLOCK); });
  };
  Descriptor again{open("/proc/self/fd/" + std::to_string(number))};
  if (!again.open()) again = Descriptor{open(path)};
  if (!again.open()) return failure(errno, "open again for its mapping", path);
  UTAN_TRY(must_be_same(number, again.number(), path));
  return again;
}

}  // namespace

Result<std::unique_ptr<Mapping>> map_file(int number, const std::string& path, ByteCount reservation, Access access) {
  const bool writable = access == Access::read_write;
  UTAN_ASSIGN(const Descriptor own, open_again(number, path, writable ? O_RDWR : O_RDONLY));
  const int protection = writable ? PROT_READ | PROT_WRITE : PROT_READ;
  Pages pages(::mmap(nullptr, reservation.value, protection, MAP_SHARED | MAP_NORESERVE, own.number(), 0),
              reservation.value);
  if (!pages.mapped()) {
    const int system_error = errno;
    auto error = failure(system_error, "map", path);
    // Here it is addresses that are missing, not memory; or the range is longer than the file system lets any file be.
    if (system_error == ENOMEM || system_error == EOVERFLOW) {
      error = Error{Code::no_space, system_error, error.message()};
    }
    return error;
  }
  // A core dump would otherwise hold the whole store. A kernel without the advice only makes larger dumps.
  (void)::madvise(pages.begin(), pages.size(), MADV_DONTDUMP);
  // No MADV_HUGEPAGE: a flush writes changed pages whole, and 2 MiB for each record that changed is too much.
  return std::unique_ptr<Mapping>(std::make_unique<LinuxMapping>(std::move(pages)));
}

ByteCount LinuxSystem::address_space_max() {
  std::uint64_t most = reservation_max;
  struct rlimit limit = {};
  if (::getrlimit(RLIMIT_AS, &limit) == 0 && limit.rlim_cur != RLIM_INFINITY) {
    most = std::min(most, std::uint64_t{limit.rlim_cur} / 4);
  }
  // Kernels and processors differ in how many address bits a process has, and nothing says it but trying.
  for (most &= ~std::uint64_t{0xFFFF}; most >= std::uint64_t{1} << 20; most = most / 2 & ~std::uint64_t{0xFFFF}) {
    const Pages tried(::mmap(nullptr, most, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0), most);
    if (tried.mapped()) break;
  }
  return ByteCount{most};
}

}  // namespace utan::os::linux_os
