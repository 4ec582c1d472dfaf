// The positional tree: a list of words, reached and changed by position.
//
// A B+-tree (Comer, "The ubiquitous B-tree", ACM Computing Surveys 1979) whose branches hold no keys but how many words
// are below each child, and which is changed by copying the path. Leaves hold up to 126 words, branches up to 63
// children. A branch that is not the root is at least a quarter full, and so is a leaf, but for the first and the last
// one of a list: words that come one by one at an end fill one leaf before the next is begun. The root is the topmost
// node; offset 0 is the empty list. What a word means is the caller's business, and so is a block that it names.
//
// Split and join take O(log n) nodes, as those of balanced binary trees do in Tarjan, "Data Structures and Network
// Algorithms" (1983), chapter 4: to split, the subtrees beside the path are joined again from below; to join, the
// lower tree becomes a child on the edge of the higher one. Before that, first and last leaves that meet and are less
// than a quarter full are mended.
//
// Complexity: O(log n) with a base of 16 at worst and about 50 usually; the functions below say where it is another.
// Thread safety: reading by anyone under a pin; writing within one Build. Ownership: nodes belong to the commit; after
// an error a build is discarded, but for Code::invalid, which comes before anything was changed.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <utility>

#include "base/check.h"
#include "base/result.h"
#include "base/types.h"
#include "format/positional.h"
#include "format/word.h"
#include "heap/build.h"
#include "heap/view.h"

namespace utan::tree {

// --- Following -------------------------------------------------------------------------------------------------------

// The node of this height at `offset`, and how many words or children it has; null if it is not one.
[[gnu::always_inline]] inline const format::BlockHeader* follow_list_node(const heap::View& view, Offset offset,
                                                                          std::uint64_t height, std::uint64_t& count) {
  const auto* node = view.follow<format::BlockHeader>(offset, format::list_node_kind(height));
  if (node == nullptr) [[unlikely]]
    return nullptr;
  const format::ListAux aux{node->aux};
  count = aux.count();
  if (aux.height() != height || count - 1 >= format::list_node_fanout(height) ||
      format::list_node_size(count, height) > view.size().value - offset.value) [[unlikely]]
    return nullptr;
  return node;
}

// How high the tree below `root` says it is. False: there is none.
[[gnu::always_inline]] inline bool find_list_height(const heap::View& view, Offset root, std::uint64_t& height) {
  height = 0;
  const auto* branch = view.follow<format::BlockHeader>(root, format::Kind::list_branch);
  if (branch == nullptr) return view.follow<format::BlockHeader>(root, format::Kind::list_leaf) != nullptr;
  height = format::ListAux{branch->aux}.height();
  return height - 1 < format::list_height_max;
}

inline const format::ListChild* list_children(const format::BlockHeader* branch) {
  return reinterpret_cast<const format::ListChild*>(branch + 1);
}
inline const format::Word* list_words(const format::BlockHeader* leaf) {
  return reinterpret_cast<const format::Word*>(leaf + 1);
}

// Which of `count` children has the word `index`, which becomes its index below that child; `count`: none has it. Goes by
// eights as far as it can: their sum does not wait for eight comparisons.
[[gnu::always_inline]] inline std::uint64_t find_list_child(const format::ListChild* children, std::uint64_t count,
                                                            std::uint64_t& index) {
  std::uint64_t child = 0;
  for (; child + 8 <= count; child += 8) {
    const format::ListChild* eight = children + child;
    const std::uint64_t below = ((eight[0].count + eight[1].count) + (eight[2].count + eight[3].count)) +
                                ((eight[4].count + eight[5].count) + (eight[6].count + eight[7].count));
    if (index < below) break;
    index -= below;
  }
  for (; child < count; ++child) {
    const std::uint64_t below = children[child].count;
    if (index < below) break;
    index -= below;
  }
  return child;
}

Error list_index_error(std::uint64_t index);
Error list_damage(const heap::View& view, Offset at, std::uint64_t height);

// --- Reading ---------------------------------------------------------------------------------------------------------

// How many words the list has. O(fan-out).
Result<Count> list_count(const heap::View& view, Offset root);

// The word at `index`, where it lies: short text lies in it. Code::invalid if the list has none there.
inline Result<const format::Word*> list_at(const heap::View& view, Offset root, std::uint64_t index) {
  if (!root) [[unlikely]]
    return list_index_error(index);
  std::uint64_t height;
  if (!find_list_height(view, root, height)) [[unlikely]]
    return list_damage(view, root, 0);
  Offset at = root;
  std::uint64_t rest = index;
  std::uint64_t count;
  for (std::uint64_t here = height; here > 0; --here) {
    const format::BlockHeader* node = follow_list_node(view, at, here, count);
    if (node == nullptr) [[unlikely]]
      return list_damage(view, at, here);
    const format::ListChild* children = list_children(node);
    const std::uint64_t child = find_list_child(children, count, rest);
    if (child == count) [[unlikely]]
      return here == height ? list_index_error(index) : list_damage(view, at, here);
    at = Offset{children[child].offset};
  }
  const format::BlockHeader* leaf = follow_list_node(view, at, 0, count);
  if (leaf == nullptr) [[unlikely]]
    return list_damage(view, at, 0);
  if (rest >= count) [[unlikely]]
    return height == 0 ? list_index_error(index) : list_damage(view, at, 0);
  return list_words(leaf) + rest;
}

// Goes over the words of one list of one commit, both ways. It begins nowhere: seek first. After an error, too.
// O(1) per step, amortized. Thread safety: belongs to one thread, and is valid while the commit is pinned.
class ListCursor {
 public:
  ListCursor(const heap::View& view, Offset root) : view_(view), root_(root) {}

  // To the word at `index`, or behind the last one. Code::invalid if the list is shorter.
  Result<void> seek(std::uint64_t index);

  // Behind the last word, where `word` may not be called.
  bool at_end() const { return index_ == count_; }
  std::uint64_t index() const { return index_; }
  const format::Word& word() const {
    DCHECK(!at_end());
    return words_[place_];
  }
  // To the next word; false: there is none, and the cursor is at the end.
  Result<bool> next() {
    if (at_end()) return false;
    ++index_;
    if (++place_ < leaf_count_) [[likely]]
      return true;
    return enter_next_leaf();
  }
  // The usual case of next(): the word behind this one in the same leaf, or with no `step` this one, if `usual(word)` says that
  // it will do. Null: nothing has changed.
  template <class Usual>
  [[gnu::always_inline]] const format::Word* next_quickly(std::uint64_t step, Usual&& usual) {
    if (place_ + step >= leaf_count_ || index_ + step >= count_ || !usual(words_[place_ + step])) [[unlikely]]
      return nullptr;
    index_ += step;
    place_ += step;
    return &words_[place_];
  }
  // To the word before; false: there is none, and the cursor stays where it is.
  Result<bool> previous() {
    if (index_ == 0) return false;
    --index_;
    if (place_-- > 0) [[likely]]
      return true;
    return enter_previous_leaf();
  }

 private:
  struct Level {
    const format::ListChild* children = nullptr;
    std::uint64_t count = 0;
    std::uint64_t child = 0;  // below which the cursor is
  };
  Result<bool> enter_next_leaf();
  Result<bool> enter_previous_leaf();
  Result<void> descend(format::ListChild subtree, std::uint64_t height, std::uint64_t index);

  heap::View view_;
  Offset root_;
  const format::Word* words_ = nullptr;  // of the leaf
  std::uint64_t place_ = 0;              // in it
  std::uint64_t leaf_count_ = 0;
  std::uint64_t index_ = 0;
  std::uint64_t count_ = 0;
  std::uint64_t height_ = 0;
  std::array<Level, format::list_height_max + 1> levels_;  // by height; that of leaves is not used
};

// --- Changing --------------------------------------------------------------------------------------------------------

// Each answers the list's new root.

// Puts `word` in the place of the one at `index`, which becomes `*before`. Code::invalid if there is none.
Result<Offset> list_set(heap::Build& build, Offset root, std::uint64_t index, format::Word word, format::Word* before);
// Puts `word` before the one at `index`, or behind the last. Code::invalid if the list is shorter than `index`.
Result<Offset> list_insert(heap::Build& build, Offset root, std::uint64_t index, format::Word word);
// Takes away the word at `index`, which becomes `*before`. Code::invalid if there is none.
Result<Offset> list_erase(heap::Build& build, Offset root, std::uint64_t index, format::Word* before);

// A new list of these words, its nodes full. O(n).
Result<Offset> list_load(heap::Build& build, std::span<const format::Word> words);
// Takes the list apart into [0, index) and [index, end). Code::invalid if it is shorter than `index`.
Result<std::pair<Offset, Offset>> list_split(heap::Build& build, Offset root, std::uint64_t index);
// One list of two, of which nothing else remains. Code::invalid if they are the same one.
Result<Offset> list_join(heap::Build& build, Offset left, Offset right);
// Drops all nodes of a list. O(n / 126).
Result<void> list_drop(heap::Build& build, Offset root);

}  // namespace utan::tree
