// What the tests of os/linux share: a folder that removes itself, and children that are real processes.
//
// Thread safety: for one thread. Ownership: a TestChild owns its process: it kills and reaps it at the latest when
// destroyed.
#pragma once

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <functional>
#include <string>

#include "os/os.h"

namespace utan::os::testing {

class TestFolder {
 public:
  TestFolder() {
    std::string pattern = (std::filesystem::temp_directory_path() / "utan-os-XXXXXX").string();
    if (::mkdtemp(pattern.data()) == nullptr) std::abort();
    path_ = std::filesystem::canonical(pattern).string();
  }
  TestFolder(const TestFolder&) = delete;
  TestFolder& operator=(const TestFolder&) = delete;
  ~TestFolder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  const std::string& path() const { return path_; }
  std::string in(const std::string& name) const { return path_ + "/" + name; }

 private:
  std::string path_;
};

// One direction between two processes: a byte each time, and an end that shows when every writer is gone.
class TestPipe {
 public:
  TestPipe() {
    if (::pipe(ends_) != 0) std::abort();
  }
  TestPipe(const TestPipe&) = delete;
  TestPipe& operator=(const TestPipe&) = delete;
  ~TestPipe() {
    ::close(ends_[0]);
    close_writer();
  }
  void signal() const {
    const char byte = 'x';
    if (::write(ends_[1], &byte, 1) != 1) std::abort();
  }
  // False when all writers have closed it instead.
  bool wait() const {
    char byte = 0;
    return ::read(ends_[0], &byte, 1) == 1;
  }
  void close_writer() {
    if (ends_[1] >= 0) ::close(ends_[1]);
    ends_[1] = -1;
  }

 private:
  int ends_[2] = {-1, -1};
};

// A forked child that runs `body` and exits 0 if that returned true, 1 otherwise. It runs no destructor of the parent's
// and prints no test's result.
class TestChild {
 public:
  explicit TestChild(const std::function<bool()>& body) : id_(::fork()) {
    if (id_ < 0) std::abort();
    if (id_ == 0) ::_exit(body() ? 0 : 1);
  }
  TestChild(const TestChild&) = delete;
  TestChild& operator=(const TestChild&) = delete;
  ~TestChild() { kill(); }

  // Ends as SIGKILL ends it. When this returns the process is gone with all its descriptors.
  void kill() {
    if (id_ <= 0) return;
    ::kill(id_, SIGKILL);
    (void)reap();
  }
  // Waits for its end. True: its body returned true.
  bool join() {
    const int status = reap();
    return WIFEXITED(status) && WEXITSTATUS(status) == 0;
  }
  pid_t id() const { return id_; }

 private:
  int reap() {
    int status = -1;
    while (::waitpid(id_, &status, 0) < 0 && errno == EINTR) {
    }
    id_ = -1;
    return status;
  }
  pid_t id_;
};

inline std::unique_ptr<File> open_or_die(const std::string& path, Access access, Creation creation) {
  auto file = linux_system().open(path, access, creation, 0600);
  if (!file.ok()) {
    ADD_FAILURE() << file.error().message();
    std::abort();
  }
  return std::move(file).value();
}

inline std::unique_ptr<File> create(const std::string& path) {
  return open_or_die(path, Access::read_write, Creation::create_new);
}

inline std::unique_ptr<File> open_again(const std::string& path, Access access = Access::read_write) {
  return open_or_die(path, access, Creation::existing);
}

// For results whose failure would make the rest of a test meaningless: the error's text is in the test's output.
template <class T>
::testing::AssertionResult succeeded(const Result<T>& result) {
  if (result.ok()) return ::testing::AssertionSuccess();
  return ::testing::AssertionFailure() << result.error().message();
}

}  // namespace utan::os::testing
