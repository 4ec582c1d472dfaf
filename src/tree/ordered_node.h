// Keys as the ordered tree compares them, and its nodes as they are searched: shared by the tree's parts.
//
// Thread safety: pure functions on what a pinned commit sees.
#pragma once

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>

#include "base/fetch.h"
#include "base/types.h"
#include "format/key.h"
#include "format/nodes.h"
#include "format/ordered.h"
#include "heap/view.h"
#include "tree/ordered.h"

namespace utan::tree {

// --- Sequences ---------------------------------------------------------------------------------------------------------

inline std::uint64_t load_big_endian(const std::byte* at) {
  std::uint64_t word;
  std::memcpy(&word, at, sizeof word);
  return __builtin_bswap64(word);
}

// What is compared: the byte of the class, then the bytes of the order.
struct Sequence {
  std::uint8_t first = 0;
  const std::byte* order = nullptr;
  std::uint64_t order_size = 0;

  std::uint64_t size() const { return order_size + 1; }
  // The eight bytes from `position` on as a number, with zeros behind the end.
  [[gnu::always_inline]] std::uint64_t head_at(std::uint64_t position) const {
    if (position == 0) return std::uint64_t{first} << 56 | order_head_at(0) >> 8;
    return order_head_at(position - 1);
  }
  // Copies `count` bytes from `position` on, all of which must exist.
  void copy(std::uint64_t position, std::uint64_t count, std::byte* out) const {
    if (count == 0) return;
    if (position == 0) {
      *out++ = static_cast<std::byte>(first);
      ++position;
      --count;
    }
    if (count != 0) std::memcpy(out, order + position - 1, count);
  }

 private:
  [[gnu::always_inline]] std::uint64_t order_head_at(std::uint64_t at) const {
    if (at + 8 <= order_size) [[likely]]
      return load_big_endian(order + at);
    if (at >= order_size) return 0;
    const std::uint64_t rest = order_size - at;
    if (order_size >= 8) return load_big_endian(order + order_size - 8) << (64 - 8 * rest);
    std::uint64_t out = 0;
    for (std::uint64_t i = 0; i < rest; ++i)
      out |= std::uint64_t{static_cast<std::uint8_t>(order[at + i])} << (56 - 8 * i);
    return out;
  }
};

inline Sequence sequence_of(const format::EncodedKey& key) {
  return {static_cast<std::uint8_t>(key.key_class), key.order.data(), key.order.size()};
}

// Of a record's key; false if it is none.
[[gnu::always_inline]] inline bool read_sequence(const format::Record* record, Sequence& out) {
  const format::Tag tag = record->key_tag();
  out.order = record->key();
  out.order_size = record->key_size();
  if (tag == format::Tag::string || tag == format::Tag::bytes) [[likely]] {
    out.first =
        static_cast<std::uint8_t>(tag == format::Tag::string ? format::KeyClass::string : format::KeyClass::bytes);
    return true;
  }
  const Result<format::EncodedKey> key = format::stored_key(tag, {record->key(), record->key_size()});
  if (!key.ok()) return false;
  out = sequence_of(*key);
  return true;
}

inline int compare_sizes(std::uint64_t a, std::uint64_t b) { return a < b ? -1 : a > b ? 1 : 0; }

inline int compare_bytes(const std::byte* a, std::uint64_t a_size, const std::byte* b, std::uint64_t b_size) {
  const std::uint64_t common = std::min(a_size, b_size);
  const int order = common == 0 ? 0 : std::memcmp(a, b, common);
  return order != 0 ? order : compare_sizes(a_size, b_size);
}
inline int compare(const Sequence& a, const Sequence& b) {
  if (a.first != b.first) return a.first < b.first ? -1 : 1;
  return compare_bytes(a.order, a.order_size, b.order, b.order_size);
}
// How many bytes both begin with, at most `most`.
inline std::uint64_t common_size(const std::byte* a, const std::byte* b, std::uint64_t most) {
  return static_cast<std::uint64_t>(std::mismatch(a, a + most, b).first - a);
}
inline std::uint64_t common_size(const Sequence& a, const Sequence& b) {
  if (a.first != b.first) return 0;
  return 1 + common_size(a.order, b.order, std::min(a.order_size, b.order_size));
}
// Of a sequence and a prefix.
inline std::uint64_t common_size(const Sequence& a, const std::byte* prefix, std::uint64_t prefix_size) {
  if (prefix_size == 0 || static_cast<std::byte>(a.first) != *prefix) return 0;
  return 1 + common_size(a.order, prefix + 1, std::min(a.order_size, prefix_size - 1));
}

// Has memory bring the lines of a block. Nothing is read: a damaged offset may be anything.
[[gnu::always_inline]] inline void fetch_lines(const heap::View& view, std::uint64_t offset, std::uint64_t first,
                                               std::uint64_t count) {
  const std::uint64_t at = reinterpret_cast<std::uintptr_t>(view.base()) + offset;
#pragma GCC unroll 16
  for (std::uint64_t line = first; line < first + count; ++line)
    fetch_line(reinterpret_cast<const void*>(at + line * 64));
}

// --- Nodes -------------------------------------------------------------------------------------------------------------

// A node whose shape is sound and which is inside the file.
struct OrderedNode {
  const format::BlockHeader* header = nullptr;
  Offset offset;
  format::OrderedShape shape;

  const format::OrderedEntry* entries() const { return format::ordered_entries(header, shape); }
  const std::byte* prefix() const { return format::ordered_part(header, shape.prefix_at()); }
  bool is_leaf() const { return shape.height == 0; }
  Offset child(std::uint64_t index) const { return format::OrderedChild{entries()[index].word}.child(); }
  std::uint64_t count_below(std::uint64_t index) const {
    return is_leaf() ? 1 : format::ordered_count_below(header, shape, index);
  }
  // Of all that is below.
  std::uint64_t record_count() const {
    if (is_leaf()) return shape.count;
    std::uint64_t sum = 0;
    for (std::uint64_t i = 0; i < shape.count; ++i) sum += count_below(i);
    return sum;
  }
};

inline format::Kind kind_at(std::uint64_t height) {
  return height == 0 ? format::Kind::ordered_leaf : format::Kind::ordered_branch;
}

// The node at `offset`, which has this height. False: it is damaged.
inline bool read_node(const heap::View& view, Offset offset, std::uint64_t height, OrderedNode& out) {
  out.offset = offset;
  if (height == 0) {
    const auto* leaf = view.follow<format::OrderedLeaf>(offset, format::Kind::ordered_leaf);
    if (leaf == nullptr) return false;
    out.header = &leaf->header;
    out.shape = format::OrderedShape::of(leaf);
  } else {
    const auto* branch = view.follow<format::OrderedBranch>(offset, format::Kind::ordered_branch);
    if (branch == nullptr) return false;
    out.header = &branch->header;
    out.shape = format::OrderedShape::of(branch);
    if (out.shape.height != height) return false;
  }
  return out.shape.is_sound() && out.shape.size() <= view.size().value - offset.value;
}
// The topmost node, whatever its height.
inline bool read_root(const heap::View& view, Offset offset, OrderedNode& out) {
  const auto* branch = view.follow<format::OrderedBranch>(offset, format::Kind::ordered_branch);
  if (branch == nullptr) return read_node(view, offset, 0, out);
  const std::uint64_t height = branch->height;
  return height != 0 && read_node(view, offset, height, out);
}

// What a damaged root is said to be expected as.
inline format::Kind kind_of_root(const heap::View& view, Offset root) {
  const bool is_branch = view.follow<format::OrderedBranch>(root, format::Kind::ordered_branch) != nullptr;
  return is_branch ? format::Kind::ordered_branch : format::Kind::ordered_leaf;
}

// The last of `count` entries (at least one) whose head is not above `head`; 0 if that of all others is. Without a branch
// that could be mispredicted: what is found is as good as random.
[[gnu::always_inline]] inline std::uint64_t last_not_above(const format::OrderedEntry* entries, std::uint64_t count,
                                                           std::uint64_t head) {
  // In bytes, so that an index needs no multiplication.
  const auto is_above = [&](std::uint64_t at) {
    std::uint64_t other;
    std::memcpy(&other, reinterpret_cast<const std::byte*>(entries) + at, sizeof other);
    return -static_cast<std::uint64_t>(head < other);
  };
  // First the last of them, or the first of them, as many as the largest power of two that there are; then half of these.
  std::uint64_t left = std::bit_floor(count) * sizeof(format::OrderedEntry);
  std::uint64_t at = count * sizeof(format::OrderedEntry) - left;
  at -= at & is_above(at);
  while (left > sizeof(format::OrderedEntry)) {
    left /= 2;
    at += left;
    at -= left & is_above(at);
  }
  return at / sizeof(format::OrderedEntry);
}

// The first of the entries before and at `index` that has its head.
inline std::uint64_t first_of_equal(const format::OrderedEntry* entries, std::uint64_t from, std::uint64_t index) {
  const std::uint64_t head = entries[index].head;
  while (index > from && entries[index - 1].head == head) --index;
  return index;
}

// The lowest or highest record below a node, by at most one step for each level. False: `damaged` is, of kind `expected`.
bool find_edge(const heap::View& view, const OrderedNode& node, bool lowest, const format::Record*& out,
               Offset& damaged, format::Kind& expected);
// The same as an error.
Result<Sequence> edge_sequence(const heap::View& view, const OrderedNode& node, bool lowest);

// The key's sequence of a record.
Result<Sequence> record_sequence(const heap::View& view, Offset offset);

}  // namespace utan::tree
