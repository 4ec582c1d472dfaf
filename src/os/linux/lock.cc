// The locks of a LinuxFile: flock on the whole file, open-file-description locks on the liveness bytes.
#include <fcntl.h>
#include <sys/file.h>

#include "base/check.h"
#include "os/linux/error.h"
#include "os/linux/file.h"

namespace utan::os::linux_os {
namespace {

// Byte locks may lie beyond the end of a file, so they start where no store will ever reach: then no other program that
// locks ranges of the file's own bytes meets them.
constexpr off_t lock_bytes_start = off_t{1} << 62;

struct flock byte_range(short type, std::uint32_t first, std::uint32_t count) {
  struct flock range = {};
  range.l_type = type;
  range.l_whence = SEEK_SET;
  range.l_start = lock_bytes_start + static_cast<off_t>(first);
  range.l_len = static_cast<off_t>(count);
  range.l_pid = 0;  // Open-file-description locks require it.
  return range;
}

// A kernel or file system without such locks says EINVAL, which means nothing else for the ranges above.
Error lock_failure(int system_error, const std::string& path) {
  if (system_error == EINVAL) {
    return Error{Code::unsupported, system_error, "cannot lock " + path + ": no open-file-description locks here"};
  }
  return failure(system_error, "lock", path);
}

}  // namespace

Result<bool> LinuxFile::try_lock(LockMode mode) {
  const int operation = (mode == LockMode::shared ? LOCK_SH : LOCK_EX) | LOCK_NB;
  if (uninterrupted([&] { return ::flock(descriptor_.number(), operation); }) == 0) return true;
  if (errno == EWOULDBLOCK) return false;
  return failure(errno, "lock", path_);
}

void LinuxFile::unlock() {
  // Giving up a lock cannot fail on an open descriptor; giving up none is no error.
  (void)uninterrupted([&] { return ::flock(descriptor_.number(), LOCK_UN); });
}

Result<bool> LinuxFile::try_lock_byte(std::uint32_t index, LockMode mode) {
  if (mode == LockMode::exclusive && access_ == Access::read_only) {
    return Error{Code::permission, "cannot lock a byte of " + path_ + " exclusively: it was opened read-only"};
  }
  auto range = byte_range(mode == LockMode::shared ? F_RDLCK : F_WRLCK, index, 1);
  if (uninterrupted([&] { return ::fcntl(descriptor_.number(), F_OFD_SETLK, &range); }) == 0) return true;
  if (errno == EAGAIN || errno == EACCES) return false;
  return lock_failure(errno, path_);
}

void LinuxFile::unlock_byte(std::uint32_t index) {
  auto range = byte_range(F_UNLCK, index, 1);
  (void)uninterrupted([&] { return ::fcntl(descriptor_.number(), F_OFD_SETLK, &range); });
}

Result<bool> LinuxFile::others_hold_bytes(std::uint32_t first, std::uint32_t count) {
  return others_conflict(LockMode::exclusive, first, count);
}

Result<bool> LinuxFile::others_hold_bytes_exclusively(std::uint32_t first, std::uint32_t count) {
  return others_conflict(LockMode::shared, first, count);
}

// Would a lock of this mode meet another's? Asking needs no write access.
Result<bool> LinuxFile::others_conflict(LockMode mode, std::uint32_t first, std::uint32_t count) {
  // A length of 0 would mean "to the end of everything".
  if (count == 0) return false;
  auto range = byte_range(mode == LockMode::shared ? F_RDLCK : F_WRLCK, first, count);
  if (uninterrupted([&] { return ::fcntl(descriptor_.number(), F_OFD_GETLK, &range); }) != 0) {
    return lock_failure(errno, path_);
  }
  return range.l_type != F_UNLCK;
}

}  // namespace utan::os::linux_os
