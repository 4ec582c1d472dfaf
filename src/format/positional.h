// Lists: the layouts of their nodes, and what a node must be.
//
// A list is a tree over positions: leaves of words, and branches that say for each subtree where it is and how many
// words are below it. Both kinds of node have room for the same number of bytes. Counts come from a file: whoever
// follows an offset to a node compares its count with the greatest possible one before using it (tree/positional.h); the
// functions at the end are for a checker, which trusts nothing.
// Thread safety: pure functions.
#pragma once

#include <cstddef>
#include <cstdint>
#include <type_traits>

#include "base/types.h"
#include "format/block.h"
#include "format/word.h"

namespace utan::format {

// Words in a leaf, children in a branch. A block of 1 KiB holds as many.
inline constexpr std::uint64_t list_leaf_fanout = 126;
inline constexpr std::uint64_t list_branch_fanout = 63;
// How few there may be: in a leaf that is neither the first nor the last of its list, and in a branch that is not the
// root.
inline constexpr std::uint64_t list_leaf_fill_min = 32;
inline constexpr std::uint64_t list_branch_fill_min = 16;
// Levels of branches above the leaves. With branches of 16 and leaves of 32 this is 2^50 words and more.
inline constexpr std::uint64_t list_height_max = 12;

// header.aux: count of words that follow.
struct ListLeaf {
  BlockHeader header;
  Word* words() { return reinterpret_cast<Word*>(this + 1); }
  const Word* words() const { return reinterpret_cast<const Word*>(this + 1); }
};
static_assert(sizeof(ListLeaf) == 16 && sizeof(Word) == 8 && std::is_trivially_copyable_v<ListLeaf>);
static_assert(sizeof(ListLeaf) + list_leaf_fanout * sizeof(Word) == 1024);

// A subtree: where its topmost node is, and how many words it has.
struct ListChild {
  std::uint64_t offset;
  std::uint64_t count;
};
static_assert(sizeof(ListChild) == 16 && std::is_trivially_copyable_v<ListChild>);

// header.aux: count of children (8 bits) | height (8 bits). The children of a branch of height 1 are leaves, those of a
// higher one are branches that are one lower.
struct ListBranch {
  BlockHeader header;
  ListChild* children() { return reinterpret_cast<ListChild*>(this + 1); }
  const ListChild* children() const { return reinterpret_cast<const ListChild*>(this + 1); }
  static constexpr std::uint64_t size_for(std::uint64_t count) {
    return sizeof(BlockHeader) + count * sizeof(ListChild);
  }
};
static_assert(sizeof(ListBranch) == 16 && std::is_trivially_copyable_v<ListBranch>);
static_assert(ListBranch::size_for(list_branch_fanout) == 1024);

// The aux of both kinds of node, in one reading: a leaf's height is 0.
struct ListAux {
  std::uint16_t aux = 0;
  static constexpr ListAux make(std::uint64_t count, std::uint64_t height) {
    return {static_cast<std::uint16_t>(count | height << 8)};
  }
  constexpr std::uint64_t count() const { return aux & 0xff; }
  constexpr std::uint64_t height() const { return aux >> 8; }
};

// --- Both kinds of node by their height ------------------------------------------------------------------------------

constexpr Kind list_node_kind(std::uint64_t height) { return height == 0 ? Kind::list_leaf : Kind::list_branch; }
constexpr std::uint64_t list_node_fanout(std::uint64_t height) {
  return height == 0 ? list_leaf_fanout : list_branch_fanout;
}
constexpr std::uint64_t list_node_fill_min(std::uint64_t height) {
  return height == 0 ? list_leaf_fill_min : list_branch_fill_min;
}
// Words of 8 bytes that one word of the list or one child takes.
constexpr std::uint64_t list_item_words(std::uint64_t height) { return height == 0 ? 1 : 2; }
constexpr std::uint64_t list_node_size(std::uint64_t count, std::uint64_t height) {
  return sizeof(BlockHeader) + count * list_item_words(height) * 8;
}

// --- For a checker ---------------------------------------------------------------------------------------------------

// What is wrong with a node of this height, of which `room` bytes are inside the file; null if nothing is. That its kind
// is right has been looked at. Its children are not looked at.
inline const char* list_node_problem(const BlockHeader* node, std::uint64_t height, ByteCount room) {
  const ListAux aux{node->aux};
  if (aux.height() != height) return "a node of a list is not of the height that its parent says";
  const std::uint64_t count = aux.count();
  if (count == 0 || count > list_node_fanout(height)) return "a node of a list has a count that it cannot have";
  const std::uint64_t size = list_node_size(count, height);
  if (size > room.value || node->size_class >= class_count || size > size_classes[node->size_class].block_size)
    return "a node of a list is longer than its block";
  if (node->checksum != checksum_header(*node) + checksum_words(node, sizeof(BlockHeader) / 8, size / 8 - 2))
    return "checksum does not match";
  return nullptr;
}
// How many words are below a node that has no problem.
inline std::uint64_t list_word_count(const BlockHeader* node) {
  const ListAux aux{node->aux};
  if (aux.height() == 0) return aux.count();
  std::uint64_t sum = 0;
  const auto* children = reinterpret_cast<const ListBranch*>(node)->children();
  for (std::uint64_t i = 0; i < aux.count(); ++i) sum += children[i].count;
  return sum;
}

}  // namespace utan::format
