#include "os/linux/error.h"

#include <cstring>

namespace utan::os::linux_os {
namespace {

// strerror_r exists in two forms: one returns the text, the other fills the buffer and returns a number. Overloading on
// what it returned accepts either, so that no macro of the C library has to be asked.
[[maybe_unused]] const char* text_of(const char* returned, const char* /*buffer*/) { return returned; }
[[maybe_unused]] const char* text_of(int failed, const char* buffer) { return failed == 0 ? buffer : "unknown error"; }

}  // namespace

std::string reason(int system_error) {
  char buffer[256] = {};
  return text_of(strerror_r(system_error, buffer, sizeof buffer), buffer);
}

Code code_of(int system_error) {
  switch (system_error) {
    case ENOENT:
    case ENOTDIR:
      return Code::not_found;
    case EEXIST:
      return Code::exists;
    case EACCES:
    case EPERM:
    case EROFS:
    case ETXTBSY:
      return Code::permission;
    case ENOSPC:
    case EDQUOT:
    case EFBIG:
      return Code::no_space;
    case EOPNOTSUPP:
    case ENOSYS:
    case ENODEV:
    case ENOLCK:
      return Code::unsupported;
    case EISDIR:
    case ELOOP:
    case ENAMETOOLONG:
      return Code::invalid;
    case ENOMEM:
      return Code::memory;
    default:
      return Code::io;
  }
}

namespace {

// What can be done where the reason alone does not say it.
const char* remedy(int system_error) {
  switch (system_error) {
    case EMFILE:
      return ": this process has as many files open as it may; close some, or raise the limit (ulimit -n)";
    case ENFILE:
      return ": all processes together have as many files open as they may (fs.file-max)";
    case EDQUOT:
      return ": remove something, or have the quota raised";
    case ENOLCK:
      return ": this file system has no locks, or no more of them";
    default:
      return "";
  }
}

}  // namespace

Error failure(int system_error, const char* doing, const std::string& path) {
  return Error{code_of(system_error), system_error,
               std::string("cannot ") + doing + " " + path + ": " + reason(system_error) + remedy(system_error)};
}

}  // namespace utan::os::linux_os
