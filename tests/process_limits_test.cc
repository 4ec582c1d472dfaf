// Shows what a user meets at the limits of his process and of his quota while a store grows: NoSpace that says which limit it
// is, what was committed is read, removing works, and when the limit is raised writing goes on. odd_users_test.cc shows the
// limits that are met on opening.
// Labels: plain
// Timeout: 120 s
#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/syscall.h>

#include <atomic>
#include <cerrno>
#include <cstring>
#include <fstream>

#include "support/users_fixture.h"

namespace {
// How long a file may be by the quota that this test plays.
std::atomic<off_t> quota{0};
}  // namespace

// In the place of the C library's, so that the real system layer meets a quota also where no file system with one can be made.
extern "C" int fallocate(int descriptor, int mode, off_t from, off_t size) {
  const off_t most = quota.load(std::memory_order_relaxed);
  if (most != 0 && from + size > most) {
    struct stat now = {};
    if (::fstat(descriptor, &now) == 0 && now.st_size < from + size) {
      errno = EDQUOT;
      return -1;
    }
  }
  return static_cast<int>(::syscall(SYS_fallocate, descriptor, mode, from, size));
}

namespace utan::attaching {
namespace {

constexpr std::uint64_t mebibyte = std::uint64_t{1} << 20;

void apart(const std::function<void()>& body) {
  TestChild child([&] {
    body();
    return !::testing::Test::HasFailure();
  });
  EXPECT_TRUE(child.join());
}

// The soft limit alone, so that it can be raised again.
void limit(int what, rlim_t most) {
  rlimit limits = {};
  ASSERT_EQ(::getrlimit(static_cast<__rlimit_resource_t>(what), &limits), 0);
  limits.rlim_cur = most;
  ASSERT_EQ(::setrlimit(static_cast<__rlimit_resource_t>(what), &limits), 0) << std::strerror(errno);
}

// How many bytes of addresses this process has in use.
std::uint64_t addresses_in_use() {
  std::ifstream file("/proc/self/statm");
  std::uint64_t pages = 0;
  file >> pages;
  EXPECT_GT(pages, 0U);
  return pages * static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
}

std::string text_of(std::uint64_t key, std::uint64_t size) {
  return std::string(size, static_cast<char>('a' + key % 26));
}

// Puts values of this size until there is no room for one more. How many there are then; the error says `what` and `path`.
std::uint64_t fill(const Store& store, std::uint64_t size, const std::string& path, const char* what) {
  const auto table = test::open_table(store, "filled");
  for (std::uint64_t key = 0;; ++key) {
    const Result<bool> put =
        table->put(test::bytes(std::to_string(key)), test::bytes(text_of(key, size)), object::Table::Put::always);
    if (put.ok()) continue;
    EXPECT_EQ(put.code(), Code::no_space) << put.error().message();
    EXPECT_NE(put.error().message().find(what), std::string::npos) << put.error().message();
    EXPECT_NE(put.error().message().find(path), std::string::npos) << put.error().message();
    return key;
  }
}

void expect_filled(const Store& store, std::uint64_t from, std::uint64_t to, std::uint64_t size) {
  const auto table = test::open_table(store, "filled");
  EXPECT_EQ(table->count()->value, to - from);
  for (std::uint64_t key = from; key < to; ++key)
    ASSERT_EQ(test::get(*table, std::to_string(key)), text_of(key, size)) << key;
}

// At a limit: everything is read, half is removed, and what it gives back is used again. `raise` lifts the limit.
void go_on_at_the_limit(const Store& store, std::uint64_t count, std::uint64_t size,
                        const std::function<void()>& raise) {
  expect_filled(store, 0, count, size);
  const auto table = test::open_table(store, "filled");
  const std::uint64_t half = count / 2;
  for (std::uint64_t key = 0; key < half; ++key) EXPECT_TRUE(test::erase(*table, std::to_string(key))) << key;
  expect_filled(store, half, count, size);
  EXPECT_TRUE(store.sync().ok());
  test::put(*table, std::to_string(count), text_of(count, size));
  expect_filled(store, half, count + 1, size);
  raise();
  for (std::uint64_t key = count + 1; key < 2 * count + 2; ++key)
    test::put(*table, std::to_string(key), text_of(key, size));
  expect_filled(store, half, 2 * count + 2, size);
  EXPECT_EQ(test::walk(store).problem_count, 0U);
}

TEST_F(Attach, AtTheLengthThatAFileMayHave) {
  apart([this] {
    auto store = test::open_store(path_, {.chunk_size = format::chunk_size_min});
    put_in(*store, "k", "v");
    ASSERT_EQ(::signal(SIGXFSZ, SIG_DFL), SIG_DFL) << "nobody has set a handler: the signal would end this process";
    limit(RLIMIT_FSIZE, 3 * mebibyte);
    const std::uint64_t count = fill(*store, 20'000, path_, "ulimit -f");
    EXPECT_GT(count, 50U);
    go_on_at_the_limit(*store, count, 20'000, [] { limit(RLIMIT_FSIZE, RLIM_INFINITY); });
    close(std::move(store));
  });
  EXPECT_EQ(get_from(path_, "k"), "v");
}

TEST_F(Attach, LargeValuesInAFileThatIsLongerThanAProcessMayMakeOne) {
  constexpr std::uint64_t size = 500'000;
  apart([this] {
    auto store = test::open_store(path_);
    const auto table = test::open_table(*store, "filled");
    for (std::uint64_t key = 0; key < 20; ++key) test::put(*table, std::to_string(key), text_of(key, size));
    for (std::uint64_t key = 10; key < 20; ++key) EXPECT_TRUE(test::erase(*table, std::to_string(key)));
    // The system writes no byte beyond it, and what is free lies there.
    limit(RLIMIT_FSIZE, mebibyte);
    for (std::uint64_t key = 10; key < 15; ++key) test::put(*table, std::to_string(key), text_of(key, size));
    expect_filled(*store, 0, 15, size);
    EXPECT_EQ(test::walk(*store).problem_count, 0U);
  });
}

TEST_F(Attach, AtAQuota) {
  apart([this] {
    auto store = test::open_store(path_, {.chunk_size = format::chunk_size_min});
    put_in(*store, "k", "v");
    quota = static_cast<off_t>(3 * mebibyte);
    const std::uint64_t count = fill(*store, 20'000, path_, "quota");
    EXPECT_GT(count, 50U);
    go_on_at_the_limit(*store, count, 20'000, [] { quota = 0; });
    close(std::move(store));
  });
  EXPECT_EQ(get_from(path_, "k"), "v");
}

TEST_F(Attach, NothingHalfMadeIsLeftAtAQuota) {
  apart([this] {
    quota = 4096;
    expect_refused(path_, {}, Code::no_space, "quota");
    EXPECT_EQ(names_in(folder_.path("")), 0U);
    quota = 0;
    put_in(path_, "k", "v");
  });
  EXPECT_EQ(get_from(path_, "k"), "v");
}

TEST_F(Attach, AtTheAddressesThatAProcessMayHave) {
  constexpr std::uint64_t size = 500'000;
  apart([this] {
    commit::OpenOptions narrow;
    narrow.reservation = 16 * mebibyte;
    auto store = test::open_store(path_, narrow);
    put_in(*store, "k", "v");
    // More than was reserved, and less than all that it could be.
    limit(RLIMIT_AS, addresses_in_use() + 64 * mebibyte);
    const std::uint64_t count = fill(*store, size, path_, "ulimit -v");
    EXPECT_GT(store->statistics()->file_size.value, 16 * mebibyte) << "it has outgrown what was reserved";
    go_on_at_the_limit(*store, count, size, [] { limit(RLIMIT_AS, RLIM_INFINITY); });
    close(std::move(store));
  });
  EXPECT_EQ(get_from(path_, "k"), "v");
}

// The limit is for all that a process has: a store that takes most of it opens, too.
TEST_F(Attach, AStoreOfMostOfTheAddressesThatAProcessMayHave) {
  constexpr std::uint64_t size = 5 * mebibyte;
  constexpr std::uint64_t count = 20;
  {
    const auto store = test::open_store(path_);
    const auto table = test::open_table(*store, "filled");
    for (std::uint64_t key = 0; key < count; ++key) test::put(*table, std::to_string(key), text_of(key, size));
  }
  apart([this] {
    // Beside the store there is room for the lock file, which takes 210 MiB, and little more; a quarter is less than the store.
    const std::uint64_t file_size = std::filesystem::file_size(path_);
    const std::uint64_t most = addresses_in_use() + file_size + 250 * mebibyte;
    ASSERT_GT(file_size, most / 4);
    limit(RLIMIT_AS, most);
    auto store = test::open_store(path_, with_mode(OpenMode::existing));
    ASSERT_NE(store, nullptr);
    expect_filled(*store, 0, count, size);
    put_in(*store, "k", "v");
    close(std::move(store));
  });
  EXPECT_EQ(get_from(path_, "k"), "v");
}

// Others make a store longer than this process can see: it says so, and sees all again when it may.
TEST_F(Attach, AStoreThatOthersMakeLongerThanAProcessHasAddresses) {
  constexpr std::uint64_t size = 500'000;
  constexpr std::uint64_t count = 60;
  put_in(path_, "k", "v");
  Neighbour writer([this](Neighbour& self) {
    auto store = test::open_store(path_);
    self.pause();
    const auto table = test::open_table(*store, "filled");
    for (std::uint64_t key = 0; key < count; ++key) test::put(*table, std::to_string(key), text_of(key, size));
    self.pause();
    close(std::move(store));
  });
  ASSERT_TRUE(writer.paused());
  apart([&] {
    commit::OpenOptions narrow;
    narrow.reservation = 16 * mebibyte;
    auto store = test::open_store(path_, narrow);
    EXPECT_EQ(get_from(*store, "k"), "v");
    const auto before = store->snapshot().value();
    limit(RLIMIT_AS, addresses_in_use() + 2 * mebibyte);
    writer.go_on();
    ASSERT_TRUE(writer.paused());
    const auto expect_no_addresses = [&](const auto& result) {
      ASSERT_EQ(result.code(), Code::no_space) << (result.ok() ? "no error" : result.error().message());
      EXPECT_NE(result.error().message().find("ulimit -v"), std::string::npos) << result.error().message();
      EXPECT_NE(result.error().message().find(path_), std::string::npos) << result.error().message();
    };
    expect_no_addresses(store->table("t", false));
    expect_no_addresses(store->snapshot());
    expect_no_addresses(store->sync());
    EXPECT_EQ(get_from(*before, "k"), "v") << "what it had before it has";
    limit(RLIMIT_AS, RLIM_INFINITY);
    expect_filled(*store, 0, count, size);
    put_in(*store, "k", "w");
    close(std::move(store));
  });
  writer.go_on();
  EXPECT_TRUE(writer.ended_well());
  EXPECT_EQ(get_from(path_, "k"), "w");
}

}  // namespace
}  // namespace utan::attaching
