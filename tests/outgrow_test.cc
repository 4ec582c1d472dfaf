// Shows that a store may outgrow the addresses that were reserved for it, in processes that make it longer and in those that
// only look: what was found before goes on being valid, and everything new is seen.
// Labels: tsan small
// Timeout: 120 s
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <random>
#include <thread>

#include "object/container.h"
#include "object/iterator.h"
#include "object/table_get.h"
#include "support/store_fixture.h"

namespace utan {
namespace {

using format::Value;
using object::Container;

// One region; a store of that size fits, and is soon longer.
constexpr std::uint64_t reservation = 16 << 20;
constexpr std::int64_t writes_per_thread = 6000;

commit::OpenOptions narrow() {
  commit::OpenOptions options;
  options.reservation = reservation;
  return options;
}

std::string value_of(std::int64_t key) { return std::string(5000, static_cast<char>('a' + key % 26)); }

void write_range(const object::Store& store, std::int64_t from, std::int64_t to) {
  const std::unique_ptr<Container> root = store.root();
  for (std::int64_t key = from; key < to; ++key) {
    const std::string text = value_of(key);
    object::Input input(Value::string(text));
    const Result<void> done = root->set(Value::integer(key), input);
    ASSERT_TRUE(done.ok()) << done.error().message();
  }
}

void expect_range(const Container& root, std::int64_t from, std::int64_t to) {
  for (std::int64_t key = from; key < to; ++key) {
    object::Loan loan;
    const Result<bool> found = root.get(Value::integer(key), loan);
    ASSERT_TRUE(found.ok()) << found.error().message();
    ASSERT_TRUE(*found) << key;
    ASSERT_EQ(test::text(loan.value().bytes), value_of(key));
  }
}

TEST(Outgrow, WhatWasFoundBeforeStaysAndWhatIsNewIsSeen) {
  const test::TemporaryFolder folder;
  const std::unique_ptr<object::Store> store = test::open_store(folder.path("store"), narrow());
  ASSERT_NE(store, nullptr);
  write_range(*store, 0, 100);
  const std::unique_ptr<Container> root = store->root();
  object::Loan lent;
  ASSERT_TRUE(root->get(Value::integer(7), lent).value());
  const std::unique_ptr<object::Store> before = store->snapshot().value();
  write_range(*store, 100, 8000);
  const heap::Heap& heap = store->attachment().session().value()->heap();
  EXPECT_GT(heap.file_size().value, reservation) << "it has to be longer than what was reserved";
  EXPECT_EQ(test::text(lent.value().bytes), value_of(7));
  EXPECT_EQ(before->root()->count()->value, 100u);
  expect_range(*before->root(), 0, 100);
  expect_range(*root, 0, 8000);
  lent = object::Loan();
  EXPECT_EQ(test::walk(*store).problem_count, 0u);
}

// Takes snapshots and reads all of each, until it is over.
void read_until(const object::Store& store, const std::atomic<bool>& over) {
  while (!over.load(std::memory_order_acquire)) {
    const std::unique_ptr<object::Store> then = store.snapshot().value();
    const std::uint64_t count = then->root()->count()->value;
    const Result<std::string> text = then->root()->to_json({});
    ASSERT_TRUE(text.ok()) << text.error().message();
    ASSERT_GE(text->size(), count * value_of(0).size());
  }
}

TEST(Outgrow, InSeveralThreads) {
  const test::TemporaryFolder folder;
  const std::unique_ptr<object::Store> store = test::open_store(folder.path("store"), narrow());
  ASSERT_NE(store, nullptr);
  std::atomic<bool> over{false};
  std::vector<std::thread> writers;
  std::thread reader([&] { read_until(*store, over); });
  for (const std::int64_t first : {std::int64_t{0}, writes_per_thread})
    writers.emplace_back([&, first] { write_range(*store, first, first + writes_per_thread); });
  for (std::thread& writer : writers) writer.join();
  over.store(true, std::memory_order_release);
  reader.join();
  expect_range(*store->root(), 0, 2 * writes_per_thread);
  EXPECT_GT(store->attachment().session().value()->heap().file_size().value, reservation);
}

// Readers of another process and of other threads, which never make it longer, while writers do.
TEST(Outgrow, InSeveralProcessesAndThreads) {
#if defined(__SANITIZE_THREAD__)
  GTEST_SKIP()
      << "a block that another process has freed looks to ThreadSanitizer as if nobody had waited for its readers";
#endif
  const test::TemporaryFolder folder;
  const std::string path = folder.path("store");
  { ASSERT_NE(test::open_store(path, narrow()), nullptr); }
  std::array<pid_t, 2> children{};
  for (std::size_t i = 0; i < children.size(); ++i) {
    children[i] = ::fork();
    if (children[i] != 0) continue;
    {
      const std::unique_ptr<object::Store> store = test::open_store(path, narrow());
      const auto first = static_cast<std::int64_t>(i) * writes_per_thread;
      std::atomic<bool> over{false};
      std::thread reader([&] { read_until(*store, over); });
      write_range(*store, first, first + writes_per_thread);
      over.store(true, std::memory_order_release);
      reader.join();
    }
    ::_exit(::testing::Test::HasFailure() ? 1 : 0);
  }
  {
    // Only looks.
    const std::unique_ptr<object::Store> store = test::open_store(path, narrow());
    const auto all = static_cast<std::uint64_t>(writes_per_thread) * children.size();
    for (std::uint64_t seen = 0; seen < all && !::testing::Test::HasFailure();) {
      const Result<Count> count = store->root()->count();
      ASSERT_TRUE(count.ok()) << count.error().message();
      ASSERT_GE(count->value, seen);
      seen = count->value;
    }
    expect_range(*store->root(), 0, static_cast<std::int64_t>(all));
    EXPECT_GT(store->attachment().session().value()->heap().file_size().value, reservation);
  }
  for (const pid_t child : children) {
    int status = 0;
    ASSERT_EQ(::waitpid(child, &status, 0), child);
    EXPECT_EQ(status, 0);
  }
  const std::unique_ptr<object::Store> store = test::open_store(path);
  EXPECT_EQ(test::walk(*store).problem_count, 0u);
}

// The newest commit's block itself lies beyond what a reader of another process has mapped.
TEST(Outgrow, ACommitBlockBeyondTheAddresses) {
  const test::TemporaryFolder folder;
  const std::string path = folder.path("store");
  const std::unique_ptr<object::Store> store = test::open_store(path, narrow());
  const std::unique_ptr<object::Table> table = test::open_table(*store, "t");
  test::put(*table, "k", "before");
  const pid_t child = ::fork();
  if (child == 0) {
    const std::unique_ptr<object::Store> own = test::open_store(path, narrow());
    write_range(*own, 0, 8000);
    // By a thread of its own, which finds no room for its commits in what was there before.
    std::thread([&] { test::put(*test::open_table(*own, "t"), "k", "after"); }).join();
    ::kill(::getpid(), SIGKILL);  // closing would commit once more, elsewhere
  }
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  ASSERT_TRUE(WIFSIGNALED(status));
  const heap::Heap& heap = store->attachment().session().value()->heap();
  ASSERT_GT(format::HeadWord{heap.coordination().fixed().head.load()}.block().value, reservation);
  object::Value value;
  EXPECT_EQ(table->get_quickly(test::bytes("k"), value), tree::Quick::unusual);
  EXPECT_EQ(test::get(*table, "k"), "after");
}

}  // namespace
}  // namespace utan
