// The nodes of a list as those see them who change it: copying, cutting, combining, whatever their height.
//
// For src/tree/positional*.cc alone; what it does is said in tree/positional.h.
// Thread safety: as that of a Build.
#pragma once

#include <array>
#include <cstdint>
#include <cstring>

#include "base/check.h"
#include "base/result.h"
#include "base/types.h"
#include "format/positional.h"
#include "heap/build.h"
#include "heap/view.h"
#include "tree/positional.h"

namespace utan::tree::positional {

using format::BlockHeader;
using format::Kind;
using format::ListAux;
using format::ListChild;
using format::Word;
using heap::Build;
using heap::Made;
using heap::View;

// In words of 8 bytes from a node's start.
inline constexpr std::uint64_t first_word = 2;
// What a full node holds after its header, in words of 8 bytes: the same for a leaf and a branch.
inline constexpr std::uint64_t node_words_max = format::list_leaf_fanout;
static_assert(node_words_max == format::list_branch_fanout * 2);

// --- Nodes -----------------------------------------------------------------------------------------------------------

// A leaf or a branch, its count believed. An *item* is a word of a leaf or a child of a branch.
struct Node {
  const BlockHeader* at = nullptr;
  std::uint64_t count = 0;  // items
  const std::uint64_t* words() const { return reinterpret_cast<const std::uint64_t*>(at + 1); }
};

inline Result<Node> follow_node(const View& view, Offset offset, std::uint64_t height) {
  Node node;
  node.at = follow_list_node(view, offset, height, node.count);
  if (node.at == nullptr) return list_damage(view, offset, height);
  return node;
}

// The words [at, end) of a node of the build, counted from its start, make room for `count` others.
inline void insert_words(BlockHeader* node, std::uint64_t at, std::uint64_t end, const std::uint64_t* words,
                         std::uint64_t count) {
  auto* all = reinterpret_cast<std::uint64_t*>(node);
  node->checksum -= format::checksum_words(node, at, end - at);
  std::memmove(all + at + count, all + at, (end - at) * 8);
  std::memcpy(all + at, words, count * 8);
  node->checksum += format::checksum_words(node, at, end - at + count);
}
// Takes away `count` words at `at` from those of a node of the build that end before `end`.
inline void erase_words(BlockHeader* node, std::uint64_t at, std::uint64_t end, std::uint64_t count) {
  auto* all = reinterpret_cast<std::uint64_t*>(node);
  node->checksum -= format::checksum_words(node, at, end - at);
  if (at + count < end) std::memmove(all + at, all + at + count, (end - at - count) * 8);
  node->checksum += format::checksum_words(node, at, end - at - count);
}

// Where a branch has the words of a child.
constexpr std::uint64_t offset_word(std::uint64_t child) { return first_word + child * 2; }
constexpr std::uint64_t count_word(std::uint64_t child) { return offset_word(child) + 1; }

inline void set_child(BlockHeader* branch, std::uint64_t index, ListChild child) {
  heap::set_word(branch, offset_word(index), child.offset);
  heap::set_word(branch, count_word(index), child.count);
}

// Items on their way from nodes to other nodes: at most those of two, and one more.
class Items {
 public:
  explicit Items(std::uint64_t height) : height_(height), item_words_(format::list_item_words(height)) {}

  std::uint64_t height() const { return height_; }
  std::uint64_t count() const { return word_count_ / item_words_; }
  const std::uint64_t* from(std::uint64_t item) const { return words_.data() + item * item_words_; }
  // `count` items of a node, from its item `first` on.
  void add(const Node& node, std::uint64_t first, std::uint64_t count) {
    add_words(node.words() + first * item_words_, count * item_words_);
  }
  void add(Word word) { add_words(&word.word, 1); }
  void add(ListChild child) {
    const std::uint64_t words[2] = {child.offset, child.count};
    add_words(words, 2);
  }
  ListChild child(std::uint64_t index) const { return {from(index)[0], from(index)[1]}; }
  void set(std::uint64_t index, ListChild child) {
    words_[index * 2] = child.offset;
    words_[index * 2 + 1] = child.count;
  }
  void erase(std::uint64_t index) {
    std::uint64_t* at = words_.data() + index * item_words_;
    std::memmove(at, at + item_words_, (count() - index - 1) * item_words_ * 8);
    word_count_ -= item_words_;
  }

 private:
  void add_words(const std::uint64_t* words, std::uint64_t count) {
    DCHECK(word_count_ + count <= words_.size());
    std::memcpy(words_.data() + word_count_, words, count * 8);
    word_count_ += count;
  }

  std::uint64_t height_;
  std::uint64_t item_words_;
  std::uint64_t word_count_ = 0;
  std::array<std::uint64_t, 2 * node_words_max + 2> words_;
};

// One node, or two beside each other.
struct Siblings {
  ListChild first{};
  ListChild second{};
  bool two = false;
};

// Where a node of `count` items that is one too full is cut. Whoever goes on where the item `added` was put should find
// room, and leave behind a node that is three quarters full.
inline std::uint64_t cut_of(std::uint64_t added, std::uint64_t count, std::uint64_t height) {
  if (added == count - 1) return count - format::list_node_fill_min(height);
  if (added == 0) return format::list_node_fill_min(height);
  return count / 2;
}

// Makes and drops nodes.
class Nodes {
 public:
  explicit Nodes(Build& build) : build_(build) {}

  Build& build() { return build_; }
  Result<Node> follow(std::uint64_t offset, std::uint64_t height) {
    return follow_node(build_.view(), Offset{offset}, height);
  }
  void drop(std::uint64_t offset, const Node& node) { build_.drop(Offset{offset}, node.at); }

  // A new node of `count` items.
  Result<ListChild> write(const std::uint64_t* words, std::uint64_t count, std::uint64_t height) {
    UTAN_ASSIGN(const Made<BlockHeader> node, build_.make<BlockHeader>(format::list_node_kind(height),
                                                                       ByteCount{format::list_node_size(count, height)},
                                                                       ListAux::make(count, height).aux));
    const std::uint64_t word_count = count * format::list_item_words(height);
    std::memcpy(node.at + 1, words, word_count * 8);
    node.at->checksum += format::checksum_words(node.at, first_word, word_count);
    return ListChild{node.offset.value, format::list_word_count(node.at)};
  }
  Result<Siblings> write_two(const Items& items, std::uint64_t cut) {
    Siblings out;
    UTAN_ASSIGN(out.first, write(items.from(0), cut, items.height()));
    UTAN_ASSIGN(out.second, write(items.from(cut), items.count() - cut, items.height()));
    out.two = true;
    return out;
  }
  // As few nodes as hold them, equally full.
  Result<Siblings> write_fitting(const Items& items) {
    if (items.count() > format::list_node_fanout(items.height())) return write_two(items, items.count() / 2);
    Siblings out;
    UTAN_ASSIGN(out.first, write(items.from(0), items.count(), items.height()));
    return out;
  }

  // Two neighbours, as they are if both are a quarter full, else made into one or into two that are.
  Result<Siblings> combine(ListChild left, ListChild right, std::uint64_t height) {
    // A damaged file may say so; it would be dropped twice.
    if (left.offset == right.offset) return list_damage(build_.view(), Offset{left.offset}, height);
    UTAN_ASSIGN(const Node a, follow(left.offset, height));
    UTAN_ASSIGN(const Node b, follow(right.offset, height));
    const std::uint64_t fill_min = format::list_node_fill_min(height);
    if (a.count >= fill_min && b.count >= fill_min) return Siblings{left, right, true};
    Items items(height);
    items.add(a, 0, a.count);
    items.add(b, 0, b.count);
    drop(left.offset, a);
    drop(right.offset, b);
    return write_fitting(items);
  }

 private:
  Build& build_;
};

}  // namespace utan::tree::positional
