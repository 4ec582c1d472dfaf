// Names of files: finding, renaming, removing, making durable.
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <climits>
#include <cstdio>
#include <cstdlib>

#include "os/linux/error.h"
#include "os/linux/file.h"
#include "os/linux/system.h"

#ifndef RENAME_NOREPLACE  // Not every C library names it.
#define RENAME_NOREPLACE 1
#endif

namespace utan::os::linux_os {
namespace {

// "/a/b" -> "/a"; "b" -> "."; "/b" -> "/".
std::string folder_of(const std::string& path) {
  const auto slash = path.rfind('/');
  if (slash == std::string::npos) return ".";
  return slash == 0 ? "/" : path.substr(0, slash);
}

std::string last_of(const std::string& path) {
  const auto slash = path.rfind('/');
  return slash == std::string::npos ? path : path.substr(slash + 1);
}

std::string joined(const std::string& folder, const std::string& name) {
  return folder == "/" ? folder + name : folder + "/" + name;
}

// Where a symbolic link points to, as a path from here; nothing if `path` is none.
std::optional<std::string> link_target(const std::string& path) {
  char text[PATH_MAX];
  const auto size = ::readlink(path.c_str(), text, sizeof text);
  if (size <= 0 || static_cast<std::size_t>(size) >= sizeof text) return std::nullopt;
  const std::string target(text, static_cast<std::size_t>(size));
  return target.front() == '/' ? target : joined(folder_of(path), target);
}

std::optional<std::string> real_path(const std::string& path) {
  char text[PATH_MAX];
  if (::realpath(path.c_str(), text) == nullptr) return std::nullopt;
  return std::string(text);
}

}  // namespace

Result<std::unique_ptr<File>> LinuxSystem::open(const std::string& path, Access access, Creation creation,
                                                std::uint32_t mode) {
  return open_file(path, access, creation, mode);
}

Result<FileStatus> LinuxSystem::status(const std::string& path) {
  struct stat raw = {};
  if (::stat(path.c_str(), &raw) != 0) return failure(errno, "stat", path);
  return status_from(raw);
}

Result<std::string> LinuxSystem::resolve(const std::string& path) {
  // A last component that does not exist may still be a link to where the file is to be made: it is followed here, as
  // creating a file with O_EXCL does not follow it. As many times as the kernel would.
  constexpr int links_max = 40;
  std::string name = path;
  for (int links = 0; links < links_max; ++links) {
    if (auto found = real_path(name)) return *std::move(found);
    if (errno != ENOENT) return failure(errno, "resolve", path);
    const std::string last = last_of(name);
    if (last.empty() || last == "." || last == "..") return failure(ENOENT, "resolve", path);
    if (auto target = link_target(name)) {
      name = *std::move(target);
      continue;
    }
    const auto folder = real_path(folder_of(name));
    if (!folder) return failure(errno, "resolve", path);
    return joined(*folder, last);
  }
  return failure(ELOOP, "resolve", path);
}

Result<void> LinuxSystem::rename(const std::string& from, const std::string& to) {
  if (::rename(from.c_str(), to.c_str()) != 0) return failure(errno, "rename", from + " to " + to);
  return {};
}

Result<void> LinuxSystem::rename_new(const std::string& from, const std::string& to) {
  const auto result = uninterrupted(
      [&] { return ::syscall(SYS_renameat2, AT_FDCWD, from.c_str(), AT_FDCWD, to.c_str(), RENAME_NOREPLACE); });
  if (result == 0) return {};
  if (errno == EEXIST) return failure(errno, "create", to);
  // A kernel that lacks the call says ENOSYS, a file system that lacks the flag EINVAL.
  if (errno == ENOSYS || errno == EINVAL || errno == EOPNOTSUPP) return rename_new_by_link(from, to);
  return failure(errno, "rename", from + " to " + to);
}

Result<void> rename_new_by_link(const std::string& from, const std::string& to) {
  if (uninterrupted([&] { return ::link(from.c_str(), to.c_str()); }) != 0) {
    const int system_error = errno;
    auto error = failure(system_error, "create", to);
    // A file system without hard links says EPERM, which is not about who is asking.
    if (system_error == EPERM) error = Error{Code::unsupported, system_error, error.message()};
    return error;
  }
  // `to` is there for everybody: reporting a failure now would be false. The name that may stay behind is what a
  // process killed at this point leaves too.
  (void)::unlink(from.c_str());
  return {};
}

Result<void> LinuxSystem::remove(const std::string& path) {
  if (uninterrupted([&] { return ::unlink(path.c_str()); }) != 0) return failure(errno, "remove", path);
  return {};
}

Result<void> LinuxSystem::flush_folder_of(const std::string& path) {
  const std::string folder = folder_of(path);
  const Descriptor descriptor{
      uninterrupted([&] { return ::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC); })};
  if (!descriptor.open()) return failure(errno, "open", folder);
  if (uninterrupted([&] { return ::fsync(descriptor.number()); }) != 0) {
    // EINVAL: this file system cannot flush a folder.
    if (errno == EINVAL) return Error{Code::unsupported, EINVAL, "cannot flush " + folder + ": " + reason(EINVAL)};
    return failure(errno, "flush", folder);
  }
  return {};
}

void LinuxSystem::match_ownership(const std::string& path, const FileStatus& like) {
  // Through a descriptor, so that whoever may write the folder cannot turn the path into a link to a foreign file
  // between two calls.
  const Descriptor descriptor{
      uninterrupted([&] { return ::open(path.c_str(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC); })};
  if (!descriptor.open()) return;
  // The owner too where that is allowed (to root), or its own user could not write what root made.
  if (::fchown(descriptor.number(), like.user, like.group) != 0) {
    (void)!::fchown(descriptor.number(), static_cast<uid_t>(-1), like.group);
  }
  std::uint32_t mode = like.mode;
  struct stat raw = {};
  if (::fstat(descriptor.number(), &raw) != 0) return;
  if (raw.st_gid != like.group) {
    // The group's bits were given to another group; this one gets no more than everybody has.
    mode &= ~070U | (like.mode & 07U) << 3U;
  }
  (void)!::fchmod(descriptor.number(), static_cast<mode_t>(mode));
}

}  // namespace utan::os::linux_os
