// Shows that any number of threads work on one store: what each wrote alone is all there, a counter that all raise is
// exact, a value that all write is one of those written, whole, in every way of reading it; and that threads that come
// and go leave neither lines nor blocks behind.
// Labels: tsan
// Timeout: 120 s
#include <gtest/gtest.h>

#include <atomic>
#include <functional>
#include <latch>
#include <thread>
#include <vector>

#include "support/store_fixture.h"

namespace utan {
namespace {

using object::Store;
using object::Table;
using test::TemporaryFolder;

class Threads : public ::testing::Test {
 protected:
  void SetUp() override {
    store_ = test::open_store(folder_.path("s.utan"));
    ASSERT_NE(store_, nullptr);
    table_ = test::open_table(*store_, "t");
    ASSERT_NE(table_, nullptr);
  }

  // Runs `body` in `count` threads at once.
  static void run(int count, const std::function<void(int)>& body) {
    std::latch start(count);
    std::vector<std::thread> threads;
    for (int i = 0; i < count; ++i) {
      threads.emplace_back([&, i] {
        start.arrive_and_wait();
        body(i);
      });
    }
    for (std::thread& thread : threads) thread.join();
  }

  // Nobody writes any more: the structures are sound, and no block belongs to nobody.
  void expect_sound() const {
    EXPECT_EQ(test::walk(*store_).leaked_count, 0U);
    EXPECT_EQ(store_->statistics()->pins.value, 0U);
  }

  TemporaryFolder folder_;
  std::unique_ptr<Store> store_;
  std::unique_ptr<Table> table_;
};

void count_up(Table& table, std::string_view key) {
  for (;;) {
    const std::optional<std::string> now = test::get(table, key);
    ASSERT_TRUE(now.has_value());
    const Result<bool> done =
        table.replace(test::bytes(key), test::bytes(*now), test::bytes(std::to_string(std::stoull(*now) + 1)));
    ASSERT_TRUE(done.ok()) << done.error().message();
    if (done.value()) return;
  }
}

TEST_F(Threads, TheirOwnKeysAreAllThere) {
  constexpr int threads = 6;
  constexpr int keys = 1200;
  const auto key_of = [](int thread, int k) { return std::to_string(thread) + ":" + std::to_string(k); };
  const auto value_of = [&](int thread, int k) {
    return key_of(thread, k) + std::string(static_cast<std::size_t>(k), 'x');
  };
  run(threads, [&](int thread) {
    for (int k = 0; k < keys; ++k) {
      test::put(*table_, key_of(thread, k), "first");
      test::put(*table_, key_of(thread, k), value_of(thread, k));
      if (k % 4 == 0) {
        EXPECT_TRUE(test::erase(*table_, key_of(thread, k)));
      }
      // One's own writes are seen at once.
      EXPECT_EQ(table_->contains(test::bytes(key_of(thread, k))).value(), k % 4 != 0);
    }
  });
  EXPECT_EQ(table_->count()->value, static_cast<std::uint64_t>(threads * keys * 3 / 4));
  for (int thread = 0; thread < threads; ++thread) {
    for (int k = 0; k < keys; ++k) {
      const auto expected = k % 4 == 0 ? std::nullopt : std::optional(value_of(thread, k));
      EXPECT_TRUE(test::get(*table_, key_of(thread, k)) == expected) << key_of(thread, k);
    }
  }
  expect_sound();
}

TEST_F(Threads, OneCounterCountsEveryIncrement) {
  constexpr int threads = 6;
  constexpr int increments = 1000;
  test::put(*table_, "n", "0");
  run(threads, [&](int) {
    for (int i = 0; i < increments; ++i) count_up(*table_, "n");
  });
  EXPECT_EQ(test::get(*table_, "n"), std::to_string(threads * increments));
  expect_sound();
}

TEST_F(Threads, OneOfAllAddsAKey) {
  constexpr int threads = 6;
  constexpr int keys = 500;
  std::vector<std::atomic<int>> winners(keys);
  run(threads, [&](int thread) {
    for (std::size_t k = 0; k < keys; ++k) {
      const auto added =
          table_->put(test::bytes(std::to_string(k)), test::bytes(std::to_string(thread)), Table::Put::if_absent);
      ASSERT_TRUE(added.ok()) << added.error().message();
      if (added.value()) winners[k] += thread + 1;
    }
  });
  // The sum is the winner's alone: its value stands there.
  for (std::size_t k = 0; k < keys; ++k) {
    EXPECT_EQ(test::get(*table_, std::to_string(k)), std::to_string(winners[k] - 1));
  }
  run(threads, [&](int) {
    for (std::size_t k = 0; k < keys; ++k) winners[k] -= test::erase(*table_, std::to_string(k)) ? 1000 : 0;
  });
  for (std::size_t k = 0; k < keys; ++k) EXPECT_EQ((winners[k] + 1000) / 1000, 0) << "one erased it";
  EXPECT_EQ(table_->count()->value, 0U);
  expect_sound();
}

TEST_F(Threads, OneTableIsMadeOfEachName) {
  constexpr int threads = 6;
  constexpr int tables = 30;
  run(threads, [&](int thread) {
    for (int i = 0; i < tables; ++i) {
      const auto table = test::open_table(*store_, "table " + std::to_string(i));
      ASSERT_NE(table, nullptr);
      test::put(*table, std::to_string(thread), "v");
    }
  });
  for (int i = 0; i < tables; ++i) {
    EXPECT_EQ(test::open_table(*store_, "table " + std::to_string(i))->count()->value,
              static_cast<std::uint64_t>(threads));
  }
  expect_sound();
}

// --- The same keys ---------------------------------------------------------------------------------------------------

// A value is one letter, many times: which one says which key it is of, and who wrote it.
constexpr int pattern_keys = 6;
constexpr int writer_count = 3;
char letter_of(int key, int writer) { return static_cast<char>('0' + key * 8 + writer); }

void expect_pattern(int key, object::Bytes value) {
  ASSERT_FALSE(value.empty());
  const auto first = static_cast<char>(value[0]);
  EXPECT_GE(first, letter_of(key, 0));
  EXPECT_LT(first, letter_of(key, writer_count));
  for (const std::byte byte : value) {
    if (static_cast<char>(byte) != first) {
      ADD_FAILURE() << "two values in one, of key " << key;
      return;
    }
  }
}

class SameKeys : public Threads {
 protected:
  void SetUp() override {
    Threads::SetUp();
    for (int k = 0; k < pattern_keys; ++k) test::put(*table_, std::to_string(k), std::string(1, letter_of(k, 0)));
  }

  // Writers overwrite the keys while readers do `read` again and again; each reader at least once.
  void overwrite_while(int readers, const std::function<void()>& read) {
    UTAN_SEEDED(seed);
    std::atomic<int> writing{writer_count};
    run(writer_count + readers, [&](int who) {
      if (who >= writer_count) {
        do {
          read();
        } while (writing > 0 && !HasFailure());
        return;
      }
      std::mt19937_64 random(seed + static_cast<std::uint64_t>(who));
      for (std::uint64_t i = 0; i < test::scaled(1500, 100'000); ++i) {
        const int key = static_cast<int>(random() % pattern_keys);
        const std::size_t size = random() % 40 == 0 ? 30'000 : 1 + random() % 2000;
        test::put(*table_, std::to_string(key), std::string(size, letter_of(key, who)));
      }
      --writing;
    });
    for (int k = 0; k < pattern_keys; ++k) {
      const std::optional<std::string> value = test::get(*table_, std::to_string(k));
      ASSERT_TRUE(value.has_value());
      expect_pattern(k, test::bytes(*value));
    }
    expect_sound();
  }
};

TEST_F(SameKeys, ValuesAreWholeAndStaySo) {
  overwrite_while(2, [this] {
    // Several at once, the first of which have got old when the last are there.
    object::Value values[3 * pattern_keys];
    std::string copies[3 * pattern_keys];
    for (int i = 0; i < 3 * pattern_keys; ++i) {
      const Result<bool> found = table_->get(test::bytes(std::to_string(i % pattern_keys)), values[i]);
      ASSERT_TRUE(found.ok()) << found.error().message();
      ASSERT_TRUE(found.value());
      expect_pattern(i % pattern_keys, {values[i].data, values[i].size});
      copies[i] = test::text({values[i].data, values[i].size});
    }
    std::this_thread::yield();
    for (int i = 0; i < 3 * pattern_keys; ++i) {
      EXPECT_TRUE(test::text({values[i].data, values[i].size}) == copies[i]) << "a value changed while it was held";
      values[i].release();
    }
  });
}

TEST_F(SameKeys, IteratorsSeeEachKeyOnce) {
  overwrite_while(2, [this] {
    auto cursor = object::Cursor::open(*table_);
    ASSERT_TRUE(cursor.ok()) << cursor.error().message();
    std::vector<int> seen(pattern_keys);
    object::Bytes key;
    object::Bytes value;
    for (;;) {
      const Result<bool> more = (*cursor)->next(key, value);
      ASSERT_TRUE(more.ok()) << more.error().message();
      if (!more.value()) break;
      const int k = std::stoi(test::text(key));
      ++seen[static_cast<std::size_t>(k)];
      expect_pattern(k, value);
      std::this_thread::yield();
    }
    EXPECT_EQ(seen, std::vector<int>(pattern_keys, 1));
  });
}

TEST_F(SameKeys, SnapshotsStayAsTheyAre) {
  overwrite_while(2, [this] {
    const auto snapshot = store_->snapshot();
    ASSERT_TRUE(snapshot.ok()) << snapshot.error().message();
    const auto table = (*snapshot)->table("t", false);
    ASSERT_TRUE(table.ok()) << table.error().message();
    std::string first[pattern_keys];
    for (int round = 0; round < 3; ++round) {
      for (int k = 0; k < pattern_keys; ++k) {
        const auto value = test::get(**table, std::to_string(k));
        ASSERT_TRUE(value.has_value());
        expect_pattern(k, test::bytes(*value));
        if (round == 0) first[k] = *value;
        EXPECT_TRUE(*value == first[k]) << "a snapshot changed";
      }
      std::this_thread::yield();
    }
  });
}

// One writes "a" and then "b", the same number: no moment shows b before a, or a more than one ahead.
TEST_F(Threads, ASnapshotIsOneMoment) {
  test::put(*table_, "a", "0");
  test::put(*table_, "b", "0");
  std::atomic<bool> writing{true};
  run(3, [&](int who) {
    if (who == 0) {
      for (int i = 1; i <= 5000; ++i) {
        test::put(*table_, "a", std::to_string(i));
        test::put(*table_, "b", std::to_string(i));
      }
      writing = false;
      return;
    }
    std::uint64_t last = 0;
    do {
      const auto snapshot = store_->snapshot();
      ASSERT_TRUE(snapshot.ok());
      const auto table = (*snapshot)->table("t", false);
      const std::uint64_t b = std::stoull(*test::get(**table, "b"));
      const std::uint64_t a = std::stoull(*test::get(**table, "a"));
      EXPECT_TRUE(a == b || a == b + 1) << "a " << a << ", b " << b;
      EXPECT_GE(a, last) << "time goes back";
      last = a;
    } while (writing && !HasFailure());
  });
  expect_sound();
}

// --- Coming and going ------------------------------------------------------------------------------------------------

TEST_F(Threads, ThousandsOfShortLivesNeedFewLines) {
  constexpr int at_once = 8;
  constexpr int waves = 400;
  test::put(*table_, "n", "0");
  for (int wave = 0; wave < waves; ++wave) {
    run(at_once, [&](int who) {
      count_up(*table_, "n");
      test::put(*table_, std::to_string(who), std::string(static_cast<std::size_t>(wave % 900), 'x'));
      if (who == 0) {
        EXPECT_TRUE(store_->snapshot().ok());
      }
    });
  }
  EXPECT_EQ(test::get(*table_, "n"), std::to_string(at_once * waves));
  // This thread, those of a wave, and at most as many that had not quite ended when the next wave began.
  EXPECT_LE(store_->statistics()->threads.value, 1U + at_once);
  EXPECT_LE(store_->attachment().session().value()->coordination().fixed().line_high.load(), 1U + at_once);
  expect_sound();
}

TEST_F(Threads, MoreAtOnceThanTheFirstLines) {
  constexpr int threads = static_cast<int>(format::lines_per_growth) * 2 + 7;
  test::put(*table_, "n", "0");
  std::latch all_there(threads);
  run(threads, [&](int who) {
    test::put(*table_, std::to_string(who), "here");
    all_there.arrive_and_wait();
    count_up(*table_, "n");
  });
  EXPECT_EQ(test::get(*table_, "n"), std::to_string(threads));
  EXPECT_EQ(table_->count()->value, 1U + threads);
  EXPECT_GT(store_->attachment().session().value()->coordination().fixed().line_count.load(), format::lines_per_growth);
  expect_sound();
}

TEST_F(Threads, OpeningAndClosingWhileOthersWork) {
  test::put(*table_, "n", "0");
  constexpr int opens = 300;
  run(4, [&](int) {
    for (int i = 0; i < opens; ++i) {
      auto store = test::open_store(folder_.path("s.utan"));
      ASSERT_NE(store, nullptr);
      const auto table = test::open_table(*store, "t");
      count_up(*table, "n");
    }
  });
  EXPECT_EQ(test::get(*table_, "n"), std::to_string(4 * opens));
  expect_sound();
}

// Each thread has a store of its own, and uses that of the next, too.
TEST_F(Threads, SeveralStoresAtOnce) {
  constexpr int threads = 4;
  std::vector<std::unique_ptr<Store>> stores;
  std::vector<std::unique_ptr<Table>> tables;
  for (int i = 0; i < threads; ++i) {
    stores.push_back(test::open_store(folder_.path("own" + std::to_string(i))));
    tables.push_back(test::open_table(*stores.back(), "t"));
    test::put(*tables.back(), "n", "0");
  }
  run(threads, [&](int who) {
    for (std::size_t i = 0; i < 300; ++i) count_up(*tables[(static_cast<std::size_t>(who) + i) % threads], "n");
  });
  for (int i = 0; i < threads; ++i) {
    EXPECT_EQ(test::get(*tables[static_cast<std::size_t>(i)], "n"), "300");
    EXPECT_EQ(test::walk(*stores[static_cast<std::size_t>(i)]).leaked_count, 0U);
  }
}

TEST_F(Threads, SyncingWhileOthersWrite) {
  test::put(*table_, "n", "0");
  std::atomic<int> writing{2};
  run(4, [&](int who) {
    if (who < 2) {
      for (int i = 0; i < 1500; ++i) count_up(*table_, "n");
      --writing;
      return;
    }
    do {
      const std::uint64_t before = store_->statistics()->newest.value;
      const Result<void> synced = store_->sync();
      ASSERT_TRUE(synced.ok()) << synced.error().message();
      EXPECT_GE(store_->statistics()->durable.value, before) << "what was there when sync began is durable";
    } while (writing > 0);
  });
  EXPECT_EQ(test::get(*table_, "n"), "3000");
  ASSERT_TRUE(store_->sync().ok());
  EXPECT_EQ(store_->statistics()->durable.value, store_->statistics()->newest.value);
  expect_sound();
}

}  // namespace
}  // namespace utan
