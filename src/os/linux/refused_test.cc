// Shows what is said where the system refuses a call that it hardly ever refuses: the code, the system's reason, what was to be
// done with which file, and what helps; and that the same call works the next time.
//
// Calls are refused in this program alone, which has functions of its own in the place of the C library's.
// Labels: plain
#include <dlfcn.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/vfs.h>

#include <cerrno>
#include <cstdarg>
#include <cstring>
#include <fstream>
#include <span>
#include <type_traits>

#include "os/linux/file.h"
#include "os/linux/system.h"
#include "os/linux/testing.h"

namespace {

// What is refused now, why, and how often still. One thread has all of it.
const char* refused = "";
int reason = 0;
int times = 0;
// What is opened in the place of another file; null: that file.
const char* opened_instead = nullptr;

bool is_refused(const char* call) {
  if (times == 0 || std::strcmp(call, refused) != 0) return false;
  --times;
  errno = reason;
  return true;
}

// The C library's own.
template <class Function>
Function* real(const char* name) {
  return reinterpret_cast<Function*>(::dlsym(RTLD_NEXT, name));
}

template <class Answer, class... Arguments>
Answer answer(const char* call, Arguments... arguments) {
  if (!is_refused(call)) return real<Answer(Arguments...)>(call)(arguments...);
  if constexpr (std::is_pointer_v<Answer>) {
    return MAP_FAILED;
  } else {
    return -1;
  }
}

}  // namespace

extern "C" {
int open(const char* path, int flags, ...) {
  if (is_refused("open")) return -1;
  std::va_list rest;
  va_start(rest, flags);
  const mode_t mode = (flags & O_CREAT) != 0 ? va_arg(rest, mode_t) : 0;
  va_end(rest);
  return real<int(const char*, int, ...)>("open")(opened_instead == nullptr ? path : opened_instead, flags, mode);
}
int fcntl(int descriptor, int what, ...) {
  if (is_refused("fcntl")) return -1;
  std::va_list rest;
  va_start(rest, what);
  void* const argument = va_arg(rest, void*);
  va_end(rest);
  return real<int(int, int, ...)>("fcntl")(descriptor, what, argument);
}
long syscall(long number, ...) noexcept {
  if (is_refused("syscall")) return -1;
  std::va_list rest;
  va_start(rest, number);
  long words[6];
  for (long& word : words) word = va_arg(rest, long);
  va_end(rest);
  return real<long(long, ...)>("syscall")(number, words[0], words[1], words[2], words[3], words[4], words[5]);
}
int stat(const char* path, struct stat* out) noexcept { return answer<int>("stat", path, out); }
int fstat(int descriptor, struct stat* out) noexcept { return answer<int>("fstat", descriptor, out); }
int fstatfs(int descriptor, struct statfs* out) noexcept { return answer<int>("fstatfs", descriptor, out); }
int flock(int descriptor, int what) noexcept { return answer<int>("flock", descriptor, what); }
int fdatasync(int descriptor) { return answer<int>("fdatasync", descriptor); }
int fsync(int descriptor) { return answer<int>("fsync", descriptor); }
int rename(const char* from, const char* to) noexcept { return answer<int>("rename", from, to); }
int link(const char* from, const char* to) noexcept { return answer<int>("link", from, to); }
int madvise(void* at, std::size_t size, int what) noexcept { return answer<int>("madvise", at, size, what); }
int fallocate(int descriptor, int mode, off_t from, off_t size) {
  return answer<int>("fallocate", descriptor, mode, from, size);
}
int sync_file_range(int descriptor, off_t from, off_t size, unsigned what) {
  return answer<int>("sync_file_range", descriptor, from, size, what);
}
ssize_t pread(int descriptor, void* out, std::size_t size, off_t from) {
  return answer<ssize_t>("pread", descriptor, out, size, from);
}
ssize_t pwrite(int descriptor, const void* bytes, std::size_t size, off_t to) {
  return answer<ssize_t>("pwrite", descriptor, bytes, size, to);
}
ssize_t getrandom(void* out, std::size_t size, unsigned how) { return answer<ssize_t>("getrandom", out, size, how); }
void* mmap(void* wanted, std::size_t size, int protection, int flags, int descriptor, off_t from) noexcept {
  return answer<void*>("mmap", wanted, size, protection, flags, descriptor, from);
}
}

namespace utan::os {
namespace {

using testing::create;
using testing::open_again;
using testing::succeeded;
using testing::TestFolder;

// While it lives, the system refuses a call so many times, and the test fails if that is not made as often.
class Refusing {
 public:
  Refusing(const char* call, int system_error, int count = 1) {
    refused = call;
    reason = system_error;
    times = count;
  }
  ~Refusing() { EXPECT_EQ(std::exchange(times, 0), 0) << refused; }
  Refusing(const Refusing&) = delete;
  Refusing& operator=(const Refusing&) = delete;
};

class LinuxRefused : public ::testing::Test {
 protected:
  // `doing` while `call` is refused ends with that, and succeeds the next time.
  template <class Doing>
  void expect_refused(const char* call, int system_error, Code code, const std::string& said, Doing doing) {
    {
      const Refusing refusing(call, system_error);
      const auto result = doing();
      EXPECT_EQ(result.code(), code) << call;
      if (!result.ok()) {
        EXPECT_EQ(result.error().system_error(), system_error) << call;
        EXPECT_EQ(result.error().message(), said) << call;
      }
    }
    EXPECT_TRUE(succeeded(doing())) << call;
  }

  System& system_ = linux_system();
  const TestFolder folder_;
  const std::string path_ = folder_.in("a");
  const std::unique_ptr<File> file_ = create(path_);
};

TEST_F(LinuxRefused, ReadingAndWriting) {
  std::byte bytes[4]{};
  ASSERT_TRUE(succeeded(file_->write(Offset{0}, bytes)));
  expect_refused("pread", EIO, Code::io, "cannot read " + path_ + ": Input/output error",
                 [&] { return file_->read(Offset{0}, bytes); });
  expect_refused("pwrite", EIO, Code::io, "cannot write " + path_ + ": Input/output error",
                 [&] { return file_->write(Offset{0}, bytes); });
  expect_refused("pwrite", ENOSPC, Code::no_space, "cannot write " + path_ + ": No space left on device",
                 [&] { return file_->write(Offset{0}, bytes); });
}

TEST_F(LinuxRefused, AllocatingAndFlushing) {
  const auto allocate = [&] { return file_->allocate(ByteCount{8192}); };
  const auto flush = [&] { return file_->flush(); };
  const auto write_back = [&] { return file_->write_back(Offset{0}, ByteCount{4096}); };
  expect_refused("fallocate", EOPNOTSUPP, Code::unsupported,
                 "cannot allocate space for " + path_ + ": Operation not supported", allocate);
  expect_refused("fdatasync", EIO, Code::io, "cannot flush " + path_ + ": Input/output error", flush);
  expect_refused("fdatasync", EDQUOT, Code::no_space,
                 "cannot flush " + path_ + ": Disk quota exceeded: remove something, or have the quota raised", flush);
  expect_refused("sync_file_range", EIO, Code::io, "cannot write " + path_ + ": Input/output error", write_back);
  // What a file system cannot do the flush does.
  for (const int cannot : {ENOSYS, EINVAL, ESPIPE, EOPNOTSUPP}) {
    const Refusing refusing("sync_file_range", cannot);
    EXPECT_TRUE(succeeded(write_back())) << cannot;
  }
}

// A signal interrupts: each time less is wanted at once, until it fits between two signals.
TEST_F(LinuxRefused, AnInterruptedAllocationIsRepeatedInParts) {
  constexpr std::uint64_t size = 5 << 20;
  {
    const Refusing interrupting("fallocate", EINTR, 7);
    EXPECT_TRUE(succeeded(file_->allocate(ByteCount{size})));
  }
  EXPECT_EQ(file_->status()->size, ByteCount{size});
  struct stat raw = {};
  ASSERT_EQ(::stat(path_.c_str(), &raw), 0);
  EXPECT_GE(static_cast<std::uint64_t>(raw.st_blocks) * 512, size);
}

TEST_F(LinuxRefused, Looking) {
  expect_refused("fstat", EIO, Code::io, "cannot stat " + path_ + ": Input/output error",
                 [&] { return file_->status(); });
  expect_refused("fstat", EIO, Code::io, "cannot stat " + path_ + ": Input/output error",
                 [&] { return system_.open(path_, Access::read_write, Creation::existing, 0); });
  expect_refused("stat", EACCES, Code::permission, "cannot stat " + path_ + ": Permission denied",
                 [&] { return system_.status(path_); });
  expect_refused("fstatfs", EIO, Code::io, "cannot find the file system of " + path_ + ": Input/output error",
                 [&] { return file_->medium(); });
}

TEST_F(LinuxRefused, Opening) {
  const auto open = [&] { return system_.open(path_, Access::read_write, Creation::existing, 0); };
  expect_refused("open", ENFILE, Code::io,
                 "cannot open " + path_ +
                     ": Too many open files in system: all processes together have as many files open as they may "
                     "(fs.file-max)",
                 open);
  expect_refused("open", EISDIR, Code::invalid, "cannot open " + path_ + ": Is a directory", open);
}

TEST_F(LinuxRefused, ABootIdThatIsNone) {
  for (const char* const text : {"", "0123", "01234567-89ab-cdef-0123-456789abcdex\n",
                                 "00000000-0000-0000-0000-000000000000\n", "0123456789abcdef-0123456789abcdef0\n"}) {
    std::ofstream(path_, std::ios::trunc) << text;
    opened_instead = path_.c_str();
    EXPECT_EQ(system_.boot_id(), std::nullopt) << text;
    opened_instead = nullptr;
  }
  std::ofstream(path_, std::ios::trunc) << "01234567-89ab-cdef-0123-456789abcdef\n";
  opened_instead = path_.c_str();
  const auto id = system_.boot_id();
  opened_instead = nullptr;
  ASSERT_TRUE(id.has_value());
  EXPECT_EQ(id->front(), std::byte{0x01});
  EXPECT_EQ(id->back(), std::byte{0xef});
}

TEST_F(LinuxRefused, WhatTakesTheFilesPlaceBeforeItIsOpenedIsNotUsed) {
  const std::string fifo = folder_.in("fifo");
  ASSERT_EQ(::mkfifo(fifo.c_str(), 0600), 0);
  const Refusing before_it_was_there("stat", ENOENT);
  const auto opened = system_.open(fifo, Access::read_write, Creation::existing, 0);
  ASSERT_EQ(opened.code(), Code::invalid);
  EXPECT_EQ(opened.error().message(), "cannot open " + fifo + ": it is a FIFO, not a regular file");
}

TEST_F(LinuxRefused, Locking) {
  const auto lock = [&] { return file_->try_lock(LockMode::shared); };
  const auto lock_byte = [&] { return file_->try_lock_byte(3, LockMode::exclusive); };
  const auto look = [&] { return file_->others_hold_bytes(0, 8); };
  const std::string cannot = "cannot lock " + path_ + ": ";
  const std::string none = cannot + "No locks available: this file system has no locks, or no more of them";
  expect_refused("flock", ENOLCK, Code::unsupported, none, lock);
  expect_refused("fcntl", ENOLCK, Code::unsupported, none, lock_byte);
  expect_refused("fcntl", ENOLCK, Code::unsupported, none, look);
  expect_refused("fcntl", EINVAL, Code::unsupported, cannot + "no open-file-description locks here", lock_byte);
  expect_refused("fcntl", EINVAL, Code::unsupported, cannot + "no open-file-description locks here", look);
  const auto other = open_again(path_);
  EXPECT_TRUE(*other->others_hold_bytes(3, 1)) << "what was locked between the refusals is";
}

TEST_F(LinuxRefused, Mapping) {
  ASSERT_TRUE(succeeded(file_->allocate(ByteCount{4096})));
  const auto map = [&] { return file_->map(ByteCount{1 << 20}, Access::read_write); };
  expect_refused("mmap", ENOMEM, Code::no_space, "cannot map " + path_ + ": Cannot allocate memory", map);
  expect_refused("mmap", EOVERFLOW, Code::no_space, "cannot map " + path_ + ": Value too large for defined data type",
                 map);
  expect_refused("mmap", ENODEV, Code::unsupported, "cannot map " + path_ + ": No such device", map);
  expect_refused("fstat", EIO, Code::io, "cannot stat " + path_ + ": Input/output error", map);
  const Refusing advice("madvise", EINVAL);
  EXPECT_TRUE(succeeded(map())) << "a kernel without it only makes larger dumps";
}

// Where /proc is missing the file is opened by its name, if that still is its own.
TEST_F(LinuxRefused, MappingWithoutProc) {
  ASSERT_TRUE(succeeded(file_->allocate(ByteCount{4096})));
  const auto map = [&] { return file_->map(ByteCount{1 << 20}, Access::read_write); };
  {
    const Refusing proc("open", ENOENT);
    const auto mapped = map();
    ASSERT_TRUE(succeeded(mapped));
    (*mapped)->data()[1] = std::byte{7};
    std::byte read{};
    ASSERT_TRUE(succeeded(file_->read(Offset{1}, std::span(&read, 1))));
    EXPECT_EQ(read, std::byte{7});
  }
  {
    const Refusing both("open", EMFILE, 2);
    const auto mapped = map();
    ASSERT_EQ(mapped.code(), Code::io);
    EXPECT_EQ(mapped.error().message(),
              "cannot open again for its mapping " + path_ +
                  ": Too many open files: this process has as many files open as it may; close some, or raise the "
                  "limit (ulimit -n)");
  }
  ASSERT_TRUE(succeeded(system_.rename(path_, folder_.in("b"))));
  (void)create(path_);
  const Refusing proc("open", ENOENT);
  const auto mapped = map();
  ASSERT_EQ(mapped.code(), Code::io);
  EXPECT_EQ(mapped.error().message(), "cannot map " + path_ + ": it names another file now");
}

TEST_F(LinuxRefused, MemoryAndForks) {
  expect_refused("mmap", ENOMEM, Code::memory, "cannot get memory of 8192 bytes: Cannot allocate memory",
                 [&] { return system_.private_memory(ByteCount{8192}); });
  expect_refused("mmap", ENOMEM, Code::memory, "cannot map a page of memory: Cannot allocate memory",
                 [&] { return system_.fork_sentinel(); });
  expect_refused("madvise", EINVAL, Code::unsupported, "cannot notice a fork: Invalid argument",
                 [&] { return system_.fork_sentinel(); });
}

TEST_F(LinuxRefused, NamesAndFolders) {
  const std::string to = folder_.in("b");
  const std::string both = path_ + " to " + to;
  const auto flush_folder = [&] { return system_.flush_folder_of(path_); };
  expect_refused("fsync", EIO, Code::io, "cannot flush " + folder_.path() + ": Input/output error", flush_folder);
  expect_refused("fsync", EINVAL, Code::unsupported, "cannot flush " + folder_.path() + ": Invalid argument",
                 flush_folder);
  expect_refused("rename", EROFS, Code::permission, "cannot rename " + both + ": Read-only file system", [&] {
    auto renamed = system_.rename(path_, to);
    return renamed.ok() ? system_.rename(to, path_) : std::move(renamed);
  });
  expect_refused("syscall", EACCES, Code::permission, "cannot rename " + both + ": Permission denied", [&] {
    auto renamed = system_.rename_new(path_, to);
    return renamed.ok() ? system_.rename(to, path_) : std::move(renamed);
  });
  // A kernel or a file system that does not know how: by a second name.
  for (const int cannot : {ENOSYS, EINVAL, EOPNOTSUPP}) {
    const Refusing refusing("syscall", cannot);
    ASSERT_TRUE(succeeded(system_.rename_new(path_, to))) << cannot;
    EXPECT_EQ(system_.status(path_).code(), Code::not_found) << cannot;
    EXPECT_EQ(system_.status(to)->link_count, 1U) << cannot;
    ASSERT_TRUE(succeeded(system_.rename(to, path_)));
  }
  expect_refused("link", EPERM, Code::unsupported, "cannot create " + to + ": Operation not permitted",
                 [&] { return linux_os::rename_new_by_link(path_, to); });
}

// Whose group a file is to have cannot be told: its mode stays as it was made.
TEST_F(LinuxRefused, NobodyGetsMoreRightsWhereItCannotBeLooked) {
  FileStatus like = *file_->status();
  like.mode = 0666;
  const Refusing refusing("fstat", EIO);
  system_.match_ownership(path_, like);
  EXPECT_EQ(system_.status(path_)->mode, 0600U);
}

TEST_F(LinuxRefused, Randomness) {
  std::byte bytes[16]{};
  expect_refused("getrandom", ENOSYS, Code::unsupported, "cannot read random bytes: Function not implemented",
                 [&] { return system_.random(bytes); });
}

TEST_F(LinuxRefused, TheBootIsUnknownWhereItCannotBeRead) {
  const Refusing refusing("open", ENOENT);
  EXPECT_EQ(system_.boot_id(), std::nullopt);
}

}  // namespace
}  // namespace utan::os
