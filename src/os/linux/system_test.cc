// Shows: clocks run, sleep is not cut short by signals, boots are named and randomness is random; a futex in shared
// memory wakes another process; a fork is noticed by the sentinel and by the handler.
// Labels: small
#include "os/linux/system.h"

#include <sys/mman.h>
#include <sys/time.h>

#include <new>
#include <set>

#include "os/linux/testing.h"

namespace utan::os {
namespace {

using testing::succeeded;
using testing::TestChild;
using testing::TestPipe;

TEST(LinuxSystem, ClocksRunForwards) {
  System& system = linux_system();
  const auto first = system.monotonic_now();
  EXPECT_LE(first, system.monotonic_now());
  EXPECT_GT(first, Nanoseconds{0});
  // Some day of 2020 and later, in nanoseconds.
  EXPECT_GT(system.wall_now(), Nanoseconds{1'577'836'800'000'000'000});
}

TEST(LinuxSystem, SleepIsNotCutShortBySignals) {
  ::signal(SIGALRM, [](int) {});
  const itimerval often = {{0, 1000}, {0, 1000}};
  ASSERT_EQ(::setitimer(ITIMER_REAL, &often, nullptr), 0);
  const auto start = linux_system().monotonic_now();
  linux_system().sleep(milliseconds(20));
  const auto elapsed = linux_system().monotonic_now() - start;
  const itimerval never = {};
  ASSERT_EQ(::setitimer(ITIMER_REAL, &never, nullptr), 0);
  ::signal(SIGALRM, SIG_DFL);
  EXPECT_GE(elapsed, milliseconds(20));
}

TEST(LinuxSystem, TheBootHasOneName) {
  const auto id = linux_system().boot_id();
  if (!id.has_value()) GTEST_SKIP() << "no boot id here";
  EXPECT_NE(*id, BootId{});
  EXPECT_EQ(id, linux_system().boot_id());
}

TEST(LinuxSystem, RandomBytesDiffer) {
  std::set<std::uint64_t> seen;
  for (int i = 0; i < 64; ++i) {
    std::uint64_t word = 0;
    ASSERT_TRUE(succeeded(linux_system().random(std::as_writable_bytes(std::span(&word, 1)))));
    EXPECT_TRUE(seen.insert(word).second);
  }
  EXPECT_TRUE(succeeded(linux_system().random({})));
}

// A word in memory that children share.
class SharedWord {
 public:
  SharedWord() {
    page_ = ::mmap(nullptr, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (page_ == MAP_FAILED) std::abort();
    word_ = new (page_) std::atomic<std::uint32_t>(0);
  }
  SharedWord(const SharedWord&) = delete;
  SharedWord& operator=(const SharedWord&) = delete;
  ~SharedWord() { ::munmap(page_, 4096); }
  std::atomic<std::uint32_t>& operator*() const { return *word_; }

 private:
  void* page_;
  std::atomic<std::uint32_t>* word_;
};

TEST(LinuxSystem, AFutexWakesAnotherProcess) {
  const SharedWord word;
  TestPipe ready;
  TestChild child([&] {
    ready.signal();
    // Far longer than the test may last: only the wake, or the changed word, ends it.
    while ((*word).load() == 0) linux_system().futex_wait(*word, 0, milliseconds(3'600'000));
    return (*word).load() == 1;
  });
  ASSERT_TRUE(ready.wait());
  (*word).store(1);
  linux_system().futex_wake_all(*word);
  EXPECT_TRUE(child.join());
}

TEST(LinuxSystem, AFutexWaitEndsByItselfAndAtOnceIfTheWordIsAnother) {
  std::atomic<std::uint32_t> word{5};
  const auto start = linux_system().monotonic_now();
  linux_system().futex_wait(word, 5, milliseconds(5));
  EXPECT_GE(linux_system().monotonic_now() - start, milliseconds(4));
  linux_system().futex_wait(word, 4, milliseconds(3'600'000));
  linux_system().futex_wait(word, 5, Nanoseconds{0});
}

TEST(LinuxSystem, TheSentinelIsZeroInAForkedChildAlone) {
  const auto sentinel = linux_system().fork_sentinel();
  ASSERT_TRUE(succeeded(sentinel));
  EXPECT_NE(sentinel.value()->word().load(), 0U);
  TestChild child([&] {
    if (sentinel.value()->word().load() != 0) return false;
    // The child's own is set again, and zero in a child of the child.
    const auto own = linux_system().fork_sentinel();
    if (!own.ok() || own.value()->word().load() == 0) return false;
    TestChild grandchild([&] { return own.value()->word().load() == 0; });
    return grandchild.join() && own.value()->word().load() != 0;
  });
  EXPECT_TRUE(child.join());
  EXPECT_NE(sentinel.value()->word().load(), 0U);
}

// What the handler below counts: handlers have no argument.
std::atomic<int> forks_seen{0};

TEST(LinuxSystem, TheHandlerRunsInTheChildBeforeForkReturns) {
  ASSERT_TRUE(succeeded(linux_system().at_fork_in_child([] { forks_seen.fetch_add(1); })));
  TestChild child([] { return forks_seen.load() == 1; });
  EXPECT_TRUE(child.join());
  EXPECT_EQ(forks_seen.load(), 0);
}

TEST(LinuxSystem, TheProcessIdIsThatOfTheProcess) {
  const auto own = linux_system().process_id();
  TestChild child([own] { return linux_system().process_id() != own; });
  EXPECT_TRUE(child.join());
}

}  // namespace
}  // namespace utan::os
