// Shows that a table behaves as std::unordered_map does under random operations, with snapshots that stay as they were,
// through closing and reopening, and that after everything each block of the store is reachable or free, never both.
#include <gtest/gtest.h>

#include <thread>
#include <unordered_map>
#include <vector>

#include "object/container.h"
#include "object/table_get.h"
#include "support/store_fixture.h"

namespace utan {
namespace {

using test::get;
using test::put;
using Model = std::unordered_map<std::string, std::string>;

std::string random_bytes(std::mt19937_64& random, std::size_t size) {
  std::string out(size, '\0');
  for (char& c : out) c = static_cast<char>(random());
  return out;
}

std::string key_of(std::uint64_t n) {
  return "key " + std::to_string(n * 0x9e3779b97f4a7c15u % 100003) + (n % 7 == 0 ? std::string("\0x", 2) : "");
}

std::size_t random_size(std::mt19937_64& random) {
  switch (random() % 100) {
    case 0:
      return random() % 100'000;
    case 1:
    case 2:
    case 3:
      return random() % 5000;
    default:
      return random() % 200;
  }
}

void expect_equal(const object::Table& table, const Model& model) {
  ASSERT_EQ(table.count()->value, model.size());
  for (const auto& [key, value] : model) ASSERT_EQ(get(table, key), value);
  auto cursor = object::Cursor::open(table);
  ASSERT_TRUE(cursor.ok()) << cursor.error().message();
  std::uint64_t seen = 0;
  object::Bytes key;
  object::Bytes value;
  for (;;) {
    const Result<bool> more = (*cursor)->next(key, value);
    ASSERT_TRUE(more.ok()) << more.error().message();
    if (!more.value()) break;
    ++seen;
    const auto it = model.find(test::text(key));
    ASSERT_NE(it, model.end());
    ASSERT_EQ(test::text(value), it->second);
  }
  ASSERT_EQ(seen, model.size());
}

struct Held {
  std::unique_ptr<object::Store> snapshot;
  Model model;
};

TEST(Table, BehavesAsAMapWithSnapshotsAndReopening) {
  UTAN_SEEDED(seed);
  std::mt19937_64 random(seed);
  test::TemporaryFolder folder;
  const std::string path = folder.path("model.utan");
  auto store = test::open_store(path);
  auto table = test::open_table(*store, "t");
  Model model;
  std::vector<Held> held;
  const std::uint64_t operations = test::scaled(40'000, 2'000'000);
  std::uint64_t key_space = 50;
  for (std::uint64_t i = 0; i < operations; ++i) {
    if (random() % 2000 == 0) key_space = std::uint64_t{1} << (random() % 13);
    const std::string key = key_of(random() % key_space);
    switch (random() % 12) {
      case 0:
      case 1:
      case 2:
      case 3:
      case 4: {
        const std::string value = random_bytes(random, random_size(random));
        put(*table, key, value);
        model[key] = value;
        break;
      }
      case 5:
      case 6:
        ASSERT_EQ(test::erase(*table, key), model.erase(key) == 1);
        break;
      case 7: {
        const Result<bool> added = table->put(test::bytes(key), test::bytes("added"), object::Table::Put::if_absent);
        ASSERT_TRUE(added.ok());
        ASSERT_EQ(added.value(), model.emplace(key, "added").second);
        break;
      }
      case 8: {
        const auto it = model.find(key);
        const std::string expected = it != model.end() && random() % 2 == 0 ? it->second : "something else";
        const Result<bool> replaced = table->replace(test::bytes(key), test::bytes(expected), test::bytes("replaced"));
        ASSERT_TRUE(replaced.ok());
        ASSERT_EQ(replaced.value(), it != model.end() && it->second == expected);
        if (replaced.value()) it->second = "replaced";
        break;
      }
      default: {
        const auto it = model.find(key);
        ASSERT_EQ(get(*table, key), it == model.end() ? std::nullopt : std::optional<std::string>(it->second));
        break;
      }
    }
    if (random() % 500 == 0 && held.size() < 5) {
      Result<std::unique_ptr<object::Store>> snapshot = store->snapshot();
      ASSERT_TRUE(snapshot.ok());
      held.push_back({std::move(snapshot).value(), model});
    }
    if (random() % 700 == 0 && !held.empty()) {
      const std::size_t at = random() % held.size();
      {
        auto old = held[at].snapshot->table("t", false);
        ASSERT_TRUE(old.ok());
        expect_equal(**old, held[at].model);
      }
      held.erase(held.begin() + static_cast<std::ptrdiff_t>(at));
    }
    if (random() % 4000 == 0) {
      ASSERT_EQ(test::walk(*store).leaked_count, 0u);
      ASSERT_TRUE(store->sync().ok());
    }
    if (random() % 8000 == 0) {
      expect_equal(*table, model);
      held.clear();
      table.reset();
      store.reset();
      store = test::open_store(path);
      table = test::open_table(*store, "t");
      ASSERT_EQ(test::walk(*store).leaked_count, 0u) << "after a clean close";
    }
    if (::testing::Test::HasFailure()) return;
  }
  expect_equal(*table, model);
  held.clear();
  const check::Report report = test::walk(*store);
  EXPECT_EQ(report.leaked_count, 0u);
  EXPECT_EQ(report.record_count, model.size() + 1) << "and the root's one";
}

TEST(Table, GrowsAndShrinks) {
  test::TemporaryFolder folder;
  auto store = test::open_store(folder.path("s.utan"));
  auto table = test::open_table(*store, "t");
  const int count = 70'000;  // three levels of directory
  for (int i = 0; i < count; ++i) put(*table, std::to_string(i), std::to_string(i * 2));
  ASSERT_EQ(table->count()->value, static_cast<std::uint64_t>(count));
  for (int i = 0; i < count; ++i) ASSERT_EQ(get(*table, std::to_string(i)), std::to_string(i * 2));
  EXPECT_EQ(test::walk(*store).leaked_count, 0u);
  for (int i = 0; i < count; ++i) ASSERT_TRUE(test::erase(*table, std::to_string(i)));
  ASSERT_EQ(table->count()->value, 0u);
  EXPECT_EQ(test::walk(*store).leaked_count, 0u);
  put(*table, "again", "x");
  EXPECT_EQ(get(*table, "again"), "x");
}

TEST(Table, HoldsAnyBytesWithinItsLimits) {
  test::TemporaryFolder folder;
  auto store = test::open_store(folder.path("s.utan"));
  auto table = test::open_table(*store, "");
  const std::string longest(format::key_size_max, 'k');
  put(*table, "", "");
  put(*table, longest, "");
  put(*table, std::string("\0", 1), std::string(3, '\0'));
  EXPECT_EQ(get(*table, ""), "");
  EXPECT_EQ(get(*table, longest), "");
  EXPECT_EQ(get(*table, std::string("\0", 1)), std::string(3, '\0'));
  const Result<bool> refused = table->put(test::bytes(longest + "k"), {}, object::Table::Put::always);
  EXPECT_EQ(refused.code(), Code::too_large);
  EXPECT_EQ(table->count()->value, 3u);
}

TEST(Table, HoldsLargeValuesInOneRunAndInExtents) {
  UTAN_SEEDED(seed);
  std::mt19937_64 random(seed);
  test::TemporaryFolder folder;
  const std::string path = folder.path("s.utan");
  auto store = test::open_store(path);
  auto table = test::open_table(*store, "t");
  const std::size_t sizes[] = {
      8168, 8169, 16'000, 16'384, 1'000'000, format::run_size_max - 30, format::run_size_max, 40'000'000};
  Model model;
  for (int round = 0; round < 3; ++round) {
    for (const std::size_t size : sizes) {
      std::string value(size, static_cast<char>('a' + round));
      for (std::size_t i = 0; i < size; i += 997) value[i] = static_cast<char>(random());
      put(*table, std::to_string(size), value);
      model[std::to_string(size)] = std::move(value);
    }
    const std::string& big = model["40000000"];
    const std::string other = big + "x";
    EXPECT_FALSE(table->replace(test::bytes("40000000"), test::bytes(other), test::bytes("no")).value());
    EXPECT_TRUE(table->replace(test::bytes("40000000"), test::bytes(big), test::bytes(other)).value());
    model["40000000"] = other;
    if (round == 1) {
      table.reset();
      store.reset();
      store = test::open_store(path);
      table = test::open_table(*store, "t");
    }
    expect_equal(*table, model);
    EXPECT_EQ(test::walk(*store).leaked_count, 0u);
  }
  const auto snapshot = store->snapshot();
  ASSERT_TRUE(snapshot.ok());
  put(*table, "40000000", "another one");
  const auto before = (*snapshot)->table("t", false);
  ASSERT_TRUE(before.ok());
  expect_equal(**before, model);
}

// A container takes the place of bytes in a table, and is equal to none.
TEST(Table, AContainerIsNotReplacedAsBytes) {
  test::TemporaryFolder folder;
  auto store = test::open_store(folder.path("s.utan"));
  auto table = test::open_table(*store, "t");
  put(*table, "k", "bytes");
  const auto container = store->container("t", format::ContainerType::table, true).value();
  object::Data data;
  ASSERT_TRUE(data.begin(format::ContainerType::list).ok());
  ASSERT_TRUE(data.end().ok());
  object::Input input(data);
  ASSERT_TRUE(container->set(format::Value::binary(test::bytes("k")), input).ok());
  const Result<bool> replaced = table->replace(test::bytes("k"), test::bytes("bytes"), test::bytes("other"));
  ASSERT_TRUE(replaced.ok()) << replaced.error().message();
  EXPECT_FALSE(*replaced);
  object::Loan loan;
  ASSERT_TRUE(*container->get(format::Value::binary(test::bytes("k")), loan));
  EXPECT_EQ(loan.type(), format::ContainerType::list);
}

TEST(Table, ADamagedObjectTableIsAnError) {
  test::TemporaryFolder folder;
  auto store = test::open_store(folder.path("s.utan"));
  auto table = test::open_table(*store, "t");
  put(*table, "k", "v");
  const heap::Heap& heap = store->attachment().session().value()->heap();
  const format::HeadWord head{heap.coordination().fixed().head.load()};
  auto* const leaf = heap.at<format::ObjectLeaf>(Offset{heap.at<format::CommitBlock>(head.block())->object_table_root});
  const auto expect_all = [&](Code code) {
    const ExpectDamage damage_expected;
    object::Value value;
    EXPECT_EQ(table->get_quickly(test::bytes("k"), value), tree::Quick::unusual);
    EXPECT_EQ(table->get(test::bytes("k"), value).code(), code);
    EXPECT_EQ(table->count().code(), code);
    EXPECT_EQ(object::Cursor::open(*table).code(), code);
    EXPECT_EQ(table->put(test::bytes("k"), test::bytes("w"), object::Table::Put::always).code(), code);
  };
  // Also by who has been there before.
  format::ObjectEntry& entry = leaf->entries()[table->id().index()];
  const format::ObjectEntry right = entry;
  entry = {};
  expect_all(Code::closed);
  entry = right;
  leaf->header.kind = format::Kind::bucket;
  std::thread([&] { expect_all(Code::corruption); }).join();
  leaf->header.kind = format::Kind::object_leaf;
  EXPECT_EQ(get(*table, "k"), "v");
}

// Whoever holds values already pins in another place, which is free again.
TEST(Table, ADamagedHeadIsAnErrorForThoseWhoHoldValues) {
  test::TemporaryFolder folder;
  auto store = test::open_store(folder.path("s.utan"));
  auto table = test::open_table(*store, "t");
  put(*table, "k", "v");
  std::vector<object::Value> held(commit::Thread::own_pin_count);
  for (object::Value& value : held) ASSERT_TRUE(*table->get(test::bytes("k"), value));
  const std::uint64_t pins = store->statistics()->pins.value;
  const ExpectDamage damage_expected;
  auto& head = store->attachment().session().value()->heap().coordination().fixed().head;
  const std::uint64_t right = head.load();
  head.store(format::HeadWord::make(Offset{format::regions_offset}, CommitNumber{1}).word);
  object::Value value;
  EXPECT_EQ(table->get(test::bytes("k"), value).code(), Code::corruption);
  head.store(right);
  EXPECT_EQ(store->statistics()->pins.value, pins);
  EXPECT_EQ(get(*table, "k"), "v");
  for (object::Value& one : held) one.release();
}

TEST(Table, AValueStaysWhileItIsHeld) {
  test::TemporaryFolder folder;
  auto store = test::open_store(folder.path("s.utan"));
  auto table = test::open_table(*store, "t");
  std::vector<object::Value> held;
  for (int i = 0; i < 20; ++i) {
    put(*table, "k", std::string(100, static_cast<char>('a' + i)));
    object::Value value;
    ASSERT_TRUE(table->get(test::bytes("k"), value).value());
    held.push_back(value);
    for (int j = 0; j < 300; ++j) put(*table, "other", std::to_string(j));
  }
  for (int i = 0; i < 20; ++i) {
    EXPECT_EQ(test::text({held[static_cast<std::size_t>(i)].data, 100}), std::string(100, static_cast<char>('a' + i)));
    held[static_cast<std::size_t>(i)].release();
  }
  for (int j = 0; j < 3000; ++j) put(*table, "other", std::to_string(j));
  EXPECT_EQ(test::walk(*store).leaked_count, 0u);
}

TEST(Table, ASnapshotCostsWhatItAloneSees) {
  test::TemporaryFolder folder;
  auto store = test::open_store(folder.path("s.utan"));
  auto table = test::open_table(*store, "t");
  for (int i = 0; i < 10'000; ++i) put(*table, std::to_string(i), std::string(100, 'x'));
  const std::uint64_t loaded = store->statistics()->heap.used.value;
  auto snapshot = store->snapshot();
  ASSERT_TRUE(snapshot.ok());
  for (int round = 0; round < 10; ++round) {
    for (int i = 0; i < 10'000; ++i) put(*table, std::to_string(i), std::string(100, static_cast<char>('a' + round)));
  }
  const std::uint64_t with_snapshot = store->statistics()->heap.used.value;
  EXPECT_LT(with_snapshot, loaded * 23 / 10 + 1'000'000);
  EXPECT_EQ(get(*(*snapshot)->table("t", false).value(), "77"), std::string(100, 'x'));
  snapshot.value().reset();
  for (int i = 0; i < 10'000; ++i) put(*table, std::to_string(i), std::string(100, 'z'));
  EXPECT_LT(store->statistics()->heap.used.value, loaded * 11 / 10 + 1'000'000);
  EXPECT_EQ(test::walk(*store).leaked_count, 0u);
}

TEST(Table, NamesAreTables) {
  test::TemporaryFolder folder;
  auto store = test::open_store(folder.path("s.utan"));
  EXPECT_EQ(store->table("missing", false).code(), Code::not_found);
  for (int i = 0; i < 300; ++i) {
    auto table = test::open_table(*store, "table " + std::to_string(i));
    put(*table, "k", std::to_string(i));
  }
  for (int i = 0; i < 300; ++i)
    EXPECT_EQ(get(*test::open_table(*store, "table " + std::to_string(i)), "k"), std::to_string(i));
  EXPECT_EQ(store->table(std::string(5000, 'n'), true).code(), Code::too_large);
  EXPECT_EQ(test::walk(*store).leaked_count, 0u);
}

}  // namespace
}  // namespace utan
