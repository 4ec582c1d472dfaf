// Shows what becomes of processes that have a store open whose file, or whose lock file, somebody makes shorter: every thread
// gets errors from then on, none a crash or a wait; what is left of the file is not written to any more; closing says so, and
// so does the next to open it.
// Labels: small
// Timeout: 120 s
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <functional>
#include <random>
#include <thread>
#include <utility>

#include "base/check.h"
#include "base/step.h"
#include "object/container.h"
#include "object/iterator.h"
#include "os/linux/testing.h"
#include "support/store_fixture.h"

namespace {
// Called before large values are written.
std::function<void(off_t)> before_write;
}  // namespace

// In the place of the C library's.
extern "C" ssize_t pwrite(int descriptor, const void* bytes, std::size_t size, off_t from) {
  if (before_write && size >= utan::heap::Heap::written_min) before_write(from);
  return ::syscall(SYS_pwrite64, descriptor, bytes, size, from);
}

namespace utan {
namespace {

using format::ContainerType;
using format::Value;
using object::Container;
using object::Data;

constexpr int key_count = 5000;
constexpr int reader_count = 2;
constexpr auto patience = std::chrono::seconds(20);

// What a child ends with.
enum Outcome : int { as_expected = 0, not_opened = 1, no_error = 2, other_error = 3, closed_as_if_well = 4 };

Data document(int number) {
  Data out;
  EXPECT_TRUE(out.begin(ContainerType::dict).ok());
  EXPECT_TRUE(out.add(Value::string("name")).ok());
  EXPECT_TRUE(out.add(Value::string(std::string(100, static_cast<char>('a' + number % 26)))).ok());
  EXPECT_TRUE(out.end().ok());
  return out;
}

// Works until there is an error, and answers its code; Code::ok if there is none for long.
template <class Work>
Code until_error(Work work) {
  const ExpectDamage expected;
  const auto end = std::chrono::steady_clock::now() + patience;
  while (std::chrono::steady_clock::now() < end) {
    const Error error = work();
    if (!error.ok()) return error.code();
  }
  return Code::ok;
}

Error read_all(const object::Store& store) {
  const std::unique_ptr<Container> root = store.root();
  Result<std::string> text = root->to_json({});
  return text.ok() ? Error{} : std::move(text).error();
}

Error write_some(const object::Store& store, std::mt19937_64& random) {
  const std::unique_ptr<Container> root = store.root();
  const Data data = document(static_cast<int>(random() % 26));
  object::Input input(data);
  Result<void> done = root->set(Value::integer(static_cast<std::int64_t>(random() % key_count)), input);
  return done.ok() ? Error{} : std::move(done).error();
}

// The body of a child: works on the store in several threads until each has got its error.
Outcome work_until_lost(const std::string& path, std::uint64_t seed, int ready) {
  const ExpectDamage expected;
  Result<std::unique_ptr<object::Store>> opened = object::Store::open(os::linux_system(), path, {});
  if (!opened.ok()) return not_opened;
  const object::Store& store = **opened;
  std::array<Code, reader_count + 1> codes{};
  std::vector<std::thread> threads;
  for (int i = 0; i < reader_count; ++i)
    threads.emplace_back([&, i] { codes[static_cast<std::size_t>(i)] = until_error([&] { return read_all(store); }); });
  threads.emplace_back([&] {
    std::mt19937_64 random(seed);
    codes.back() = until_error([&] { return write_some(store, random); });
  });
  if (::write(ready, "x", 1) != 1) return not_opened;
  for (std::thread& thread : threads) thread.join();
  for (const Code code : codes) {
    if (code == Code::ok) return no_error;
    if (code != Code::corruption) return other_error;
  }
  // From now on everything says so.
  if (read_all(store).code() != Code::corruption || store.sync().code() != Code::corruption) return no_error;
  return object::Store::close(std::move(opened).value()).ok() ? closed_as_if_well : as_expected;
}

class LostFileTest : public ::testing::Test {
 protected:
  void SetUp() override {
    path_ = folder_.path("store");
    const std::unique_ptr<object::Store> store = test::open_store(path_);
    ASSERT_NE(store, nullptr);
    // With room for what is written later: growing at the very moment of the cut would make the file longer again.
    for (int i = 0; i < 4 * key_count; ++i) {
      const Data data = document(i);
      object::Input input(data);
      ASSERT_TRUE(store->root()->set(Value::integer(i), input).ok());
    }
    for (int i = key_count; i < 4 * key_count; ++i) ASSERT_TRUE(store->root()->erase(Value::integer(i)).ok());
  }

  // Two processes at work when `harm` is done.
  template <class Harm>
  void expect_errors(std::uint64_t seed, Harm harm) {
    int ready[2];
    ASSERT_EQ(::pipe(ready), 0);
    std::array<pid_t, 2> children{};
    for (pid_t& child : children) {
      child = ::fork();
      if (child == 0) ::_exit(work_until_lost(path_, seed, ready[1]));
    }
    char byte;
    for (std::size_t i = 0; i < children.size(); ++i) ASSERT_EQ(::read(ready[0], &byte, 1), 1);
    harm();
    for (const pid_t child : children) {
      int status = 0;
      ASSERT_EQ(::waitpid(child, &status, 0), child);
      EXPECT_TRUE(WIFEXITED(status)) << "ended by signal " << WTERMSIG(status);
      EXPECT_EQ(WEXITSTATUS(status), as_expected);
    }
    ::close(ready[0]);
    ::close(ready[1]);
  }

  std::uint64_t size_of(const std::string& path) {
    struct stat status = {};
    EXPECT_EQ(::stat(path.c_str(), &status), 0);
    return static_cast<std::uint64_t>(status.st_size);
  }

  test::TemporaryFolder folder_;
  std::string path_;
};

TEST_F(LostFileTest, TheDataFileIsCut) {
  UTAN_SEEDED(seed);
  std::mt19937_64 random(seed);
  const std::uint64_t whole = size_of(path_);
  // To nothing, to its header, into the middle; each time of a store as it was.
  for (const std::uint64_t size : {std::uint64_t{0}, std::uint64_t{4096}, random() % whole, whole / 2, whole / 8}) {
    SCOPED_TRACE("cut to " + std::to_string(size) + " of " + std::to_string(whole) + " bytes");
    std::filesystem::copy_file(path_, folder_.path("kept"));
    expect_errors(seed, [&] { ASSERT_EQ(::truncate(path_.c_str(), static_cast<off_t>(size)), 0); });
    EXPECT_LE(size_of(path_), whole) << "nobody made it longer again";
    const Result<std::unique_ptr<object::Store>> opened = object::Store::open(os::linux_system(), path_, {});
    EXPECT_TRUE(opened.code() == Code::corruption || opened.code() == Code::format) << static_cast<int>(opened.code());
    std::filesystem::remove(path_ + "-lock");
    std::filesystem::rename(folder_.path("kept"), path_);
    const std::unique_ptr<object::Store> again = test::open_store(path_);
    ASSERT_NE(again, nullptr);
    EXPECT_EQ(test::walk(*again).problem_count, 0u);
  }
}

TEST_F(LostFileTest, TheLockFileIsCut) {
  UTAN_SEEDED(seed);
  expect_errors(seed, [&] { ASSERT_EQ(::truncate((path_ + "-lock").c_str(), 0), 0); });
  const std::unique_ptr<object::Store> again = test::open_store(path_);
  ASSERT_NE(again, nullptr) << "that is as after a power cut";
  EXPECT_EQ(test::walk(*again).problem_count, 0u);
}

// What is cut off is free, so that no access finds it missing: a value that the system writes for us must not bring it back.
TEST_F(LostFileTest, ALargeValueIsWrittenToAFileThatIsCut) {
  constexpr std::uint64_t value_size = 100'000;
  os::testing::TestChild child([&] {
    const std::unique_ptr<object::Store> store = test::open_store(path_);
    const auto table = test::open_table(*store, "large");
    for (int i = 0; i < 20; ++i) test::put(*table, std::to_string(i), std::string(value_size, 'a'));
    for (int i = 0; i < 20; ++i) EXPECT_TRUE(test::erase(*table, std::to_string(i)));
    EXPECT_TRUE(store->sync().ok());
    // What was erased is used again from now on, so that the file does not grow: that would say it, too.
    std::uint64_t steady = 0;
    for (int same = 0; same < 5;) {
      test::put(*table, "k", std::string(value_size, 'a'));
      const std::uint64_t now = store->statistics()->file_size.value;
      same = now == std::exchange(steady, now) ? same + 1 : 0;
    }
    const std::uint64_t size = steady - value_size;
    EXPECT_EQ(::truncate(path_.c_str(), static_cast<off_t>(size)), 0);
    const Result<bool> put =
        table->put(test::bytes("k"), test::bytes(std::string(value_size, 'b')), object::Table::Put::always);
    EXPECT_EQ(put.code(), Code::corruption);
    EXPECT_NE(put.error().message().find("made shorter"), std::string::npos) << put.error().message();
    EXPECT_EQ(size_of(path_), size);
    return !HasFailure();
  });
  EXPECT_TRUE(child.join());
}

// The write makes the file longer again, with zeroes that no access finds missing, before it can be seen that it was cut.
TEST_F(LostFileTest, ALargeValueIsBeingWrittenWhenTheFileIsCut) {
  const std::string value(100'000, 'a');
  const std::string path = folder_.path("other");
  os::testing::TestChild child([&] {
    const std::unique_ptr<object::Store> store = test::open_store(path);
    const auto table = test::open_table(*store, "large");
    // All that leads to the value has a place before it.
    for (int i = 0; i < 100; ++i) test::put(*table, "small", "value");
    off_t written = 0;
    before_write = [&](off_t from) { written = from; };
    test::put(*table, "k", value);
    before_write = [&](off_t from) {
      EXPECT_GT(from, written) << "behind what is cut";
      EXPECT_EQ(::truncate(path.c_str(), written), 0);
    };
    const Result<bool> put = table->put(test::bytes("other"), test::bytes(value), object::Table::Put::always);
    EXPECT_EQ(put.code(), Code::corruption);
    EXPECT_GT(size_of(path), static_cast<std::uint64_t>(written)) << "it is longer again";
    object::Value read;
    const Result<bool> got = table->get(test::bytes("k"), read);
    EXPECT_EQ(got.code(), Code::corruption) << "zeroes are no answer";
    EXPECT_TRUE(got.ok() || got.error().message().find("made the file shorter") != std::string::npos)
        << got.error().message();
    return !HasFailure();
  });
  EXPECT_TRUE(child.join());
}

#if defined(UTAN_STEPS) && UTAN_STEPS
// What a commit was built of may have been zeroes.
TEST_F(LostFileTest, WhatIsBuiltWhileTheFileIsCutIsNotCommitted) {
  os::testing::TestChild child([&] {
    const std::unique_ptr<object::Store> store = test::open_store(path_);
    const auto table = test::open_table(*store, "t");
    test::put(*table, "k", "before");
    const heap::Heap& heap = store->attachment().session().value()->heap();
    const std::uint64_t head = heap.coordination().fixed().head.load();
    // Cut at the last step before the commit, and looked at there.
    struct Cut {
      std::string path;
      std::uint64_t size;
      const std::byte* behind;
    } cut{path_, size_of(path_) - format::page_size, heap.base() + size_of(path_) - 1};
    step_hook = {[](void* context, Step at) {
                   if (at != Step::build_commit_block_written) return;
                   const Cut& it = *static_cast<Cut*>(context);
                   EXPECT_EQ(::truncate(it.path.c_str(), static_cast<off_t>(it.size)), 0);
                   const std::byte seen = *static_cast<const volatile std::byte*>(it.behind);
                   EXPECT_EQ(seen, std::byte{0});
                 },
                 &cut};
    const Result<bool> put = table->put(test::bytes("k"), test::bytes("after"), object::Table::Put::always);
    step_hook = {};
    EXPECT_EQ(put.code(), Code::corruption);
    EXPECT_EQ(heap.coordination().fixed().head.load(), head);
    return !HasFailure();
  });
  EXPECT_TRUE(child.join());
}
#endif

}  // namespace
}  // namespace utan
