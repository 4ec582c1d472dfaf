// Shows that damaged nodes of an ordered tree lead to errors or wrong values, and to nothing worse: whatever is done with
// such a tree ends, and reads and writes nothing outside the file.
// Labels: small
// Timeout: 180 s
#include <gtest/gtest.h>

#include <cstring>
#include <string>
#include <vector>

#include "support/ordered_fixture.h"

namespace utan::tree {
namespace {

class OrderedDamageTest : public OrderedTest {
 protected:
  void collect(Offset offset, std::uint64_t height, std::vector<OrderedNode>& nodes) {
    OrderedNode node;
    ASSERT_TRUE(read_node(view(), offset, height, node));
    nodes.push_back(node);
    for (std::uint64_t i = 0; height != 0 && i < node.shape.count; ++i) collect(node.child(i), height - 1, nodes);
  }

  // Debug builds stop when a freed block is followed (rule R5): what is freed shall not look like it.
  void hide_freed() {
    std::uint64_t pattern;
    std::memset(&pattern, format::freed_pattern, sizeof pattern);
    auto* words = reinterpret_cast<std::uint64_t*>(heap_.base());
    std::replace(words + format::regions_offset / 8, words + heap_.file_size().value / 8, pattern, std::uint64_t{0});
  }

  // Changes some bytes: counts, sizes and heights often; not the kind, which in a debug build may say that a block is free.
  static void scratch(std::byte* bytes, std::uint64_t size, Random& random) {
    for (std::uint64_t n = below(random, 4) + 1; n > 0; --n) {
      std::uint64_t at = below(random, 2) == 0 ? 13 + below(random, 11) : below(random, size);
      if (at == 12) at = 14;
      bytes[at] = below(random, 2) == 0 ? static_cast<std::byte>(random()) : bytes[at] ^ std::byte{1};
    }
  }
  // Has entries of the node lead to other nodes or records of the tree, so that some are met twice and others never.
  static void cross(const OrderedNode& node, const std::vector<OrderedNode>& nodes, Random& random) {
    auto* entries = const_cast<format::OrderedEntry*>(node.entries());
    for (std::uint64_t n = below(random, 8) + 1; n > 0; --n) {
      const OrderedNode& other = nodes[below(random, nodes.size())];
      format::OrderedEntry& entry = entries[below(random, node.shape.count)];
      if (node.is_leaf()) {
        entry.word = other.is_leaf() ? other.entries()[below(random, other.shape.count)].word : other.offset.value;
      } else {
        entry.word = format::OrderedChild::make(other.offset, below(random, 100)).word;
      }
    }
  }

  // Everything that can be done to a tree, whatever it answers.
  void use(Offset root, Random& random, Family family, std::uint64_t record_count) {
    build_->begin(view(), number_.next());
    Build& build = *build_;
    Offset now = root;
    const auto take = [&now](const Result<Offset>& result) {
      if (result.ok()) now = result.value();
      return result.ok();
    };
    for (int i = 0; i < 12; ++i) {
      const OwnedKey key = random_key(random, family);
      const FoundOrdered where = below(random, 2) == 0
                                     ? find_ordered(build.view(), now, key.encoded())
                                     : find_ordered_rank(build.view(), now, below(random, record_count));
      static_cast<void>(ordered_rank(build.view(), now, where));
      static_cast<void>(ordered_count(build.view(), now));
      const Result<Offset> record = make_record(build, key);
      ASSERT_TRUE(record.ok());
      bool good = true;
      if (where.status == Status::missing) good = take(insert_ordered(build, now, where, key.encoded(), *record));
      if (where.status == Status::found)
        good = take(below(random, 3) == 0 ? replace_ordered(build, now, where, *record)
                                          : erase_ordered(build, now, where));
      if (good && i == 6) {
        const auto parts = split_ordered(build, now, below(random, record_count));
        good = parts.ok() && take(join_ordered(build, parts->first, parts->second));
      }
      if (!good) break;
    }
    build.discard();
    if (debug_build) hide_freed();
    OrderedCursor cursor(view(), root);
    std::uint64_t steps = 0;
    bool ok = below(random, 2) == 0 || cursor.seek(random_key(random, family).encoded()).ok();
    for (ok = ok && cursor.next().ok(); ok && cursor.record() != nullptr; ok = cursor.next().ok()) ++steps;
    for (ok = cursor.seek_last().ok(); ok && cursor.record() != nullptr; ok = cursor.previous().ok()) ++steps;
    EXPECT_LT(steps, 200 * record_count);
  }
};

TEST_F(OrderedDamageTest, LeadsToErrorsOrWrongValuesAlone) {
  UTAN_SEEDED(seed);
  Random random(seed);
  for (const Family family : {Family::plain, Family::deep, Family::paths}) {
    Model model;
    std::vector<OwnedKey> keys(3000);
    for (OwnedKey& key : keys) key = random_key(random, family);
    const Offset root = make_tree(keys, model);
    hide_freed();
    std::vector<OrderedNode> nodes;
    OrderedNode top;
    ASSERT_TRUE(read_root(view(), root, top));
    collect(root, top.shape.height, nodes);
    for (std::uint64_t i = 0; i < test::scaled(2000, 100'000); ++i) {
      const OrderedNode& node = nodes[below(random, 4) == 0 ? 0 : below(random, nodes.size())];
      auto* bytes = const_cast<std::byte*>(reinterpret_cast<const std::byte*>(node.header));
      const std::string before(reinterpret_cast<const char*>(bytes), node.shape.size());
      if (below(random, 3) == 0) {
        cross(node, nodes, random);
      } else {
        scratch(bytes, before.size(), random);
      }
      use(root, random, family, model.size());
      std::memcpy(bytes, before.data(), before.size());
    }
    check(view(), root, model);
  }
}

// --- Damage at one place ------------------------------------------------------------------------------------------------

class OrderedDamageInOnePlaceTest : public OrderedDamageTest {
 protected:
  void SetUp() override {
    OrderedDamageTest::SetUp();
    std::vector<OwnedKey> keys;
    for (int i = 0; i < 4500; ++i) keys.push_back(make_key(Value::integer(i)));
    root_ = make_tree(keys, model_);
    OrderedNode top;
    ASSERT_TRUE(read_root(view(), root_, top));
    ASSERT_EQ(top.shape.height, 2U);
  }
  // The node at this depth of the way to an entry.
  format::BlockHeader* node_of(const FoundOrdered& where, std::uint64_t depth) {
    return heap_.at<format::BlockHeader>(where.path.steps[depth].node());
  }
  void expect_damage(const Result<Offset>& result) { EXPECT_EQ(result.code(), Code::corruption); }

  Model model_;
  Offset root_;
  ExpectDamage expect_damage_;
};

// A block of the way to a key may have been handed out again between the search and the change.
TEST_F(OrderedDamageInOnePlaceTest, ANodeThatHasChangedSinceTheSearch) {
  const OwnedKey key = make_key(Value::real(0.5));
  const FoundOrdered missing = find_ordered(view(), root_, key.encoded());
  const FoundOrdered found = find_ordered_rank(view(), root_, 0);
  ASSERT_EQ(missing.status, Status::missing);
  ASSERT_EQ(found.status, Status::found);
  for (const std::uint64_t depth : {1, 2}) {
    format::BlockHeader* const node = node_of(found, depth);
    const format::Kind right = node->kind;
    node->kind = Kind::bucket;
    expect_damage(commit([&](Build& build) -> Result<Offset> {
      UTAN_ASSIGN(const Offset record, make_record(build, key));
      return insert_ordered(build, root_, missing, key.encoded(), record);
    }));
    expect_damage(commit([&](Build& build) { return erase_ordered(build, root_, found); }));
    node->kind = right;
  }
  check(view(), root_, model_);
}

TEST_F(OrderedDamageInOnePlaceTest, ANodeThatHasChangedUnderACursor) {
  const auto end_of = [](OrderedCursor& cursor, auto&& step) {
    Result<void> done;
    while ((done = step()).ok() && cursor.record() != nullptr) {
    }
    return done.code();
  };
  format::BlockHeader* const branch = node_of(find_ordered_rank(view(), root_, 0), 1);
  OrderedCursor forward(view(), root_);
  ASSERT_TRUE(forward.seek_first().ok());
  branch->kind = Kind::bucket;
  EXPECT_EQ(end_of(forward, [&] { return forward.next(); }), Code::corruption);
  branch->kind = Kind::ordered_branch;
  // The branch has fewer children than the one that the cursor stands at.
  format::BlockHeader* const last = node_of(find_ordered_rank(view(), root_, model_.size() - 1), 1);
  OrderedCursor backward(view(), root_);
  ASSERT_TRUE(backward.seek_last().ok());
  const std::uint16_t right = last->aux;
  last->aux = format::OrderedAux::make(1, format::OrderedAux{right}.prefix_size()).word;
  EXPECT_EQ(end_of(backward, [&] { return backward.previous(); }), Code::corruption);
  last->aux = right;
  check(view(), root_, model_);
}

TEST_F(OrderedDamageInOnePlaceTest, ANodeThatIsNoneIsNotDropped) {
  node_of(find_ordered_rank(view(), root_, 100), 2)->kind = Kind::bucket;
  const Result<void> dropped = commit([&](Build& build) { return drop_ordered(build, root_); });
  EXPECT_EQ(dropped.code(), Code::corruption);
}

// A branch with a single child has no neighbour to take what its child has left.
TEST_F(OrderedDamageInOnePlaceTest, ABranchWithoutANeighbourStaysSmall) {
  OrderedNode top;
  ASSERT_TRUE(read_root(view(), root_, top));
  std::uint64_t rest = top.count_below(0);
  auto* const header = const_cast<format::BlockHeader*>(top.header);
  header->aux = format::OrderedAux::make(1, top.shape.prefix_size).word;
  const std::uint64_t whole = rest;
  for (; rest > whole / 8; --rest) {
    root_ =
        change([&](Build& build) { return erase_ordered(build, root_, find_ordered_rank(build.view(), root_, 0)); });
    ASSERT_EQ(ordered_count(view(), root_)->value, rest - 1);
  }
  OrderedCursor cursor(view(), root_);
  for (std::uint64_t i = whole - rest; i < whole; ++i) {
    ASSERT_TRUE(cursor.next().ok());
    ASSERT_NE(cursor.record(), nullptr) << i;
    const auto expected = std::next(model_.begin(), static_cast<std::ptrdiff_t>(i));
    EXPECT_EQ(cursor.offset(), expected->second) << i;
  }
}

// Where a branch has only the beginnings of keys, the lowest record below it is asked.
TEST_F(OrderedDamageInOnePlaceTest, ARecordThatASeparatorStandsForHasNoKey) {
  Model model;
  std::vector<OwnedKey> keys;
  for (int i = 1000; i < 1400; ++i) keys.push_back(make_key(std::string(300, 'c') + std::to_string(i)));
  const Offset root = make_tree(keys, model);
  OrderedNode top;
  ASSERT_TRUE(read_root(view(), root, top));
  for (std::uint64_t i = 1; i < top.shape.count; ++i) {
    OrderedNode leaf;
    ASSERT_TRUE(read_node(view(), top.child(i), 0, leaf));
    heap_.at<format::BlockHeader>(Offset{leaf.entries()[0].word})->aux =
        static_cast<std::uint16_t>(format::Tag::container);
  }
  const FoundOrdered where = find_ordered(view(), root, keys[200].encoded());
  EXPECT_EQ(where.status, Status::damaged);
  EXPECT_EQ(where.expected, Kind::record);
}

}  // namespace
}  // namespace utan::tree
