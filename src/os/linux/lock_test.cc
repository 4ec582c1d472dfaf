// Shows: locks belong to an open file description and end with it, be it closed or its process killed; no mapping and
// no forked child keeps them; conversion, and who is seen by whom.
// Labels: small
#include <fcntl.h>

#include <atomic>
#include <string_view>
#include <thread>
#include <vector>

#include "os/linux/file.h"
#include "os/linux/testing.h"

namespace utan::os {
namespace {

using testing::create;
using testing::open_again;
using testing::succeeded;
using testing::TestChild;
using testing::TestFolder;
using testing::TestPipe;

// Waits for as long as a test may last: what it is used for takes effect before the call that causes it returns, or
// within the reaping of a process.
TEST(LinuxLock, AKilledProcessHoldsNothing) {
  const TestFolder folder;
  const auto file = create(folder.in("a"));
  TestPipe ready;
  TestChild child([&] {
    const auto own = open_again(folder.in("a"));
    const auto mapping = own->map(ByteCount{1 << 20}, Access::read_write);
    if (!mapping.ok() || !*own->try_lock(LockMode::exclusive)) return false;
    if (!*own->try_lock_byte(7, LockMode::exclusive)) return false;
    ready.signal();
    for (;;) ::pause();
  });
  ASSERT_TRUE(ready.wait());
  EXPECT_FALSE(*file->try_lock(LockMode::shared));
  EXPECT_FALSE(*file->try_lock_byte(7, LockMode::shared));
  EXPECT_TRUE(*file->try_lock_byte(8, LockMode::exclusive));
  EXPECT_TRUE(*file->others_hold_bytes(0, 1024));
  EXPECT_TRUE(*file->others_hold_bytes(7, 1));
  EXPECT_FALSE(*file->others_hold_bytes(8, 1)) << "one's own lock is not another's";
  EXPECT_FALSE(*file->others_hold_bytes(0, 7));

  child.kill();
  EXPECT_FALSE(*file->others_hold_bytes(0, 1024));
  EXPECT_TRUE(*file->try_lock(LockMode::exclusive));
  EXPECT_TRUE(*file->try_lock_byte(7, LockMode::exclusive));
}

TEST(LinuxLock, AStoppedProcessKeepsItsLocks) {
  const TestFolder folder;
  const auto file = create(folder.in("a"));
  TestPipe ready;
  TestChild child([&] {
    const auto own = open_again(folder.in("a"));
    if (!*own->try_lock_byte(0, LockMode::exclusive)) return false;
    ready.signal();
    for (;;) ::pause();
  });
  ASSERT_TRUE(ready.wait());
  ASSERT_EQ(::kill(child.id(), SIGSTOP), 0);
  int status = 0;
  ASSERT_EQ(::waitpid(child.id(), &status, WUNTRACED), child.id());
  ASSERT_TRUE(WIFSTOPPED(status));
  EXPECT_TRUE(*file->others_hold_bytes(0, 1));
  child.kill();
  EXPECT_FALSE(*file->others_hold_bytes(0, 1));
}

TEST(LinuxLock, AMappingDoesNotKeepTheLocksOfItsFile) {
  const TestFolder folder;
  const auto file = create(folder.in("a"));
  ASSERT_TRUE(succeeded(file->allocate(ByteCount{4096})));
  auto other = open_again(folder.in("a"));
  auto mapping = other->map(ByteCount{1 << 20}, Access::read_write);
  ASSERT_TRUE(succeeded(mapping));
  ASSERT_TRUE(*other->try_lock(LockMode::exclusive));
  ASSERT_TRUE(*other->try_lock_byte(3, LockMode::exclusive));
  EXPECT_TRUE(*file->others_hold_bytes(3, 1));
  other.reset();
  EXPECT_FALSE(*file->others_hold_bytes(3, 1));
  EXPECT_TRUE(*file->try_lock(LockMode::exclusive));
  mapping.value()->data()[0] = std::byte{1};  // Still there.
}

TEST(LinuxLock, AForkedChildWithTheMappingDoesNotKeepADeadParentAlive) {
  const TestFolder folder;
  const auto file = create(folder.in("a"));
  ASSERT_TRUE(succeeded(file->allocate(ByteCount{4096})));
  TestPipe ready;
  TestPipe end;
  TestChild parent([&] {
    auto own = open_again(folder.in("a"));
    const auto mapping = own->map(ByteCount{1 << 20}, Access::read_write);
    if (!mapping.ok() || !*own->try_lock_byte(5, LockMode::exclusive)) return false;
    const TestChild child([&] {
      end.close_writer();
      mapping.value()->data()[0] = std::byte{9};
      ready.signal();
      while (end.wait()) {
      }
      return true;
    });
    for (;;) ::pause();
  });
  ASSERT_TRUE(ready.wait());
  EXPECT_TRUE(*file->others_hold_bytes(5, 1)) << "the child's closing must not end what the parent holds";
  parent.kill();
  EXPECT_FALSE(*file->others_hold_bytes(5, 1)) << "the orphaned child still has the mapping";
}

// How many descriptors of this process name something in `folder`.
// Allocates nothing: a child made while other threads ran may find the allocator locked.
int descriptors_in(const std::string& folder) {
  int count = 0;
  for (int number = 0; number < 64; ++number) {
    char target[4096];
    char link[32];
    std::snprintf(link, sizeof link, "/proc/self/fd/%d", number);
    const ssize_t size = ::readlink(link, target, sizeof target);
    if (size > 0 && std::string_view(target, static_cast<std::size_t>(size)).starts_with(folder)) ++count;
  }
  return count;
}

TEST(LinuxLock, AChildHasNoFileThatAnotherThreadWasOpeningOrClosing) {
  const TestFolder folder;
  const auto file = create(folder.in("a"));
  std::atomic<bool> end{false};
  std::atomic<int> rounds{0};
  std::vector<std::thread> threads;
  for (std::uint32_t t = 0; t < 2; ++t) {
    threads.emplace_back([&, t] {
      while (!end) {
        const auto own = open_again(folder.in("a"));
        // Not at once: a child has the lock until its handler has run. But it lives on, so that one that keeps the lock
        // keeps it for ever.
        while (!*own->try_lock_byte(t, LockMode::exclusive)) std::this_thread::yield();
        ++rounds;
      }
    });
  }
  // A descriptor of the program's own, which no child loses.
  const int other = ::open(folder.path().c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  for (int batch = 0; batch < 25; ++batch) {
    const TestPipe finish;
    std::vector<std::unique_ptr<TestChild>> children;
    for (int i = 0; i < 20; ++i) {
      const int before = rounds;
      children.push_back(std::make_unique<TestChild>([&] {
        const bool own_alone = descriptors_in(folder.path()) == 1 && ::fcntl(other, F_GETFD) != -1;
        return finish.wait() && own_alone;
      }));
      while (rounds == before) std::this_thread::yield();
    }
    for (std::size_t i = 0; i < children.size(); ++i) finish.signal();
    for (const auto& child : children) EXPECT_TRUE(child->join());
  }
  end = true;
  for (std::thread& thread : threads) thread.join();
  ::close(other);
}

TEST(LinuxLock, OneBytePerDescriptionAlsoWithinOneProcess) {
  const TestFolder folder;
  const auto first = create(folder.in("a"));
  const auto second = open_again(folder.in("a"));
  EXPECT_TRUE(*first->try_lock_byte(0, LockMode::exclusive));
  EXPECT_TRUE(*first->try_lock_byte(0, LockMode::exclusive)) << "taking it again is no conflict";
  EXPECT_FALSE(*second->try_lock_byte(0, LockMode::exclusive));
  EXPECT_TRUE(*second->try_lock_byte(0xFFFFFFFF, LockMode::exclusive));
  EXPECT_TRUE(*first->others_hold_bytes(0xFFFFFFFF, 1));
  EXPECT_FALSE(*first->others_hold_bytes(0, 0));
  first->unlock_byte(0);
  first->unlock_byte(0);
  EXPECT_TRUE(*second->try_lock_byte(0, LockMode::exclusive));
}

TEST(LinuxLock, ReadOnlyFilesLockBytesSharedAlone) {
  const TestFolder folder;
  const auto writer = create(folder.in("a"));
  const auto reader = open_again(folder.in("a"), Access::read_only);
  EXPECT_EQ(reader->try_lock_byte(0, LockMode::exclusive).code(), Code::permission);
  EXPECT_TRUE(*reader->try_lock_byte(0, LockMode::shared));
  EXPECT_TRUE(*writer->try_lock_byte(0, LockMode::shared));
  EXPECT_FALSE(*writer->try_lock_byte(0, LockMode::exclusive)) << "a failed conversion";
  EXPECT_TRUE(*reader->others_hold_bytes(0, 1)) << "leaves a byte's lock as it was";
  EXPECT_TRUE(*reader->try_lock(LockMode::exclusive)) << "flock needs no write access";
}

TEST(LinuxLock, TheWholeFileLockConvertsAndLosesWhatItHadWhenItCannot) {
  const TestFolder folder;
  const auto first = create(folder.in("a"));
  const auto second = open_again(folder.in("a"));
  EXPECT_TRUE(*first->try_lock(LockMode::shared));
  EXPECT_TRUE(*second->try_lock(LockMode::shared));
  EXPECT_FALSE(*first->try_lock(LockMode::exclusive));
  EXPECT_TRUE(*second->try_lock(LockMode::exclusive)) << "the failed conversion gave up the shared lock";
  EXPECT_TRUE(*second->try_lock(LockMode::shared));
  EXPECT_TRUE(*first->try_lock(LockMode::shared));
  second->unlock();
  second->unlock();
  EXPECT_TRUE(*first->try_lock(LockMode::exclusive));
  EXPECT_TRUE(*second->try_lock_byte(0, LockMode::exclusive)) << "the two kinds of lock do not meet";
}

}  // namespace
}  // namespace utan::os
