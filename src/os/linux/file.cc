#include "os/linux/file.h"

#include <fcntl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/vfs.h>

#include <algorithm>
#include <optional>

#include "os/linux/error.h"

namespace utan::os::linux_os {
namespace {

// One name for what statfs calls a number. Those in this list can be reached by other machines, or by the host of this
// one: their mappings are not coherent, or their locks do not reach everybody. FUSE is in it because nothing tells a
// local file system in user space from sshfs or virtiofs. What is stacked on others (overlay, ecryptfs) or lies in memory
// (tmpfs) is of this machine.
struct SharedMedium {
  std::uint32_t magic;
  const char* name;
};
constexpr SharedMedium shared_media[] = {
    {0x00006969, "nfs"},    {0x0000517B, "smb"},    {0xFF534D42, "cifs"},   {0xFE534D42, "smb2"},
    {0x01021997, "9p"},     {0x65735546, "fuse"},   {0x00C36400, "ceph"},   {0x5346414F, "afs"},
    {0x6B414653, "afs"},    {0x73757245, "coda"},   {0x01161970, "gfs2"},   {0x7461636F, "ocfs2"},
    {0x0BD00BD0, "lustre"}, {0x786F4256, "vboxsf"}, {0xBACBACBC, "vmhgfs"}, {0x7C7C6673, "prl_fs"},
    {0x47504653, "gpfs"},   {0x0000564C, "ncp"},    {0x19830326, "beegfs"}, {0x20030528, "orangefs"},
    {0xAAD7AAEA, "panfs"},  {0xBEEFDEAD, "snfs"},   {0x61636673, "acfs"},   {0x00C0FFEE, "hostfs"},
};

Error not_regular(const std::string& path, mode_t mode) {
  return Error{Code::invalid,
               std::string("cannot open ") + path + ": it is " + name_of_kind(mode) + ", not a regular file"};
}

// The error if this process may not make a file so long. Asked before, since the system sends SIGXFSZ to who tries, and that
// ends a process which does not expect it.
std::optional<Error> beyond_limit(const char* doing, const std::string& path, std::uint64_t end) {
  struct rlimit limit = {};
  if (::getrlimit(RLIMIT_FSIZE, &limit) != 0 || limit.rlim_cur == RLIM_INFINITY || end <= limit.rlim_cur)
    return std::nullopt;
  return Error{Code::no_space, EFBIG,
               std::string("cannot ") + doing + " " + path + ": this process may make no file longer than " +
                   std::to_string(limit.rlim_cur) + " bytes, and this one is to have " + std::to_string(end) +
                   ": raise the limit (ulimit -f)"};
}

}  // namespace

FileStatus status_from(const struct stat& raw) {
  FileStatus status;
  status.size = ByteCount{static_cast<std::uint64_t>(raw.st_size)};
  status.identity = FileIdentity{.device = raw.st_dev, .inode = raw.st_ino};
  status.kind = S_ISREG(raw.st_mode) ? FileKind::regular : S_ISDIR(raw.st_mode) ? FileKind::directory : FileKind::other;
  status.mode = static_cast<std::uint32_t>(raw.st_mode) & 07777U;
  status.user = raw.st_uid;
  status.group = raw.st_gid;
  status.link_count = raw.st_nlink;
  return status;
}

const char* name_of_kind(mode_t mode) {
  switch (mode & S_IFMT) {
    case S_IFDIR:
      return "a directory";
    case S_IFIFO:
      return "a FIFO";
    case S_IFSOCK:
      return "a socket";
    default:
      return "a device";
  }
}

Result<std::unique_ptr<File>> open_file(const std::string& path, Access access, Creation creation, std::uint32_t mode) {
  struct stat raw = {};
  int flags = O_CLOEXEC | O_NOCTTY | O_NONBLOCK | (access == Access::read_only ? O_RDONLY : O_RDWR);
  if (creation == Creation::create_new) {
    flags |= O_CREAT | O_EXCL;
  } else if (::stat(path.c_str(), &raw) == 0 && !S_ISREG(raw.st_mode)) {
    // Asked before opening because opening alone can do things: rewind a tape, wake a FIFO's other end. O_NONBLOCK is
    // for the case that the path is replaced by a FIFO between the two calls.
    return not_regular(path, raw.st_mode);
  }
  auto file = std::make_unique<LinuxFile>(path, access);
  if (const int system_error = file->open(flags, static_cast<mode_t>(mode)); system_error != 0) {
    return failure(system_error, creation == Creation::create_new ? "create" : "open", path);
  }
  if (::fstat(file->number(), &raw) != 0) return failure(errno, "stat", path);
  if (!S_ISREG(raw.st_mode)) return not_regular(path, raw.st_mode);
  return std::unique_ptr<File>(std::move(file));
}

Result<FileStatus> LinuxFile::status() {
  struct stat raw = {};
  if (::fstat(descriptor_.number(), &raw) != 0) return failure(errno, "stat", path_);
  return status_from(raw);
}

Result<Medium> LinuxFile::medium() {
  struct statfs raw = {};
  if (uninterrupted([&] { return ::fstatfs(descriptor_.number(), &raw); }) != 0) {
    return failure(errno, "find the file system of", path_);
  }
  // The field is signed and as wide as a long; the numbers have 32 bits.
  const auto magic = static_cast<std::uint32_t>(raw.f_type);
  for (const auto& shared : shared_media) {
    if (shared.magic == magic) return Medium{.shared_with_others = true, .name = shared.name, .replaces_files = false};
  }
  constexpr std::uint32_t overlay = 0x794C7630;
  return Medium{.shared_with_others = false, .name = {}, .replaces_files = magic == overlay};
}

Result<void> LinuxFile::read(Offset from, std::span<std::byte> bytes) {
  const std::uint64_t end = from.value + bytes.size();
  while (!bytes.empty()) {
    const auto position = static_cast<off_t>(end - bytes.size());
    const auto count =
        uninterrupted([&] { return ::pread(descriptor_.number(), bytes.data(), bytes.size(), position); });
    if (count < 0) return failure(errno, "read", path_);
    if (count == 0) {
      return Error{Code::corruption, path_ + " ends at " + std::to_string(position) + ", expected at least " +
                                         std::to_string(end) + " bytes"};
    }
    bytes = bytes.subspan(static_cast<std::size_t>(count));
  }
  return {};
}

Result<void> LinuxFile::write(Offset to, std::span<const std::byte> bytes) {
  const std::uint64_t end = to.value + bytes.size();
  if (auto error = beyond_limit("write", path_, end)) return *std::move(error);
  while (!bytes.empty()) {
    const auto position = static_cast<off_t>(end - bytes.size());
    const auto count =
        uninterrupted([&] { return ::pwrite(descriptor_.number(), bytes.data(), bytes.size(), position); });
    if (count < 0) return failure(errno, "write", path_);
    bytes = bytes.subspan(static_cast<std::size_t>(count));
  }
  return {};
}

Result<void> LinuxFile::allocate(ByteCount size) {
  // The system call itself, never the C library's posix_fallocate: where a file system has no fallocate that one writes
  // a byte into every block, and so over what another process stores through its mapping at that moment.
  if (auto error = beyond_limit("allocate space for", path_, size.value)) {
    UTAN_ASSIGN(const FileStatus now, status());
    if (now.size < size) return *std::move(error);
  }
  // From the beginning once, since a copy may be sparse; then what is new: file systems look at every page or extent of the
  // range, which for a large file would take longer each time. What somebody has cut off, or has made holes of, is not
  // allocated any more. (A file may have more blocks than this: what is preallocated hides as many, until a store into a hole
  // fails, which is a lost file.)
  struct stat before = {};
  if (::fstat(descriptor_.number(), &before) != 0) return failure(errno, "stat", path_);
  std::uint64_t done = allocated_.load(std::memory_order_relaxed);
  constexpr std::uint64_t block = 512;
  if (done > static_cast<std::uint64_t>(before.st_size) || done > static_cast<std::uint64_t>(before.st_blocks) * block)
    done = 0;
  constexpr std::uint64_t step_min = 1 << 20;
  std::uint64_t step = std::max(size.value, step_min);
  while (done < size.value) {
    const std::uint64_t length = std::min(step, size.value - done);
    if (::fallocate(descriptor_.number(), 0, static_cast<off_t>(done), static_cast<off_t>(length)) == 0) {
      done += length;
    } else if (errno == EINTR) {
      // tmpfs undoes the whole call when a signal comes, so that a profiler's timer could keep a long one from ever
      // ending. Shorter ones fit between two signals.
      step = std::max(step / 2, step_min);
    } else {
      return failure(errno, "allocate space for", path_);
    }
  }
  // relaxed: a number alone, of which an older one costs a longer look.
  std::uint64_t seen = allocated_.load(std::memory_order_relaxed);
  while (seen < done && !allocated_.compare_exchange_weak(seen, done, std::memory_order_relaxed)) {
  }
  return {};
}

Result<void> LinuxFile::flush() {
  // Also repeated after EINTR, which no failed write-back gives: that is EIO, ENOSPC or EDQUOT, and is reported once.
  if (uninterrupted([&] { return ::fdatasync(descriptor_.number()); }) != 0) return failure(errno, "flush", path_);
  return {};
}

Result<void> LinuxFile::write_back(Offset from, ByteCount size) {
  const int failed = uninterrupted([&] {
    return ::sync_file_range(descriptor_.number(), static_cast<off_t>(from.value), static_cast<off_t>(size.value),
                             SYNC_FILE_RANGE_WAIT_BEFORE | SYNC_FILE_RANGE_WRITE | SYNC_FILE_RANGE_WAIT_AFTER);
  });
  // A file system that cannot do this does it all in the flush.
  const bool cannot = errno == ENOSYS || errno == EINVAL || errno == ESPIPE || errno == EOPNOTSUPP;
  if (failed != 0 && !cannot) return failure(errno, "write", path_);
  return {};
}

Result<std::unique_ptr<Mapping>> LinuxFile::map(ByteCount reservation, Access access) {
  if (access == Access::read_write && access_ == Access::read_only) {
    return Error{Code::permission, "cannot map " + path_ + " for writing: it was opened read-only"};
  }
  return map_file(descriptor_.number(), path_, reservation, access);
}

}  // namespace utan::os::linux_os
