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

}  // namespace
}  // namespace utan::tree
