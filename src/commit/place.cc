#include "commit/place.h"

#include <cerrno>
#include <utility>

namespace utan::commit {

namespace {

constexpr const char* force_variable = "UTAN_ANY_FILE_SYSTEM";

// What the system said, and then what that means.
Error explained(Error refusal, const std::string& meaning) {
  if (refusal.code() != Code::permission) return refusal;
  return Error(Code::permission, refusal.system_error(), refusal.message() + meaning);
}

}  // namespace

Result<void> expect_local(os::System& system, os::File& file, const std::string& path, bool any_file_system) {
  UTAN_ASSIGN(const os::Medium medium, file.medium());
  if (!medium.shared_with_others || any_file_system || system.environment(force_variable) == "1") return {};
  return Error(
      Code::unsupported,
      path + ": this file system (" + medium.name +
          ") can be reached by other machines, or by the host of this one. Memory that is mapped there is not "
          "shared with them, nor are locks, so that a store could be damaged. Put it on a file system of this "
          "machine alone; or, if nobody else will ever open it there, set any_file_system in the options, or " +
          force_variable + "=1 in the environment");
}

std::string folder_of(const std::string& path) {
  const auto slash = path.rfind('/');
  if (slash == std::string::npos) return ".";
  return slash == 0 ? "/" : path.substr(0, slash);
}

Error cannot_open(Error refusal, const std::string& path, bool for_writing) {
  if (!for_writing) return explained(std::move(refusal), ". This user may not read " + path);
  return explained(std::move(refusal),
                   ". This user may not write " + path + ": get the right to, or open it only to read it");
}

Error cannot_create(Error refusal, const std::string& path) {
  return explained(std::move(refusal), ". To make the store " + path +
                                           " this user must be allowed to write to the folder " + folder_of(path));
}

Error cannot_replace(Error refusal, const std::string& path) {
  return explained(std::move(refusal), ". To put a new store in the place of " + path +
                                           " this user must be allowed to write to it and to the folder " +
                                           folder_of(path));
}

Error cannot_use_lock_file(Error refusal, const std::string& path) {
  return explained(std::move(refusal), ". This user may write " + path + ", but not its lock file, " + path +
                                           "-lock: get the right to, or open it only to read it");
}

Error cannot_make_lock_file(Error refusal, const std::string& path) {
  return explained(std::move(refusal),
                   ". The lock file " + path +
                       "-lock is missing or of no use, and this user may not make one in the folder " +
                       folder_of(path) +
                       ": somebody who may write to that folder must open the store once; or open it only to read it");
}

Error cannot_read_beside(Error refusal, const std::string& path) {
  return explained(std::move(refusal),
                   ". Other processes write to " + path +
                       " now, and who reads beside them must be allowed to write to its lock file, " + path +
                       "-lock: get the right to, or wait until they have closed the store");
}

Error cannot_join(const std::string& path, std::uint64_t link_count, bool knows_boot) {
  if (!knows_boot) {
    return Error(Code::in_use,
                 path +
                     ": other processes have this store open, and this one cannot join them, because it cannot "
                     "read which boot of the machine this is (/proc/sys/kernel/random/boot_id): mount /proc "
                     "where it runs, or close the store everywhere else");
  }
  const std::string lock_path = path + "-lock";
  if (link_count > 1) {
    return Error(Code::in_use, path + ": other processes have this store open, by another of the file's " +
                                   std::to_string(link_count) +
                                   " names (hard links): open it by the name that they use. Or its lock file " +
                                   lock_path + " was deleted or replaced: then close it everywhere first");
  }
  return Error(Code::in_use,
               path + ": other processes have this store open, but its lock file was deleted or replaced (" +
                   lock_path +
                   "), or made by one that cannot read which boot of the machine this is: close it everywhere, "
                   "then open it again");
}

Error cannot_map(Error refusal) {
  if (refusal.code() != Code::no_space) return refusal;
  return Error(
      Code::no_space, refusal.system_error(),
      refusal.message() + ". A store that is open takes addresses, far more than memory: raise the limit (ulimit -v)");
}

Error named(Error error, const std::string& path) {
  if (error.ok()) return error;
  if (error.message().find(path) == std::string::npos) error = std::move(error).in(path);
  if (error.system_error() != ENAMETOOLONG) return error;
  return Error(error.code(), ENAMETOOLONG,
               error.message() +
                   ". Beside a store lie files with longer names (-lock, and .new- with a number while it is "
                   "made): give it a name that is 25 bytes shorter than the longest that is allowed here");
}

}  // namespace utan::commit
