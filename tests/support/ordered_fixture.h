// What tests of ordered trees share: keys that are hard for them, changing a tree and a std::map side by side, and a check
// that a tree is sound and says what the map says.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <map>
#include <random>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "format/key.h"
#include "format/ordered.h"
#include "support/heap_fixture.h"
#include "tree/ordered.h"
#include "tree/ordered_node.h"
#include "tree/ordered_parts.h"

namespace utan::tree {

using format::EncodedKey;
using format::Kind;
using format::Record;
using format::Value;
using heap::Build;
using heap::View;

// A key that owns its bytes.
struct OwnedKey {
  format::Tag tag = format::Tag::null;
  std::string bytes;

  EncodedKey encoded() const {
    return format::stored_key(tag, {reinterpret_cast<const std::byte*>(bytes.data()), bytes.size()}).value();
  }
  // What is compared.
  std::string sequence() const {
    const EncodedKey key = encoded();
    return static_cast<char>(key.key_class) +
           std::string(reinterpret_cast<const char*>(key.order.data()), key.order.size());
  }
};

inline OwnedKey make_key(const Value& value) {
  format::KeyBuffer buffer;
  const EncodedKey key = buffer.encode(value).value();
  return {key.tag, {reinterpret_cast<const char*>(key.bytes.data()), key.bytes.size()}};
}
inline OwnedKey make_key(const std::string& text) { return make_key(Value::string(text)); }

inline std::string text_of(const Sequence& sequence) {
  std::string out(sequence.size(), '\0');
  sequence.copy(0, sequence.size(), reinterpret_cast<std::byte*>(out.data()));
  return out;
}

// --- Keys --------------------------------------------------------------------------------------------------------------

using Random = std::mt19937_64;
inline std::uint64_t below(Random& random, std::uint64_t limit) { return random() % limit; }

inline std::string random_text(Random& random, std::uint64_t size, unsigned letters, char first) {
  std::string out(size, '\0');
  for (char& one : out) one = static_cast<char>(first + static_cast<char>(below(random, letters)));
  return out;
}

// Ways of making keys that are hard for the tree in different places.
enum class Family { plain, numbers, mixed, deep, paths, zeros, huge };

inline OwnedKey random_number(Random& random) {
  const auto whole = static_cast<std::int64_t>(below(random, 4000)) - 2000;
  switch (below(random, 4)) {
    case 0:
      return make_key(Value::real(static_cast<double>(whole)));
    case 1:
      return make_key(Value::real(static_cast<double>(whole) / 16));
    case 2:
      return make_key(Value::integer(whole << below(random, 50)));
    default:
      return make_key(Value::integer(whole));
  }
}

inline OwnedKey random_key(Random& random, Family family) {
  switch (family) {
    case Family::plain:
      return make_key(random_text(random, 16, 26, 'a'));
    case Family::numbers:
      return random_number(random);
    case Family::mixed: {
      const std::string text = random_text(random, below(random, 12), 2, '\0');
      const Value elements[] = {Value::string(std::string_view(text).substr(0, 4)),
                                Value::real(static_cast<double>(below(random, 5))),
                                Value::integer(static_cast<std::int64_t>(below(random, 5)))};
      switch (below(random, 6)) {
        case 0:
          return make_key(Value::null());
        case 1:
          return make_key(Value::datetime(static_cast<std::int64_t>(random())));
        case 2:
          return make_key(Value::binary(std::as_bytes(std::span(text))));
        case 3:
          return make_key(Value::tuple({elements, below(random, 4)}));
        case 4:
          return random_number(random);
        default:
          return make_key(random_text(random, below(random, 20), 3, 'x'));
      }
    }
    case Family::deep:
      // They agree in more bytes than any node keeps of them.
      return make_key(std::string(200 + 100 * below(random, 2), 'p') + random_text(random, below(random, 14), 2, '\0') +
                      random_text(random, below(random, 3), 2, 'a'));
    case Family::paths:
      return make_key("/home/user" + std::to_string(below(random, 4)) + "/projects/" +
                      std::to_string(below(random, 9)) + "/a/long/way/to/the/file" +
                      std::to_string(below(random, 300)) + std::string(below(random, 2) * 60, 'z'));
    case Family::zeros:
      return make_key(random_text(random, below(random, 14), 2, '\0'));
    default:
      if (below(random, 40) != 0) return random_key(random, static_cast<Family>(below(random, 6)));
      return make_key(std::string(format::key_size_max - 3, 'q') + random_text(random, below(random, 4), 3, '\0'));
  }
}

// --- The tree under test -------------------------------------------------------------------------------------------------

class OrderedTest : public test::TreeTest {
 protected:
  using Model = std::map<std::string, Offset>;

  Result<Offset> make_record(Build& build, const OwnedKey& key, std::uint64_t value_size = 8) {
    UTAN_ASSIGN(
        const heap::Made<Record> record,
        build.make<Record>(Kind::record,
                           ByteCount{Record::head_size(key.bytes.size(), value_size) + key.bytes.size() + value_size},
                           static_cast<std::uint16_t>(key.tag)));
    std::byte* const bytes = record.at->set_sizes(key.bytes.size(), value_size);
    std::memcpy(bytes, key.bytes.data(), key.bytes.size());
    return record.offset;
  }
  static void drop_record(Build& build, Offset offset) {
    build.drop(offset,
               build.view().follow_record(offset) == nullptr ? nullptr : &build.view().follow_record(offset)->header);
  }

  // Inserts the key, or replaces its record.
  Result<Offset> put(Build& build, Offset root, Model& model, const OwnedKey& key) {
    const FoundOrdered where = find_ordered(build.view(), root, key.encoded());
    EXPECT_NE(where.status, Status::damaged);
    const std::string sequence = key.sequence();
    EXPECT_EQ(where.status == Status::found, model.contains(sequence));
    UTAN_ASSIGN(const Offset record, make_record(build, key));
    if (where.status == Status::found) {
      EXPECT_EQ(where.offset, model[sequence]);
      drop_record(build, where.offset);
      model[sequence] = record;
      return replace_ordered(build, root, where, record);
    }
    model[sequence] = record;
    return insert_ordered(build, root, where, key.encoded(), record);
  }
  Result<Offset> erase(Build& build, Offset root, Model& model, const OwnedKey& key) {
    const FoundOrdered where = find_ordered(build.view(), root, key.encoded());
    EXPECT_EQ(where.status == Status::found, model.contains(key.sequence()));
    if (where.status != Status::found) return root;
    model.erase(key.sequence());
    drop_record(build, where.offset);
    return erase_ordered(build, root, where);
  }
  // Erases all that is left.
  Result<Offset> clear(Build& build, Offset root, Model& model) {
    Random random(model.size());
    while (!model.empty()) {
      const FoundOrdered where = find_ordered_rank(build.view(), root, below(random, model.size()));
      EXPECT_EQ(where.status, Status::found);
      Sequence sequence;
      EXPECT_TRUE(read_sequence(where.record, sequence));
      EXPECT_EQ(model.erase(text_of(sequence)), 1U);
      drop_record(build, where.offset);
      UTAN_ASSIGN(root, erase_ordered(build, root, where));
    }
    return root;
  }

  template <class Change>
  Offset change(Change&& done) {
    const Result<Offset> root = commit(done);
    EXPECT_TRUE(root.ok()) << (root.ok() ? "" : root.error().message());
    return root.ok() ? root.value() : Offset{};
  }
  // A tree of the keys, each inserted by itself.
  Offset make_tree(const std::vector<OwnedKey>& keys, Model& model) {
    return change([&](Build& build) -> Result<Offset> {
      Offset root;
      for (const OwnedKey& key : keys) {
        UTAN_ASSIGN(root, put(build, root, model, key));
      }
      return root;
    });
  }

  // --- Checking ----------------------------------------------------------------------------------------------------------

  struct Bounds {
    std::string low;           // not above anything
    std::string high;          // above everything; empty: no bound
    bool high_is_cut = false;  // not above the beginning of anything
  };
  struct Counts {
    std::uint64_t records = 0, leaves = 0, branches = 0, small = 0, leaf_bytes = 0;
  };

  static void expect_within(const std::string& sequence, const Bounds& bounds) {
    EXPECT_GE(sequence, bounds.low);
    if (bounds.high.empty()) return;
    if (bounds.high_is_cut) {
      EXPECT_LE(sequence.substr(0, bounds.high.size()), bounds.high);
    } else {
      EXPECT_LT(sequence, bounds.high);
    }
  }

  // Compares a node, and all below it, with the invariants. `sequences` are its keys in order.
  void check_node(const View& view, Offset offset, std::uint64_t height, const Bounds& bounds, Counts& counts,
                  std::vector<std::string>& sequences) {
    OrderedNode node;
    ASSERT_TRUE(read_node(view, offset, height, node)) << view.damage(offset, kind_at(height)).message();
    if (tree::is_small(node.shape)) ++counts.small;
    const std::string prefix(reinterpret_cast<const char*>(node.prefix()), node.shape.prefix_size);
    if (height == 0) {
      EXPECT_EQ(node.header->checksum,
                format::ordered_leaf_checksum(reinterpret_cast<const format::OrderedLeaf*>(node.header)));
      ++counts.leaves;
      counts.leaf_bytes += format::size_classes[node.header->size_class].block_size;
      for (std::uint64_t i = 0; i < node.shape.count; ++i) {
        const Result<Sequence> sequence = record_sequence(view, Offset{node.entries()[i].word});
        ASSERT_TRUE(sequence.ok());
        const std::string text = text_of(*sequence);
        EXPECT_EQ(text.substr(0, prefix.size()), prefix);
        EXPECT_EQ(node.entries()[i].head, sequence->head_at(prefix.size()));
        EXPECT_TRUE(sequences.empty() || sequences.back() < text);
        expect_within(text, bounds);
        sequences.push_back(text);
      }
      counts.records += node.shape.count;
      return;
    }
    EXPECT_EQ(node.header->checksum,
              format::ordered_branch_checksum(reinterpret_cast<const format::OrderedBranch*>(node.header)));
    ++counts.branches;
    Bounds child_bounds = bounds;
    for (std::uint64_t i = 0; i < node.shape.count; ++i) {
      if (i + 1 < node.shape.count) {
        const Separator separator = read_separator(node, i + 1);
        child_bounds.high.assign(reinterpret_cast<const char*>(separator.bytes.data()), separator.size);
        child_bounds.high_is_cut = separator.size == format::ordered_separator_max;
        EXPECT_EQ(child_bounds.high.substr(0, prefix.size()), prefix);
        EXPECT_LE(child_bounds.low, child_bounds.high);
        EXPECT_FALSE(child_bounds.high.empty());
      } else {
        child_bounds.high = bounds.high;
        child_bounds.high_is_cut = bounds.high_is_cut;
      }
      const std::uint64_t before = counts.records;
      check_node(view, node.child(i), height - 1, child_bounds, counts, sequences);
      EXPECT_EQ(node.count_below(i), counts.records - before);
      child_bounds.low = child_bounds.high;
    }
  }

  // The tree is sound and has the keys of the model.
  Counts check(const View& view, Offset root, const Model& model) {
    Counts counts;
    EXPECT_EQ(root == Offset{}, model.empty());
    if (!root) return counts;
    OrderedNode top;
    EXPECT_TRUE(read_root(view, root, top));
    EXPECT_TRUE(top.is_leaf() || top.shape.count >= 2);
    std::vector<std::string> sequences;
    check_node(view, root, top.shape.height, {}, counts, sequences);
    EXPECT_TRUE(std::equal(sequences.begin(), sequences.end(), model.begin(), model.end(),
                           [](const std::string& a, const auto& b) { return a == b.first; }));
    EXPECT_EQ(ordered_count(view, root)->value, model.size());
    return counts;
  }

  // Cursors, searches and ranks say what the model says.
  void check_reading(const View& view, Offset root, const Model& model, Random& random, Family family) {
    OrderedCursor cursor(view, root);
    EXPECT_EQ(cursor.record(), nullptr);
    for (const auto& [sequence, offset] : model) {
      ASSERT_TRUE(cursor.next().ok());
      ASSERT_NE(cursor.record(), nullptr);
      EXPECT_EQ(cursor.offset(), offset);
    }
    EXPECT_TRUE(cursor.next().ok() && cursor.record() == nullptr);
    EXPECT_TRUE(cursor.next().ok() && cursor.record() == nullptr);
    for (auto at = model.rbegin(); at != model.rend(); ++at) {
      ASSERT_TRUE(cursor.previous().ok());
      ASSERT_NE(cursor.record(), nullptr);
      EXPECT_EQ(cursor.offset(), at->second);
    }
    EXPECT_TRUE(cursor.previous().ok() && cursor.record() == nullptr);
    EXPECT_TRUE(cursor.seek_last().ok());
    EXPECT_EQ(cursor.record() == nullptr, model.empty());
    EXPECT_TRUE(model.empty() || cursor.offset() == model.rbegin()->second);
    for (int i = 0; i < 20; ++i) {
      const OwnedKey key = random_key(random, family);
      const auto expected = model.lower_bound(key.sequence());
      const auto rank = static_cast<std::uint64_t>(std::distance(model.begin(), expected));
      const FoundOrdered where = find_ordered(view, root, key.encoded());
      EXPECT_EQ(where.status, model.contains(key.sequence()) ? Status::found : Status::missing);
      EXPECT_EQ(ordered_rank(view, root, where).value(), rank);
      check_at(cursor, cursor.seek(key.encoded()).ok(), model, expected);
      check_at(cursor, cursor.seek_rank(rank).ok(), model, expected);
      const FoundOrdered ranked = find_ordered_rank(view, root, rank);
      EXPECT_EQ(ranked.status == Status::found, expected != model.end());
      EXPECT_EQ(ordered_rank(view, root, ranked).value(), rank);
      if (expected == model.end()) continue;
      EXPECT_EQ(ranked.offset, expected->second);
      if (expected != model.begin()) {
        check_at(cursor, cursor.previous().ok(), model, std::prev(expected));
        check_at(cursor, cursor.next().ok(), model, expected);
      }
      check_at(cursor, cursor.next().ok(), model, std::next(expected));
    }
  }
  static void check_at(const OrderedCursor& cursor, bool ok, const Model& model, Model::const_iterator expected) {
    EXPECT_TRUE(ok);
    ASSERT_EQ(cursor.record() == nullptr, expected == model.end());
    EXPECT_TRUE(expected == model.end() || cursor.offset() == expected->second);
  }

  // Splits the tree somewhere, checks both parts, and joins them again.
  Result<Offset> split_and_join(Build& build, Offset root, const Model& model, Random& random) {
    const std::uint64_t rank = below(random, model.size() + 2);
    UTAN_ASSIGN(const auto parts, split_ordered(build, root, rank));
    const auto middle =
        std::next(model.begin(), static_cast<std::ptrdiff_t>(std::min<std::uint64_t>(rank, model.size())));
    check(build.view(), parts.first, Model(model.begin(), middle));
    check(build.view(), parts.second, Model(middle, model.end()));
    if (parts.first && parts.second) {
      EXPECT_EQ(join_ordered(build, parts.second, parts.first).code(), Code::invalid);
    }
    return join_ordered(build, parts.first, parts.second);
  }
};

}  // namespace utan::tree
