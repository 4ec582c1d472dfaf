// The nodes of the ordered tree: records in the order of their keys.
//
// What is compared is a key's *sequence*: the byte of its class and then the bytes of its order (format/key.h), as
// unsigned bytes, a shorter one first. A node keeps what its sequences begin with in common once, as its *prefix*, and of
// each of them the next eight bytes as a number, its *head*, so that a search in a node compares numbers.
//
//     leaf      header | prefix | entries {head, offset of the record}
//     branch    header | height, text size | prefix | entries {head, child and count}
//               | counts, from height 4 on | ends and tails of separators, if there are any
//
// Between two children of a branch stands a *separator*: no key before it is as high, no key behind it is lower. Its head
// is in the entry of the child behind it; the first child's is 0 and means nothing. A separator is as short as it can be,
// so that most are prefix and head alone and end with a byte that is not 0 ("plain"); then the head decides. If any
// separator of a branch is not plain, its text says for each how long it is, and has the bytes behind the heads. A
// separator of `ordered_separator_max` bytes is only the beginning of one: keys that begin with it are told apart by the
// lowest record behind it.
//
// The checksum of a node does not depend on the places of its entries, so that one can be put between others in O(1).
//
// Counts and sizes come from a file: a shape is read once and asked whether it is sound before anything else is read.
// Thread safety: pure functions.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <type_traits>

#include "base/types.h"
#include "format/block.h"

namespace utan::format {

inline constexpr std::uint64_t ordered_entries_max = 62;
inline constexpr std::uint64_t ordered_prefix_max = 240;
inline constexpr std::uint64_t ordered_separator_max = 255;
// Levels of branches above the leaves.
inline constexpr std::uint64_t ordered_height_max = 12;
// Below it, no child has more records than the bits beside its offset can count: 62^3.
inline constexpr std::uint64_t ordered_wide_height = 4;
inline constexpr std::uint64_t ordered_branch_size_max = 4096;
inline constexpr std::uint64_t ordered_head_size = 8;

// A leaf's word is the offset of a record, a branch's an OrderedChild.
struct OrderedEntry {
  std::uint64_t head;
  std::uint64_t word;
};
static_assert(sizeof(OrderedEntry) == 16 && std::is_trivially_copyable_v<OrderedEntry>);

// A child of a branch: its offset / 8 and how many records are below it (0 from ordered_wide_height on: see the counts).
struct OrderedChild {
  std::uint64_t word = 0;
  static constexpr unsigned offset_bits = 45;
  static constexpr std::uint64_t count_max = (std::uint64_t{1} << (64 - offset_bits)) - 1;
  static constexpr OrderedChild make(Offset child, std::uint64_t count) {
    return {(count << offset_bits) | (child.value >> 3)};
  }
  constexpr Offset child() const { return Offset{(word & ((std::uint64_t{1} << offset_bits) - 1)) << 3}; }
  constexpr std::uint64_t count() const { return word >> offset_bits; }
};
static_assert(ordered_entries_max * ordered_entries_max * ordered_entries_max <= OrderedChild::count_max);

// Of a separator: how many bytes of its head count, and where its tail ends, from the first tail on.
struct OrderedEnd {
  std::uint16_t word = 0;
  static constexpr unsigned tail_bits = 12;
  static constexpr OrderedEnd make(std::uint64_t head_size, std::uint64_t tail_end) {
    return {static_cast<std::uint16_t>((head_size << tail_bits) | tail_end)};
  }
  constexpr std::uint64_t tail_end() const { return word & ((1U << tail_bits) - 1); }
  constexpr std::uint64_t head_size() const { return word >> tail_bits; }
};
static_assert(ordered_branch_size_max <= 1U << OrderedEnd::tail_bits);

// aux of both kinds of nodes: how many entries, and how many bytes of prefix.
struct OrderedAux {
  std::uint16_t word = 0;
  static constexpr OrderedAux make(std::uint64_t count, std::uint64_t prefix_size) {
    return {static_cast<std::uint16_t>(count | (prefix_size << 8))};
  }
  constexpr std::uint64_t count() const { return word & 0xff; }
  constexpr std::uint64_t prefix_size() const { return word >> 8; }
};

struct OrderedLeaf {
  BlockHeader header;  // aux: OrderedAux
};
static_assert(sizeof(OrderedLeaf) == 16 && std::is_trivially_copyable_v<OrderedLeaf>);

struct OrderedBranch {
  BlockHeader header;       // aux: OrderedAux
  std::uint16_t height;     // 1: its children are leaves
  std::uint16_t text_size;  // bytes of ends and tails; 0: all separators are plain
  std::uint32_t reserved;
};
static_assert(sizeof(OrderedBranch) == 24 && std::is_trivially_copyable_v<OrderedBranch>);

// Where everything is in a node: what its fixed part says, read once.
struct OrderedShape {
  std::uint64_t count = 0;
  std::uint64_t prefix_size = 0;
  std::uint64_t height = 0;  // 0: a leaf
  std::uint64_t text_size = 0;

  static OrderedShape of(const OrderedLeaf* leaf) {
    const OrderedAux aux{leaf->header.aux};
    return {aux.count(), aux.prefix_size(), 0, 0};
  }
  static OrderedShape of(const OrderedBranch* branch) {
    const OrderedAux aux{branch->header.aux};
    return {aux.count(), aux.prefix_size(), branch->height, branch->text_size};
  }

  constexpr bool has_counts() const { return height >= ordered_wide_height; }
  constexpr std::uint64_t prefix_at() const { return height == 0 ? sizeof(OrderedLeaf) : sizeof(OrderedBranch); }
  constexpr std::uint64_t entries_at() const { return prefix_at() + ((prefix_size + 7) & ~std::uint64_t{7}); }
  constexpr std::uint64_t counts_at() const { return entries_at() + count * sizeof(OrderedEntry); }
  constexpr std::uint64_t text_at() const { return counts_at() + (has_counts() ? count * 8 : 0); }
  constexpr std::uint64_t size() const { return text_at() + text_size; }
  // Can there be such a node at all? That it is inside the file is another question.
  constexpr bool is_sound() const {
    return count - 1 < ordered_entries_max && prefix_size <= ordered_prefix_max && height <= ordered_height_max &&
           (text_size == 0 || text_size >= count * sizeof(OrderedEnd)) && size() <= ordered_branch_size_max;
  }
};
// A node without counts and text is never longer than this.
inline constexpr std::uint64_t ordered_plain_size_max =
    OrderedShape{ordered_entries_max, ordered_prefix_max, 1, 0}.size();

inline const std::byte* ordered_part(const void* node, std::uint64_t at) {
  return static_cast<const std::byte*>(node) + at;
}
inline const OrderedEntry* ordered_entries(const void* node, const OrderedShape& shape) {
  return reinterpret_cast<const OrderedEntry*>(ordered_part(node, shape.entries_at()));
}
inline const std::uint64_t* ordered_counts(const void* node, const OrderedShape& shape) {
  return reinterpret_cast<const std::uint64_t*>(ordered_part(node, shape.counts_at()));
}
// How many records are below child `index`.
inline std::uint64_t ordered_count_below(const void* node, const OrderedShape& shape, std::uint64_t index) {
  return shape.has_counts() ? ordered_counts(node, shape)[index]
                            : OrderedChild{ordered_entries(node, shape)[index].word}.count();
}

// What a branch says of a separator beyond its prefix and its head.
struct OrderedTail {
  std::uint64_t head_size = 0;
  const std::byte* bytes = nullptr;
  std::uint64_t size = 0;
};
// Of child `index` in a branch with text. Ends that contradict the text give an empty tail.
inline OrderedTail ordered_tail(const void* node, const OrderedShape& shape, std::uint64_t index) {
  const auto* ends = reinterpret_cast<const OrderedEnd*>(ordered_part(node, shape.text_at()));
  const std::uint64_t from = index == 0 ? 0 : ends[index - 1].tail_end();
  const OrderedEnd end = ends[index];
  const std::uint64_t ends_size = shape.count * sizeof(OrderedEnd);
  if (end.tail_end() < from || end.tail_end() > shape.text_size - ends_size) return {end.head_size(), nullptr, 0};
  return {end.head_size(), ordered_part(node, shape.text_at() + ends_size + from), end.tail_end() - from};
}

// --- Checksums ---------------------------------------------------------------------------------------------------------

// The share of an entry, and of its count if the node has counts (else 0), whatever its place.
constexpr std::uint32_t ordered_share(const OrderedEntry& entry, std::uint64_t count) {
  const std::uint64_t sum = (entry.head ^ 0xa0761d6478bd642fu) * 0xe7037ed1a0b428dbu +
                            (entry.word ^ 0x8ebc6af09c88c6e3u) * 0x589965cc75374cc3u + count * 0x1d8e4e27c47d124fu;
  return static_cast<std::uint32_t>(sum >> 32);
}
// The share of prefix and text.
inline std::uint32_t ordered_bytes_share(const void* node, const OrderedShape& shape) {
  std::uint32_t sum = 0;
  if (shape.prefix_size != 0) sum += checksum_payload(ordered_part(node, shape.prefix_at()), shape.prefix_size);
  if (shape.text_size != 0) sum += 3 * checksum_payload(ordered_part(node, shape.text_at()), shape.text_size);
  return sum;
}
// All shares but the header's, of a node whose shape is sound.
inline std::uint32_t ordered_content_checksum(const void* node, const OrderedShape& shape) {
  std::uint32_t sum = ordered_bytes_share(node, shape);
  const OrderedEntry* entries = ordered_entries(node, shape);
  for (std::uint64_t i = 0; i < shape.count; ++i)
    sum += ordered_share(entries[i], shape.has_counts() ? ordered_counts(node, shape)[i] : 0);
  return shape.height == 0 ? sum : sum + checksum_words(node, 2, 1);
}
inline std::uint32_t ordered_leaf_checksum(const OrderedLeaf* leaf) {
  return checksum_header(leaf->header) + ordered_content_checksum(leaf, OrderedShape::of(leaf));
}
inline std::uint32_t ordered_branch_checksum(const OrderedBranch* branch) {
  return checksum_header(branch->header) + ordered_content_checksum(branch, OrderedShape::of(branch));
}

}  // namespace utan::format
