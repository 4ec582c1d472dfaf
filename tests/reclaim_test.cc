// What one scan of the pins can say, and of which commits; that large values do not wait behind small ones, and how much
// a commit has replaced.
//
// Labels: small
#include "commit/reclaim.h"

#include <gtest/gtest.h>

#include "commit/thread.h"
#include "object/container.h"
#include "support/store_fixture.h"

namespace utan {
namespace {

TEST(Horizon, SaysNothingOfCommitsThatCameAfterIt) {
  const test::TemporaryFolder folder;
  auto store = test::open_store(folder.path("s"));
  auto table = test::open_table(*store, "t");
  test::put(*table, "k", "1");
  const auto newest = [&] { return store->statistics()->newest.value; };
  const std::uint64_t pinned = newest();
  auto snapshot = store->snapshot();
  ASSERT_TRUE(snapshot.ok());
  test::put(*table, "k", "2");
  test::put(*table, "k", "3");

  commit::Horizon horizon;
  horizon.scan(store->attachment().session().value()->heap());
  const std::uint64_t head = newest();
  ASSERT_EQ(head, pinned + 2);
  test::put(*table, "k", "4");
  test::put(*table, "k", "5");

  EXPECT_EQ(horizon.blocking(pinned, pinned + 1), pinned) << "the snapshot sees it";
  EXPECT_EQ(horizon.around(pinned + 1).newest_before, pinned);
  EXPECT_EQ(horizon.blocking(pinned + 1, pinned + 2), 0U) << "born after the snapshot, replaced before the scan";
  EXPECT_EQ(horizon.around(head).newest_before, pinned);
  // Somebody may have pinned the commits in between since.
  EXPECT_NE(horizon.blocking(head + 1, head + 2), 0U);
  EXPECT_EQ(horizon.around(head + 1).newest_before, ~std::uint64_t{0});
  EXPECT_EQ(horizon.around(head + 2).newest_before, ~std::uint64_t{0});
}

// A scan that could not read head knows of no commit at all.
TEST(Horizon, BeforeItsFirstScanSaysNothing) {
  const commit::Horizon horizon;
  EXPECT_NE(horizon.blocking(3, 7), 0U);
  EXPECT_EQ(horizon.around(7).newest_before, ~std::uint64_t{0});
}

// A pin that is about to be set protects everything: nobody knows yet on which commit.
TEST(Horizon, WhileAPinIsBeingSetNothingIsFreed) {
  const test::TemporaryFolder folder;
  auto store = test::open_store(folder.path("s"));
  auto table = test::open_table(*store, "t");
  test::put(*table, "k", "1");
  const heap::Heap& heap = store->attachment().session().value()->heap();
  const format::Coordination coordination = heap.coordination();
  commit::Thread& thread = *store->attachment().thread().value();
  const auto first_in_queue = [&] {
    std::uint64_t i = 0;
    while (coordination.line(i).queue.load() == 0) ++i;
    return coordination.line(i).queue.load();
  };
  // As a process would have it that stopped there.
  format::PinSlot& pin = coordination.line(coordination.fixed().line_count.load() - 1).pins[0];
  coordination.fixed().line_high.store(coordination.fixed().line_count.load());
  pin.number.store(format::pin_open);
  commit::Horizon horizon;
  horizon.scan(heap);
  EXPECT_TRUE(horizon.open());
  EXPECT_TRUE(horizon.is_pinned_before(1));
  const std::uint64_t first = first_in_queue();
  for (int i = 0; i < 100; ++i) test::put(*table, "k", std::to_string(i));
  ASSERT_TRUE(store->sync().ok()) << "the checkpoint before sees what they replaced";
  thread.reclaim();
  EXPECT_EQ(first_in_queue(), first);
  pin.number.store(format::pin_free);
  horizon.scan(heap);
  EXPECT_FALSE(horizon.open());
  thread.reclaim();
  EXPECT_NE(first_in_queue(), first);
}

// What a commit replaced beyond its own space stands on lists, and where these are too many, on lists of lists.
TEST(Reclaimer, CountsBlocksOnListsOfLists) {
  const test::TemporaryFolder folder;
  auto store = test::open_store(folder.path("s"));
  const auto container = store->container("c", format::ContainerType::collection, true).value();
  constexpr std::uint64_t count = 20'000;
  static_assert(count > format::replaced_max * format::list_entries_max);
  object::Data data;
  ASSERT_TRUE(data.begin(format::ContainerType::collection).ok());
  for (std::uint64_t i = 0; i < count; ++i) {
    ASSERT_TRUE(data.add(format::Value::integer(static_cast<std::int64_t>(i))).ok());
    ASSERT_TRUE(data.add(format::Value::string("value")).ok());
  }
  ASSERT_TRUE(data.end().ok());
  ASSERT_TRUE(container->update(data).ok());
  const std::uint64_t used_before = store->statistics()->heap.used.value;
  // Replaces every entry's record.
  ASSERT_TRUE(container->update(data).ok());
  const heap::Heap& heap = store->attachment().session().value()->heap();
  const format::HeadWord head{heap.coordination().fixed().head.load()};
  const auto* const newest = heap.at<format::CommitBlock>(head.block());
  const std::uint64_t remaining = commit::Reclaimer::remaining(heap, newest);
  EXPECT_GE(remaining, count);
  EXPECT_LE(remaining * format::block_size_min, used_before + store->statistics()->heap.used.value);
  // Those that are freed do not count.
  store->attachment().thread().value()->reclaim();
  EXPECT_LT(commit::Reclaimer::remaining(heap, newest), count);
}

// A pin holds back the first commits of a queue, and what comes behind them waits a while. Where that is large it goes on.
TEST(Reclaimer, LargeValuesDoNotWait) {
  const test::TemporaryFolder folder;
  auto store = test::open_store(folder.path("s"));
  auto table = test::open_table(*store, "t");
  test::put(*table, "small", "1");
  auto snapshot = store->snapshot();
  ASSERT_TRUE(snapshot.ok());
  test::put(*table, "small", "2");
  const std::uint64_t size = std::uint64_t{1} << 20;
  // In one run of segments, and in several, which a list names.
  for (const std::uint64_t times : {1, 20}) {
    const std::string value(size * times, 'v');
    for (int i = 0; i < 10; ++i) test::put(*table, "large", value);
    EXPECT_LT(store->statistics()->heap.used.value, 3 * size * times);
  }
  EXPECT_EQ(test::get(*table, "large")->size(), 20 * size);
}

}  // namespace
}  // namespace utan
