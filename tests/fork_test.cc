// Shows that a program may fork at any moment and both sides go on: the child attaches by itself when it first uses the
// store, holds up nothing of its parent's while it does not, and inherits no descriptor, snapshot or iterator. And that
// several processes do together what several threads do: their keys are all there, their counter is exact, and a value
// is one of those written, whole.
// Labels: plain
// Timeout: 120 s
#include <dirent.h>
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <functional>
#include <latch>
#include <thread>
#include <vector>

#include "object/container.h"
#include "os/linux/testing.h"
#include "support/fork_fixture.h"
#include "support/store_fixture.h"

namespace utan {
namespace {

using object::Store;
using object::Table;
using os::testing::TestChild;
using os::testing::TestPipe;
using test::child_that;
using test::close;
using test::count_up;
using test::Family;
using test::Fork;
using test::SharedMemory;

// Names of this process's open files that contain `text`.
std::size_t descriptors_of(const std::string& text) {
  std::size_t count = 0;
  DIR* folder = ::opendir("/proc/self/fd");
  for (const dirent* entry = ::readdir(folder); entry != nullptr; entry = ::readdir(folder)) {
    char target[4096];
    const ssize_t size = ::readlinkat(::dirfd(folder), entry->d_name, target, sizeof target);
    if (size > 0 && std::string_view(target, static_cast<std::size_t>(size)).find(text) != std::string_view::npos)
      ++count;
  }
  ::closedir(folder);
  return count;
}

// --- Parent and child ------------------------------------------------------------------------------------------------

TEST_F(Fork, TheChildUsesTheStoreToo) {
  auto store = test::open_store(path_);
  auto table = test::open_table(*store, "t");
  test::put(*table, "k", "of the parent");
  const auto parents_session = store->attachment().session_id();
  TestChild child = child_that([&] {
    EXPECT_EQ(test::get(*table, "k"), "of the parent");
    EXPECT_NE(store->attachment().session_id(), parents_session);
    EXPECT_EQ(store->statistics()->processes.value, 2U);
    test::put(*table, "k", "of the child");
    auto other = test::open_table(*store, "made by the child");
    test::put(*other, "x", "y");
    other.reset();
    table.reset();
    close(std::move(store));
  });
  EXPECT_TRUE(child.join());
  EXPECT_EQ(store->attachment().session_id(), parents_session);
  EXPECT_EQ(store->statistics()->processes.value, 1U);
  EXPECT_EQ(test::get(*table, "k"), "of the child");
  EXPECT_EQ(test::get(*test::open_table(*store, "made by the child"), "x"), "y");
  EXPECT_EQ(test::walk(*store).leaked_count, 0U);
}

// Whoever joins compares what the coordination file says with the newest commit: nothing in it counts the root, which has no
// place in the object table before something is put into it.
TEST_F(Fork, TheChildJoinsAStoreWhoseRootIsItsOnlyContainer) {
  auto store = test::open_store(path_);
  const auto child_finds = [&](std::uint64_t count) {
    TestChild child = child_that([&] {
      const Result<Count> found = store->root()->count();
      ASSERT_TRUE(found.ok()) << found.error().message();
      EXPECT_EQ(found->value, count);
      close(std::move(store));
    });
    EXPECT_TRUE(child.join());
  };
  child_finds(0);
  object::Input input(format::Value::integer(5));
  ASSERT_TRUE(store->root()->set(format::Value::string("n"), input).ok());
  child_finds(1);
}

TEST_F(Fork, TheChildThatOnlyClosesHarmsNothing) {
  auto store = test::open_store(path_);
  auto table = test::open_table(*store, "t");
  test::put(*table, "k", "1");
  TestChild child = child_that([&] {
    table.reset();
    close(std::move(store));
  });
  EXPECT_TRUE(child.join());
  test::put(*table, "k", "2");
  EXPECT_EQ(test::get(*table, "k"), "2");
  EXPECT_EQ(store->statistics()->processes.value, 1U);
}

TEST_F(Fork, TheChildHasNoDescriptorOfTheStore) {
  auto store = test::open_store(path_);
  auto table = test::open_table(*store, "t");
  test::put(*table, "k", "v");
  ASSERT_EQ(descriptors_of(path_), 2U);
  TestChild child = child_that([&] {
    EXPECT_EQ(descriptors_of(path_), 0U);
    EXPECT_EQ(test::get(*table, "k"), "v");
    EXPECT_EQ(descriptors_of(path_), 2U) << "its own";
  });
  EXPECT_TRUE(child.join());
}

// What opening promises holds when it returns: not only when the store is first used.
TEST_F(Fork, OpeningInTheChildAttachesAtOnce) {
  const auto store = test::open_store(path_);
  TestChild child = child_that([&] {
    const auto own = test::open_store(path_);
    ASSERT_NE(own, nullptr);
    EXPECT_EQ(descriptors_of(path_), 2U);
    EXPECT_EQ(own->statistics()->processes.value, 2U);
  });
  EXPECT_TRUE(child.join());
}

TEST_F(Fork, AProgramThatIsExecutedHasNone) {
  const auto store = test::open_store(path_);
  int out[2];
  ASSERT_EQ(::pipe(out), 0);
  const pid_t child = ::fork();
  if (child == 0) {
    ::dup2(out[1], STDOUT_FILENO);
    // The child attaches first, so that its own descriptors are there, too.
    if (!store->statistics().ok()) ::_exit(3);
    ::execlp("ls", "ls", "-l", "/proc/self/fd", static_cast<char*>(nullptr));
    ::_exit(4);
  }
  ::close(out[1]);
  std::string said;
  char buffer[4096];
  for (ssize_t size = 0; (size = ::read(out[0], buffer, sizeof buffer)) > 0;)
    said.append(buffer, static_cast<std::size_t>(size));
  ::close(out[0]);
  int status = -1;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_EQ(status, 0);
  EXPECT_NE(said.find("pipe:"), std::string::npos) << said;
  EXPECT_EQ(said.find("s.utan"), std::string::npos) << said;
}

TEST_F(Fork, AChildThatNeverUsesTheStoreKeepsNothingOfItsDeadParents) {
  Family family([this](Family& self) {
    const auto store = test::open_store(path_);
    auto table = test::open_table(*store, "t");
    test::put(*table, "k", "unsynced");
    const auto snapshot = store->snapshot();
    if (::fork() == 0) {
      self.tell();
      self.wait();  // for the end
      ::_exit(0);
    }
    self.wait();
  });
  ASSERT_TRUE(family.told());
  family.kill_parent();
  auto store = test::open_store(path_);
  ASSERT_NE(store, nullptr);
  EXPECT_EQ(store->statistics()->processes.value, 1U) << "the parent's entry looks alive";
  EXPECT_EQ(store->statistics()->pins.value, 0U);
  EXPECT_EQ(test::get(*test::open_table(*store, "t"), "k"), "unsynced");
  EXPECT_LE(test::walk(*store).leaked_count, test::leaked_max(*store));
  close(std::move(store));
  // Closed cleanly, and opened anew by one who is alone: the child is nobody.
  EXPECT_NE(test::open_store(path_, {.mode = commit::OpenMode::fresh}), nullptr);
  EXPECT_TRUE(family.all_ended());
}

TEST_F(Fork, TheChildGoesOnWhenItsParentDies) {
  Family family([this](Family& self) {
    const auto store = test::open_store(path_);
    auto table = test::open_table(*store, "t");
    test::put(*table, "k", "0");
    if (::fork() == 0) {
      for (int i = 0; i < 100; ++i) count_up(*table, "k");
      self.tell();
      self.wait();
      for (int i = 0; i < 100; ++i) count_up(*table, "k");
      EXPECT_EQ(test::get(*table, "k"), "200");
      self.tell();
      ::_exit(0);  // without closing
    }
    TestPipe().wait();  // killed here
  });
  ASSERT_TRUE(family.told());
  family.kill_parent();
  const auto store = test::open_store(path_);
  EXPECT_EQ(store->statistics()->processes.value, 2U) << "the child and this one";
  family.go_on();
  ASSERT_TRUE(family.told());
  EXPECT_TRUE(family.all_ended());
  EXPECT_EQ(test::get(*test::open_table(*store, "t"), "k"), "200");
  store->attachment().session().value()->adopt_dead();
  EXPECT_EQ(store->statistics()->processes.value, 1U);
  EXPECT_LE(test::walk(*store).leaked_count, test::leaked_max(*store));
}

TEST_F(Fork, BothWriteTheirOwnKeysAndOneCounter) {
  constexpr int keys = 300;
  auto store = test::open_store(path_);
  auto table = test::open_table(*store, "t");
  test::put(*table, "n", "0");
  const auto work = [&](const std::string& who) {
    for (int i = 0; i < keys; ++i) {
      test::put(*table, who + std::to_string(i), who);
      count_up(*table, "n");
    }
  };
  TestChild child = child_that([&] { work("child"); });
  work("parent");
  EXPECT_TRUE(child.join());
  EXPECT_EQ(test::get(*table, "n"), std::to_string(2 * keys));
  for (const std::string who : {"child", "parent"}) {
    for (int i = 0; i < keys; ++i) EXPECT_EQ(test::get(*table, who + std::to_string(i)), who);
  }
}

TEST_F(Fork, SnapshotsAndIteratorsAreNotInherited) {
  auto store = test::open_store(path_);
  auto table = test::open_table(*store, "t");
  for (int i = 0; i < 10; ++i) test::put(*table, std::to_string(i), "early");
  auto snapshot = store->snapshot();
  auto view = (*snapshot)->table("t", false);
  auto cursor = object::Cursor::open(*table);
  object::Bytes key;
  object::Bytes value;
  ASSERT_TRUE((*cursor)->next(key, value).value());
  TestChild child = child_that([&] {
    object::Value found;
    EXPECT_EQ((*cursor)->next(key, value).code(), Code::closed);
    EXPECT_EQ((*view)->get(test::bytes("1"), found).code(), Code::closed);
    EXPECT_EQ((*view)->count().code(), Code::closed);
    EXPECT_EQ((*view)->contains(test::bytes("1")).code(), Code::closed);
    EXPECT_EQ(object::Cursor::open(**view).code(), Code::closed);
    EXPECT_EQ((*snapshot)->table("t", false).code(), Code::closed);
    EXPECT_NE((*cursor)->next(key, value).error().message().find("child process"), std::string::npos);
    // New ones are its own.
    auto own = store->snapshot();
    ASSERT_TRUE(own.ok());
    EXPECT_EQ(test::get(**(*own)->table("t", false), "1"), "early");
    // Letting go of the parent's takes nothing from it.
    cursor.value().reset();
    view.value().reset();
    snapshot.value().reset();
    for (int round = 0; round < 200; ++round) {
      for (int i = 0; i < 10; ++i) test::put(*table, std::to_string(i), "late");
    }
  });
  EXPECT_TRUE(child.join());
  EXPECT_EQ(test::get(*table, "1"), "late");
  EXPECT_EQ(test::get(**view, "1"), "early");
  int rest = 0;
  while ((*cursor)->next(key, value).value()) {
    EXPECT_EQ(test::text(value), "early");
    ++rest;
  }
  EXPECT_EQ(rest, 9);
}

// The parent holds a value; everything that a write or a release in the child could spoil is tried.
void hold_a_value_across_fork(const std::string& path, std::size_t size, bool child_releases) {
  auto store = test::open_store(path);
  auto table = test::open_table(*store, "t");
  const std::string early(size, 'e');
  test::put(*table, "k", early);
  object::Value held;
  ASSERT_TRUE(table->get(test::bytes("k"), held).value());
  TestChild child = child_that([&] {
    EXPECT_EQ(test::text({held.data, held.size}), early);
    if (child_releases) held.release();
    for (int i = 0; i < 300; ++i) test::put(*table, "k", std::string(size, 'l'));
  });
  EXPECT_TRUE(child.join());
  EXPECT_EQ(store->statistics()->pins.value, held.thread != nullptr ? 1U : 0U);
  for (int i = 0; i < 300; ++i) test::put(*table, "k", std::string(size, 'L'));
  EXPECT_TRUE(test::text({held.data, held.size}) == early) << "the value that the parent holds was overwritten";
  held.release();
  EXPECT_EQ(test::get(*table, "k"), std::string(size, 'L'));
}

TEST_F(Fork, AValueOfTheParentStaysWhileTheChildWrites) {
  for (const std::size_t size : {40, 4000, 40'000}) hold_a_value_across_fork(path_, size, false);
}

TEST_F(Fork, AValueOfTheParentStaysWhenTheChildReleasesItsCopy) {
  for (const std::size_t size : {40, 4000, 40'000}) hold_a_value_across_fork(path_, size, true);
}

TEST_F(Fork, GrandchildrenHaveTheirOwnPlaceEach) {
  constexpr int generations = 5;
  auto store = test::open_store(path_);
  auto table = test::open_table(*store, "t");
  test::put(*table, "n", "0");
  // Every second generation does not use the store before it forks.
  const std::function<void(int)> live = [&](int generation) {
    if (generation % 2 == 0) count_up(*table, "n");
    if (generation < generations) {
      TestChild child = child_that([&] { live(generation + 1); });
      EXPECT_TRUE(child.join());
    }
    if (generation % 2 == 1) count_up(*table, "n");
    test::put(*table, "generation " + std::to_string(generation), std::to_string(::getpid()));
  };
  live(0);
  EXPECT_EQ(test::get(*table, "n"), std::to_string(generations + 1));
  EXPECT_EQ(table->count()->value, 1U + 1 + generations);
  EXPECT_EQ(test::get(*table, "generation 0"), std::to_string(::getpid()));
}

TEST_F(Fork, ManyChildrenOneAfterAnotherLeaveNothing) {
  auto store = test::open_store(path_);
  auto table = test::open_table(*store, "t");
  test::put(*table, "n", "0");
  for (int i = 0; i < 50; ++i) {
    TestChild child = child_that([&] {
      count_up(*table, "n");
      if (i % 2 == 0) {
        table.reset();
        close(std::move(store));
      }
    });
    ASSERT_TRUE(child.join());
  }
  EXPECT_EQ(test::get(*table, "n"), "50");
  store->attachment().session().value()->adopt_dead();
  EXPECT_EQ(store->statistics()->processes.value, 1U);
  EXPECT_LE(store->statistics()->threads.value, 1U);
  EXPECT_LE(test::walk(*store).leaked_count, test::leaked_max(*store));
}

TEST_F(Fork, TheFileWasReplacedSinceTheFork) {
  auto store = test::open_store(path_);
  auto table = test::open_table(*store, "t");
  test::put(*table, "k", "old");
  TestPipe go;
  TestChild child = child_that([&] {
    go.wait();
    object::Value value;
    EXPECT_EQ(table->get(test::bytes("k"), value).code(), Code::closed);
    EXPECT_EQ(table->put(test::bytes("k"), test::bytes("x"), Table::Put::always).code(), Code::closed);
    EXPECT_EQ(store->statistics().code(), Code::closed);
  });
  {
    auto other = test::open_store(folder_.path("other"));
    test::put(*test::open_table(*other, "t"), "k", "new");
  }
  std::filesystem::rename(folder_.path("other"), path_);
  go.signal();
  EXPECT_TRUE(child.join());
  EXPECT_EQ(test::get(*table, "k"), "old");
  EXPECT_EQ(test::get(*test::open_table(*test::open_store(path_), "t"), "k"), "new");
}

// --- With threads ----------------------------------------------------------------------------------------------------

TEST_F(Fork, WhileOtherThreadsWrite) {
#if defined(__SANITIZE_ADDRESS__)
  GTEST_SKIP() << "AddressSanitizer's own allocator may be locked by another thread when a child begins";
#endif
  constexpr int writers = 3;
  auto store = test::open_store(path_);
  auto table = test::open_table(*store, "t");
  test::put(*table, "children", "0");
  std::atomic<bool> quit{false};
  std::array<std::uint64_t, writers> written{};
  std::vector<std::thread> threads;
  for (std::size_t w = 0; w < writers; ++w) {
    threads.emplace_back([&, w] {
      while (!quit) {
        const std::string key = std::to_string(w) + ":" + std::to_string(written[w] % 50);
        test::put(*table, key, std::string(written[w] % 3000, static_cast<char>('a' + w)));
        // Tables and snapshots come and go, too, with the locks that this takes.
        if (written[w] % 10 == 0) {
          EXPECT_TRUE(store->snapshot().ok());
        }
        ++written[w];
      }
    });
  }
  for (int i = 0; i < 40; ++i) {
    TestChild child = child_that([&] {
      EXPECT_EQ(test::get(*table, "children"), std::to_string(i));
      count_up(*table, "children");
      auto snapshot = store->snapshot();
      ASSERT_TRUE(snapshot.ok()) << snapshot.error().message();
      const auto own = test::open_table(*store, "of " + std::to_string(i));
      test::put(*own, "k", "v");
      // A thread of its own, whose state is not that of a thread of the parent's.
      std::thread([&] { test::put(*own, "from a thread", "v"); }).join();
      EXPECT_EQ(own->count()->value, 2U);
    });
    ASSERT_TRUE(child.join());
  }
  quit = true;
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(test::get(*table, "children"), "40");
  for (std::size_t w = 0; w < writers; ++w) {
    EXPECT_GT(written[w], 0U);
    for (std::uint64_t i = written[w] - std::min<std::uint64_t>(written[w], 50); i < written[w]; ++i) {
      EXPECT_EQ(test::get(*table, std::to_string(w) + ":" + std::to_string(i % 50)),
                std::string(i % 3000, static_cast<char>('a' + w)));
    }
  }
  store->attachment().session().value()->adopt_dead();
  EXPECT_LE(test::walk(*store).leaked_count, test::leaked_max(*store));
}

// Several threads of a child come first at once: one of them attaches.
TEST_F(Fork, AllThreadsOfAChildComeAtOnce) {
  auto store = test::open_store(path_);
  auto table = test::open_table(*store, "t");
  test::put(*table, "n", "0");
  constexpr int thread_count = 4;
  constexpr int children = 40;
  for (int i = 0; i < children; ++i) {
    SCOPED_TRACE("child " + std::to_string(i));
    TestChild child = child_that([&] {
      std::latch start(thread_count);
      std::vector<std::thread> threads;
      for (int t = 0; t < thread_count; ++t) {
        threads.emplace_back([&] {
          start.arrive_and_wait();
          count_up(*table, "n");
        });
      }
      for (std::thread& thread : threads) thread.join();
    });
    ASSERT_TRUE(child.join());
  }
  EXPECT_EQ(test::get(*table, "n"), std::to_string(children * thread_count));
}

// --- Several processes, the same file --------------------------------------------------------------------------------

// Processes that come to one store by opening it themselves, not from a parent that has it open.
class Processes : public Fork, public ::testing::WithParamInterface<bool> {
 protected:
  // Runs `body` in `count` processes at once; all must end well.
  void run(int count, const std::function<void(int, Table&)>& body) {
    TestPipe start;
    std::vector<std::unique_ptr<TestChild>> all;
    std::unique_ptr<Store> inherited = GetParam() ? test::open_store(path_) : nullptr;
    std::unique_ptr<Table> inherited_table = inherited != nullptr ? test::open_table(*inherited, "t") : nullptr;
    for (int i = 0; i < count; ++i) {
      all.push_back(std::make_unique<TestChild>([&, i] {
        start.close_writer();
        start.wait();
        auto store = inherited != nullptr ? nullptr : test::open_store(path_);
        auto table = store != nullptr ? test::open_table(*store, "t") : std::move(inherited_table);
        if (table != nullptr) body(i, *table);
        ended_[static_cast<std::size_t>(i)] = 1;
        if (table == nullptr) return false;
        table.reset();
        if (store != nullptr) close(std::move(store));
        return !::testing::Test::HasFailure();
      }));
    }
    start.close_writer();
    for (const auto& child : all) EXPECT_TRUE(child->join());
  }
  // Has the body of each of the first `count` ended, well or not?
  bool ended(int count) {
    bool out = true;
    for (int i = 0; i < count; ++i) out &= ended_[static_cast<std::size_t>(i)] != 0;
    return out;
  }

 private:
  SharedMemory ended_;
};

TEST_P(Processes, TheirOwnKeysAreAllThere) {
  constexpr int count = 4;
  constexpr int keys = 1000;
  run(count, [](int who, Table& table) {
    for (int k = 0; k < keys; ++k) {
      const std::string key = std::to_string(who) + ":" + std::to_string(k);
      test::put(table, key, key + std::string(static_cast<std::size_t>(k), 'x'));
      if (k % 3 == 0) {
        EXPECT_TRUE(test::erase(table, key));
      }
    }
  });
  const auto store = test::open_store(path_);
  const auto table = test::open_table(*store, "t");
  EXPECT_EQ(table->count()->value, static_cast<std::uint64_t>(count * (keys - (keys + 2) / 3)));
  for (int who = 0; who < count; ++who) {
    for (int k = 0; k < keys; ++k) {
      const std::string key = std::to_string(who) + ":" + std::to_string(k);
      const auto expected = key + std::string(static_cast<std::size_t>(k), 'x');
      EXPECT_EQ(test::get(*table, key), k % 3 == 0 ? std::nullopt : std::optional(expected));
    }
  }
  EXPECT_LE(test::walk(*store).leaked_count, test::leaked_max(*store));
}

TEST_P(Processes, OneCounterCountsEveryIncrement) {
  constexpr int count = 4;
  constexpr int increments = 1500;
  {
    const auto store = test::open_store(path_);
    test::put(*test::open_table(*store, "t"), "n", "0");
  }
  run(count, [](int, Table& table) {
    for (int i = 0; i < increments; ++i) count_up(table, "n");
  });
  const auto store = test::open_store(path_);
  EXPECT_EQ(test::get(*test::open_table(*store, "t"), "n"), std::to_string(count * increments));
  EXPECT_LE(test::walk(*store).leaked_count, test::leaked_max(*store));
}

// A value is its key's letter, many times. Letters of different keys are different.
constexpr int pattern_keys = 6;
char letter_of(int key, int writer) { return static_cast<char>('0' + key * 8 + writer); }
void expect_pattern(int key, int writers, object::Bytes value) {
  ASSERT_FALSE(value.empty());
  const auto first = static_cast<char>(value[0]);
  EXPECT_GE(first, letter_of(key, 0));
  EXPECT_LT(first, letter_of(key, writers));
  for (const std::byte byte : value) {
    if (static_cast<char>(byte) != first) {
      ADD_FAILURE() << "two values in one, of key " << key;
      return;
    }
  }
}

TEST_P(Processes, AValueIsWholeAndOneOfThoseWritten) {
  UTAN_SEEDED(seed);
  constexpr int writers = 3;
  {
    const auto store = test::open_store(path_);
    const auto table = test::open_table(*store, "t");
    for (int k = 0; k < pattern_keys; ++k) test::put(*table, std::to_string(k), std::string(1, letter_of(k, 0)));
  }
  run(writers + 2, [&](int who, Table& table) {
    std::mt19937_64 random(seed + static_cast<std::uint64_t>(who));
    if (who < writers) {
      for (int i = 0; i < 1500; ++i) {
        const int key = static_cast<int>(random() % pattern_keys);
        const std::size_t size = random() % 40 == 0 ? 30'000 : 1 + random() % 2000;
        test::put(table, std::to_string(key), std::string(size, letter_of(key, who)));
      }
      return;
    }
    do {
      for (int key = 0; key < pattern_keys; ++key) {
        object::Value value;
        const Result<bool> found = table.get(test::bytes(std::to_string(key)), value);
        ASSERT_TRUE(found.ok()) << found.error().message();
        ASSERT_TRUE(found.value());
        expect_pattern(key, writers, {value.data, value.size});
        value.release();
      }
      auto cursor = object::Cursor::open(table);
      ASSERT_TRUE(cursor.ok()) << cursor.error().message();
      object::Bytes key;
      object::Bytes value;
      int seen = 0;
      for (; (*cursor)->next(key, value).value(); ++seen) expect_pattern(std::stoi(test::text(key)), writers, value);
      EXPECT_EQ(seen, pattern_keys);
    } while (!ended(writers) && !::testing::Test::HasFailure());
  });
  const auto store = test::open_store(path_);
  const auto table = test::open_table(*store, "t");
  for (int k = 0; k < pattern_keys; ++k) {
    const std::optional<std::string> value = test::get(*table, std::to_string(k));
    ASSERT_TRUE(value.has_value());
    expect_pattern(k, writers, test::bytes(*value));
  }
  EXPECT_LE(test::walk(*store).leaked_count, test::leaked_max(*store));
}

INSTANTIATE_TEST_SUITE_P(Both, Processes, ::testing::Bool(),
                         [](const ::testing::TestParamInfo<bool>& test) { return test.param ? "Forked" : "Opened"; });

}  // namespace
}  // namespace utan
