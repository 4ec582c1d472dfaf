// Shows what an access to a page that is gone becomes: zeroes and a word that says so, and nothing else; and that faults of
// others go where they went before.
#include "os/linux/fault.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <thread>
#include <vector>

#include "os/os.h"
#include "support/store_fixture.h"

namespace utan::os::linux_os {
namespace {

constexpr std::size_t page = 4096;
constexpr std::size_t page_count = 64;

// A file of `page_count` pages of ones, mapped with as much again behind it.
class FaultTest : public ::testing::Test {
 protected:
  void SetUp() override {
    path_ = folder_.path("file");
    file_ = linux_system().open(path_, Access::read_write, Creation::create_new, 0600).value();
    ASSERT_TRUE(file_->allocate(ByteCount{page_count * page}).ok());
    map_ = file_->map(ByteCount{2 * page_count * page}, Access::read_write).value();
    std::fill_n(map_->data(), page_count * page, std::byte{1});
    map_->watch(&word_);
  }
  void cut(std::size_t pages) { ASSERT_EQ(::truncate(path_.c_str(), static_cast<off_t>(pages * page)), 0); }
  // A child has none of its parent's files.
  std::unique_ptr<Mapping> map_in_child() {
    const auto file = linux_system().open(path_, Access::read_write, Creation::existing, 0).value();
    return file->map(ByteCount{page_count * page}, Access::read_write).value();
  }
  int at(std::size_t index) {
    return std::to_integer<int>(*const_cast<volatile std::byte*>(map_->data() + index * page));
  }

  test::TemporaryFolder folder_;
  std::string path_;
  std::unique_ptr<File> file_;
  std::unique_ptr<Mapping> map_;
  std::atomic<std::uint64_t> word_{1};
};

// Runs `body` in a child; answers the signal that ended it, or its exit code, negative.
template <class Body>
int end_of_child(Body body) {
  const pid_t child = ::fork();
  if (child == 0) {
    body();
    ::_exit(0);
  }
  int status = 0;
  EXPECT_EQ(::waitpid(child, &status, 0), child);
  return WIFSIGNALED(status) ? WTERMSIG(status) : -WEXITSTATUS(status);
}

TEST_F(FaultTest, APageThatIsGoneReadsAsZeroes) {
  cut(10);
  EXPECT_EQ(at(9), 1);
  EXPECT_FALSE(map_->is_lost());
  EXPECT_EQ(at(10), 0);
  EXPECT_TRUE(map_->is_lost());
  EXPECT_EQ(word_.load(), 0u);
  EXPECT_EQ(at(9), 1) << "what is there stays";
  for (std::size_t i = 10; i < 2 * page_count; ++i) EXPECT_EQ(at(i), 0) << i;
  *(map_->data() + 20 * page) = std::byte{7};
  EXPECT_EQ(at(20), 7) << "this process's own";
}

TEST_F(FaultTest, BeyondTheEndToo) {
  EXPECT_EQ(at(page_count), 0);
  EXPECT_TRUE(map_->is_lost());
}

TEST_F(FaultTest, IsLostWhereThatIsSaid) {
  map_->lose();
  EXPECT_TRUE(map_->is_lost());
  EXPECT_EQ(word_.load(), 0u);
  EXPECT_EQ(at(9), 1) << "what is there stays";
}

TEST_F(FaultTest, ManyThreadsAtOnce) {
  cut(0);
  std::vector<std::thread> threads;
  std::atomic<int> sum{0};
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&] {
      for (std::size_t i = 0; i < page_count; ++i) sum += at(i);
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(sum.load(), 0);
  EXPECT_TRUE(map_->is_lost());
}

TEST_F(FaultTest, APlaceIsUsedAgain) {
  cut(0);
  EXPECT_EQ(at(0), 0);
  map_ = nullptr;
  std::unique_ptr<File> other =
      linux_system().open(folder_.path("other"), Access::read_write, Creation::create_new, 0600).value();
  ASSERT_TRUE(other->allocate(ByteCount{page}).ok());
  const std::unique_ptr<Mapping> map = other->map(ByteCount{page}, Access::read_write).value();
  EXPECT_FALSE(map->is_lost());
}

// A file that nobody looks after.
volatile char* foreign_page() {
  std::FILE* const file = std::tmpfile();
  return static_cast<volatile char*>(::mmap(nullptr, page, PROT_READ, MAP_SHARED, ::fileno(file), 0));
}

TEST_F(FaultTest, AFaultOfOthersEndsTheProcessAsBefore) {
#if defined(__SANITIZE_ADDRESS__)
  const int expected = -1;  // whose own handler was there first, and reports it
#else
  const int expected = SIGBUS;
#endif
  EXPECT_EQ(end_of_child([] { static_cast<void>(foreign_page()[0]); }), expected);
  EXPECT_EQ(end_of_child([] { ::raise(SIGBUS); }), expected) << "one that is sent, too";
}

TEST_F(FaultTest, AnEarlierHandlerIsCalledForTheFaultsOfOthers) {
  EXPECT_EQ(end_of_child([this] {
              struct sigaction earlier = {};
              earlier.sa_handler = [](int) { ::_exit(42); };
              ::sigaction(SIGBUS, &earlier, nullptr);
              // It is set behind ours when the next file is mapped.
              const std::unique_ptr<Mapping> map = map_in_child();
              if (::truncate(path_.c_str(), 0) != 0) ::_exit(1);
              if (std::to_integer<int>(*const_cast<volatile std::byte*>(map->data())) != 0) ::_exit(2);
              static_cast<void>(foreign_page()[0]);
            }),
            -42);
}

// One that calls what was there before it, which is ours.
void (*passed_to)(int, siginfo_t*, void*) = nullptr;

TEST_F(FaultTest, ALaterHandlerThatPassesOnIsNoCircle) {
  EXPECT_EQ(end_of_child([this] {
              struct sigaction before = {};
              struct sigaction later = {};
              later.sa_flags = SA_SIGINFO;
              later.sa_sigaction = [](int number, siginfo_t* info, void* context) { passed_to(number, info, context); };
              ::sigaction(SIGBUS, &later, &before);
              passed_to = before.sa_sigaction;
              if (::truncate(path_.c_str(), 0) != 0) ::_exit(1);
              if (at(0) != 0) ::_exit(2);  // through the later one
              const std::unique_ptr<Mapping> map = map_in_child();
              if (std::to_integer<int>(*const_cast<volatile std::byte*>(map->data())) != 0) ::_exit(3);
              static_cast<void>(foreign_page()[0]);  // ours, the later one, ours again: nobody wants it
            }),
            SIGBUS);
}

}  // namespace
}  // namespace utan::os::linux_os
