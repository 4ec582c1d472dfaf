// Shows that an ordered tree does what a std::map does, for keys of all types: inserting, replacing, erasing, splitting,
// joining, loading, ranks and cursors; that after every change its nodes are what format/ordered.h says and older versions
// are as they were; and that everything is given back.
// Labels: small
// Timeout: 180 s
#include "tree/ordered.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <map>
#include <string>
#include <vector>

#include "support/ordered_fixture.h"

namespace utan::tree {
namespace {

class OrderedModelTest : public OrderedTest, public ::testing::WithParamInterface<Family> {};

TEST_P(OrderedModelTest, IsWhatAMapIs) {
  UTAN_SEEDED(seed);
  Random random(seed);
  const Family family = GetParam();
  Model model;
  Offset root;
  struct Old {
    View view;
    Offset root;
    Model model;
  };
  std::vector<Old> old;
  std::vector<OwnedKey> used;
  const std::uint64_t commits = test::scaled(family == Family::huge ? 400 : 1500, 20'000);
  for (std::uint64_t i = 0; i < commits && !HasFatalFailure() && !HasNonfatalFailure(); ++i) {
    // Waves, so that the tree grows to several levels and shrinks again.
    const bool growing = i % 100 < 60;
    root = change([&](Build& build) -> Result<Offset> {
      Offset now = root;
      for (std::uint64_t n = below(random, 60) + 1; n > 0; --n) {
        if (below(random, 10) < (growing ? 8U : 2U) || used.empty()) {
          used.push_back(random_key(random, family));
          UTAN_ASSIGN(now, put(build, now, model, used.back()));
        } else {
          const std::uint64_t pick = below(random, used.size());
          UTAN_ASSIGN(now, erase(build, now, model, used[pick]));
          if (!growing) std::swap(used[pick], used.back()), used.pop_back();
        }
      }
      if (i % 7 == 0) return split_and_join(build, now, model, random);
      return now;
    });
    if (i % (model.size() < 1000 ? 5 : 50) == 0) {
      check(view(), root, model);
      check_reading(view(), root, model, random, family);
    }
    if (i % 9 == 0) old.push_back({view(), root, model});
    if (old.size() == 3) {
      for (const Old& one : old) check(one.view, one.root, one.model);
      old.clear();
      forget();
    }
  }
  root = change([&](Build& build) { return clear(build, root, model); });
  EXPECT_EQ(root, Offset{});
  EXPECT_EQ(used_size(), 0U);
}

std::string name_of(const ::testing::TestParamInfo<Family>& of) {
  constexpr std::array names = {"Plain", "Numbers", "Mixed", "Deep", "Paths", "Zeros", "Huge"};
  return names[static_cast<std::size_t>(of.param)];
}
INSTANTIATE_TEST_SUITE_P(Keys, OrderedModelTest,
                         ::testing::Values(Family::plain, Family::numbers, Family::mixed, Family::deep, Family::paths,
                                           Family::zeros, Family::huge),
                         name_of);

TEST_F(OrderedTest, LoadsPackedNodes) {
  UTAN_SEEDED(seed);
  Random random(seed);
  for (const std::uint64_t count : {0U, 1U, 2U, 62U, 63U, 124U, 125U, 3000U, 20'000U}) {
    for (const Family family : {Family::plain, Family::huge}) {
      if (family == Family::huge && count > 3000) continue;
      Model model;
      std::map<std::string, OwnedKey> keys;
      while (keys.size() < count) {
        const OwnedKey key = random_key(random, family);
        keys[key.sequence()] = key;
      }
      std::vector<Offset> records;
      Offset root = change([&](Build& build) -> Result<Offset> {
        for (const auto& [sequence, key] : keys) {
          UTAN_ASSIGN(const Offset record, make_record(build, key));
          records.push_back(record);
          model[sequence] = record;
        }
        return load_ordered(build, records);
      });
      const Counts counts = check(view(), root, model);
      check_reading(view(), root, model, random, family);
      EXPECT_TRUE(count < 3000 || counts.records * 100 > counts.leaves * 62 * 95);
      root = change([&](Build& build) { return clear(build, root, model); });
      EXPECT_EQ(used_size(), 0U);
    }
  }
}

TEST_F(OrderedTest, LoadsNothingThatDoesNotAscend) {
  const auto result = commit([&](Build& build) -> Result<Offset> {
    UTAN_ASSIGN(const Offset a, make_record(build, make_key("a")));
    UTAN_ASSIGN(const Offset b, make_record(build, make_key("b")));
    const std::uint64_t made = build.made_count();
    EXPECT_EQ(load_ordered(build, std::array{b, a}).code(), Code::invalid);
    EXPECT_EQ(load_ordered(build, std::array{a, a}).code(), Code::invalid);
    EXPECT_EQ(build.made_count(), made);
    return Error(Code::invalid, "undone");
  });
  EXPECT_EQ(result.code(), Code::invalid);
  EXPECT_EQ(used_size(), 0U);
}

TEST_F(OrderedTest, RandomInsertionFillsTwoThirds) {
  UTAN_SEEDED(seed);
  Random random(seed);
  Model model;
  std::vector<OwnedKey> keys(test::scaled(20'000, 200'000));
  for (OwnedKey& key : keys) key = random_key(random, Family::plain);
  const Offset root = make_tree(keys, model);
  const Counts counts = check(view(), root, model);
  EXPECT_GT(counts.records * 100, counts.leaves * 62 * 60);
  // Blocks are as long as their entries need.
  EXPECT_LT(counts.leaf_bytes, counts.records * 19);
}

TEST_F(OrderedTest, AscendingInsertionLeavesFullNodesBehind) {
  Model model;
  std::vector<OwnedKey> keys;
  for (std::int64_t i = 0; i < 20'000; ++i) keys.push_back(make_key(Value::integer(i)));
  const Offset root = make_tree(keys, model);
  const Counts counts = check(view(), root, model);
  EXPECT_GT(counts.records * 100, counts.leaves * 62 * 98);
  EXPECT_LT(counts.branches, counts.leaves / 40);
}

TEST_F(OrderedTest, ErasingLeavesNoSmallNodesBehind) {
  UTAN_SEEDED(seed);
  Random random(seed);
  for (const Family family : {Family::plain, Family::paths, Family::deep}) {
    Model model;
    std::vector<OwnedKey> keys(test::scaled(6000, 60'000));
    for (OwnedKey& key : keys) key = random_key(random, family);
    Offset root = make_tree(keys, model);
    std::shuffle(keys.begin(), keys.end(), random);
    root = change([&](Build& build) -> Result<Offset> {
      Offset now = root;
      for (std::size_t i = 0; i < keys.size() * 9 / 10; ++i) {
        UTAN_ASSIGN(now, erase(build, now, model, keys[i]));
      }
      return now;
    });
    const Counts counts = check(view(), root, model);
    // The topmost node, and what is beside nodes that had no room.
    EXPECT_LE(counts.small, 2U);
    root = change([&](Build& build) { return clear(build, root, model); });
    EXPECT_EQ(used_size(), 0U);
  }
}

TEST_F(OrderedTest, ReplacesByAnotherSpelling) {
  Model model;
  Offset root = make_tree({make_key(Value::integer(1)), make_key(Value::integer(2))}, model);
  root = change([&](Build& build) { return put(build, root, model, make_key(Value::real(1.0))); });
  EXPECT_EQ(model.size(), 2U);
  const FoundOrdered where = find_ordered(view(), root, make_key(Value::boolean(true)).encoded());
  ASSERT_EQ(where.status, Status::found);
  EXPECT_EQ(where.record->key_tag(), format::Tag::real);
  check(view(), root, model);
}

TEST_F(OrderedTest, SplitsAndJoinsTreesOfAllHeights) {
  UTAN_SEEDED(seed);
  Random random(seed);
  Model all;
  Offset root;
  // Pieces of very different sizes, from left to right and put in front.
  for (int i = 0; i < 60; ++i) {
    Model model;
    root = change([&](Build& build) -> Result<Offset> {
      Offset piece;
      const std::uint64_t count = std::uint64_t{1} << below(random, 12);
      const bool in_front = below(random, 2) == 0;
      for (std::uint64_t n = 0; n < count; ++n) {
        const std::int64_t number =
            (in_front ? -1 : 1) * (i + 1) * 100'000 + static_cast<std::int64_t>(below(random, 90'000));
        UTAN_ASSIGN(piece, put(build, piece, model, make_key(Value::integer(number))));
      }
      all.insert(model.begin(), model.end());
      return in_front ? join_ordered(build, piece, root) : join_ordered(build, root, piece);
    });
    check(view(), root, all);
    root = change([&](Build& build) { return split_and_join(build, root, all, random); });
    check(view(), root, all);
    forget();
  }
  root = change([&](Build& build) { return clear(build, root, all); });
  EXPECT_EQ(used_size(), 0U);
}

// A tree with two children everywhere, so that few records make it high.
Result<Child> make_high(Build& build, std::span<const Offset> records, std::uint64_t height) {
  if (height == 0) {
    LeafParts parts;
    parts.set(records);
    return parts.write(build, 0, parts.count());
  }
  const std::size_t middle = records.size() / 2;
  UTAN_ASSIGN(const Child left, make_high(build, records.first(middle), height - 1));
  UTAN_ASSIGN(const Child right, make_high(build, records.subspan(middle), height - 1));
  const Separator separator = separator_between(record_sequence(build.view(), records[middle - 1]).value(),
                                                record_sequence(build.view(), records[middle]).value());
  BranchParts parts(height);
  parts.add(left, {});
  parts.add(right, {separator.bytes.data(), separator.size});
  return parts.write(build, 0, 2);
}

TEST_F(OrderedTest, HighTreesHaveTheirCountsApart) {
  UTAN_SEEDED(seed);
  Random random(seed);
  for (const Family family : {Family::plain, Family::paths, Family::deep}) {
    Model model;
    Offset root = change([&](Build& build) -> Result<Offset> {
      while (model.size() < 1000) {
        const OwnedKey key = random_key(random, family);
        if (model.contains(key.sequence())) continue;
        UTAN_ASSIGN(model[key.sequence()], make_record(build, key));
      }
      std::vector<Offset> records;
      for (const auto& [sequence, record] : model) records.push_back(record);
      UTAN_ASSIGN(const Child top, make_high(build, records, format::ordered_wide_height + 2));
      return top.offset;
    });
    check(view(), root, model);
    check_reading(view(), root, model, random, family);
    for (int i = 0; i < 60; ++i) {
      root = change([&](Build& build) -> Result<Offset> {
        Offset now = root;
        for (int n = 0; n < 20; ++n) {
          const OwnedKey key = random_key(random, family);
          UTAN_ASSIGN(now, put(build, now, model, key));
          if (n % 4 == 0) {
            UTAN_ASSIGN(now, erase(build, now, model, key));
          }
        }
        if (i % 10 == 9) return split_and_join(build, now, model, random);
        return now;
      });
      check(view(), root, model);
    }
    check_reading(view(), root, model, random, family);
    root = change([&](Build& build) { return clear(build, root, model); });
    EXPECT_EQ(used_size(), 0U);
  }
}

}  // namespace
}  // namespace utan::tree
