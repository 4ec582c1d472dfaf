// Files of Linux: opening, status, and the open file description.
//
// Thread safety: all that LinuxFile holds that changes after its opening is one number, which only grows; the kernel does the
// rest. Ownership: as in
// os/os.h.
#pragma once

#include <sys/stat.h>

#include <atomic>
#include <cstdint>
#include <string>

#include "os/linux/descriptor.h"
#include "os/os.h"

namespace utan::os::linux_os {

FileStatus status_from(const struct stat& raw);

// "a directory", "a FIFO": what to say of something that is no regular file.
const char* name_of_kind(mode_t mode);

Result<std::unique_ptr<File>> open_file(const std::string& path, Access access, Creation creation, std::uint32_t mode);

// Maps the file of the open descriptor `number` for its whole reservation. `path` serves messages, and finding the file
// again where /proc is missing.
Result<std::unique_ptr<Mapping>> map_file(int number, const std::string& path, ByteCount reservation, Access access);

class LinuxFile final : public File {
 public:
  LinuxFile(std::string path, Access access) : path_(std::move(path)), access_(access) {}
  // Comes first. 0, or the errno of open(2).
  int open(int flags, mode_t mode) { return descriptor_.open(path_.c_str(), flags, mode); }
  int number() const { return descriptor_.number(); }

  Result<FileStatus> status() override;
  Result<Medium> medium() override;
  Result<void> read(Offset from, std::span<std::byte> bytes) override;
  Result<void> write(Offset to, std::span<const std::byte> bytes) override;
  Result<void> allocate(ByteCount size) override;
  Result<void> flush() override;
  Result<void> write_back(Offset from, ByteCount size) override;
  Result<std::unique_ptr<Mapping>> map(ByteCount reservation, Access access) override;
  Result<bool> try_lock(LockMode mode) override;
  void unlock() override;
  Result<bool> try_lock_byte(std::uint32_t index, LockMode mode) override;
  void unlock_byte(std::uint32_t index) override;
  Result<bool> others_hold_bytes(std::uint32_t first, std::uint32_t count) override;
  Result<bool> others_hold_bytes_exclusively(std::uint32_t first, std::uint32_t count) override;

 private:
  Result<bool> others_conflict(LockMode mode, std::uint32_t first, std::uint32_t count);

  UnsharedDescriptor descriptor_;
  const std::string path_;
  const Access access_;
  // All before it was found allocated, or made so, through this very object.
  std::atomic<std::uint64_t> allocated_{0};
};

}  // namespace utan::os::linux_os
