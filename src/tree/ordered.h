// The ordered tree: records in the order of their keys, for large dicts and collections.
//
// A copy-on-write B+-tree (Bayer, McCreight 1972; Comer, "The Ubiquitous B-Tree", 1979) with the separators of a prefix
// B-tree (Bayer, Unterauer, "Prefix B-trees", TODS 1977) and counts in its branches. The layout of its nodes, and what a
// head, a separator and a plain one are, says format/ordered.h. The tree is named by the offset of its topmost node; 0 is
// the empty tree. It refers to records by their offsets: making and freeing them is the caller's. The nodes are its own.
//
// What must hold:
//   O1  All leaves are at the same depth; a branch of height h has children of height h - 1.
//   O2  Keys ascend strictly through all leaves. A separator is above all that is before it, and not above anything
//       behind it; of a cut one (ordered_separator_max bytes) this holds for the beginnings of keys as long as it is.
//   O3  Heads are what prefix and key, or prefix and separator, say they are; prefixes are shared by all of the node.
//   O4  A topmost branch has at least two children.
// Nodes are about a quarter full at least, where keys were erased; but a node at the tree's right end may be smaller:
// whoever inserts in ascending order leaves full nodes behind, and one that has just begun.
//
// Changes take what a search answered in the same build's view, and answer the new topmost node. They may run any number
// of times in one build. After an error (no space, damage, too many levels) the tree of the build is not to be used: the
// build must be discarded. A record that is handed in must have its key already.
//
// Complexity: find, insert, replace, erase, rank, split and join O(log n), with 31 to 62 entries in most nodes; keys that
// agree in their first 255 bytes cost a search of the tree more for each comparison. Thread safety: reading by anyone under
// a pin; writing within one Build.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <utility>

#include "base/fetch.h"
#include "base/result.h"
#include "base/types.h"
#include "format/key.h"
#include "format/nodes.h"
#include "format/ordered.h"
#include "heap/build.h"
#include "heap/view.h"
#include "tree/object_table.h"

namespace utan::tree {

// The way from the topmost node to an entry of a leaf: which entry of the node at each depth. The leaf is the last.
struct OrderedPath {
  struct Step {
    std::uint64_t node_value;  // a plain number, so that steps are not set before they are used
    std::uint64_t index;
    Offset node() const { return Offset{node_value}; }
  };
  std::array<Step, format::ordered_height_max + 1> steps;  // only the first `depth` are set
  std::uint64_t depth = 0;                                 // 0: the tree is empty

  OrderedPath() {}  // NOLINT(modernize-use-equals-default): leaves `steps` as they are
  void add(Offset node, std::uint64_t index) { steps[depth++] = {node.value, index}; }
};

// Where a key is, or would be. Pointers are valid while the commit is pinned.
struct FoundOrdered {
  Status status = Status::missing;
  const format::Record* record = nullptr;
  Offset offset;     // of the record
  OrderedPath path;  // to the record; if missing, to where it would be
  Offset damaged;    // where, if damaged
  format::Kind expected = format::Kind::record;

  FoundOrdered() {}  // NOLINT(modernize-use-equals-default): leaves `path` as it is
};

FoundOrdered find_ordered(const heap::View& view, Offset root, const format::EncodedKey& key);
// The record with `rank` records before it; missing from the count on.
FoundOrdered find_ordered_rank(const heap::View& view, Offset root, std::uint64_t rank);

// `where` says that the key is missing. Code::too_large: the tree cannot get any higher.
Result<Offset> insert_ordered(heap::Build& build, Offset root, const FoundOrdered& where, const format::EncodedKey& key,
                              Offset record);
// `record` has a key that is equal to the found one; it may be spelled in another way.
Result<Offset> replace_ordered(heap::Build& build, Offset root, const FoundOrdered& where, Offset record);
Result<Offset> erase_ordered(heap::Build& build, Offset root, const FoundOrdered& where);

// How many records there are. O(entries of the topmost node).
Result<Count> ordered_count(const heap::View& view, Offset root);
// How many records are before the place that a search answered. O(height * entries of a node).
Result<std::uint64_t> ordered_rank(const heap::View& view, Offset root, const FoundOrdered& where);

// A new tree of these records, packed. Code::invalid, with nothing made, if their keys do not ascend strictly; that they
// do may be known. O(n).
enum class Ascending { unknown, known };
Result<Offset> load_ordered(heap::Build& build, std::span<const Offset> records,
                            Ascending ascending = Ascending::unknown);
// Two trees of the one, whose nodes they take over: the records before `rank`, and the others.
Result<std::pair<Offset, Offset>> split_ordered(heap::Build& build, Offset root, std::uint64_t rank);
// One tree of two, whose nodes it takes over. Code::invalid unless every key of `left` is below every key of `right`.
Result<Offset> join_ordered(heap::Build& build, Offset left, Offset right);

// Drops all nodes of a tree, whose records are the caller's. O(n / 62).
Result<void> drop_ordered(heap::Build& build, Offset root);

// Goes over the records of one commit in both directions. Beyond either end there is no record, and from there next() and
// previous() lead to the first and the last one. While records are used, those to come are fetched.
class OrderedCursor {
 public:
  OrderedCursor(const heap::View& view, Offset root) : view_(view), root_(root) {}

  // Each goes to a record, or beyond an end if there is none.
  Result<void> seek_first();
  Result<void> seek_last();
  // To the first record whose key is not below `key`. Answers whether it is that key's.
  Result<bool> seek(const format::EncodedKey& key);
  Result<void> seek_rank(std::uint64_t rank);
  Result<void> next();
  Result<void> previous();

  // Null beyond either end.
  const format::Record* record() const { return record_; }
  // Of the record.
  Offset offset() const { return offset_; }

  // The usual case of next(): there is a record behind this one in the same leaf, sound, and `usual(record)` says that it
  // will do. False: nothing has changed.
  template <class Usual>
  [[gnu::always_inline]] bool next_quickly(Usual&& usual) {
    if (place_ != Place::at || index_ + 1 >= leaf_.count) [[unlikely]]
      return false;
    const Offset offset{leaf_.entries[index_ + 1].word};
    const format::Record* const record = view_.follow_record(offset);
    if (record == nullptr || !usual(record)) [[unlikely]]
      return false;
    ++index_;
    offset_ = offset;
    record_ = record;
    fetch_ahead<true>();
    return true;
  }

 private:
  // How many records before they are used they are fetched, and how many lines of each.
  static constexpr std::uint64_t fetched_distance = 16;
  static constexpr std::uint64_t fetched_lines = 3;
  enum class Place : std::uint8_t { before, at, behind };
  struct Leaf {
    const format::OrderedEntry* entries = nullptr;
    std::uint64_t count = 0;
  };

  Result<void> stand();
  template <bool forward>
  Result<void> step();
  template <bool forward>
  Result<void> enter_neighbour();
  template <bool forward>
  bool lead_to_neighbour(OrderedPath& path, Offset& damaged) const;
  template <bool forward>
  void look_ahead();
  Result<void> read_record();
  bool read_leaf(Offset offset, Leaf& out) const;
  void fetch_record(std::uint64_t word) const {
#pragma GCC unroll 4
    for (std::uint64_t line = 0; line < fetched_lines; ++line)
      fetch_line(reinterpret_cast<const void*>(reinterpret_cast<std::uintptr_t>(view_.base()) + word + line * 64));
  }
  // The record some steps ahead, in this leaf or the one to come.
  template <bool forward>
  [[gnu::always_inline]] void fetch_ahead() const {
    const std::uint64_t left = forward ? leaf_.count - 1 - index_ : index_;
    if (left >= fetched_distance) [[likely]] {
      fetch_record(leaf_.entries[forward ? index_ + fetched_distance : index_ - fetched_distance].word);
    } else if (const std::uint64_t more = fetched_distance - left - 1; more < upcoming_.count) {
      fetch_record(upcoming_.entries[forward ? more : upcoming_.count - 1 - more].word);
    }
  }

  heap::View view_;
  Offset root_;
  Place place_ = Place::before;
  const format::Record* record_ = nullptr;
  Offset offset_;
  OrderedPath path_;         // to the record
  Leaf leaf_;                // the last of the path
  std::uint64_t index_ = 0;  // in it
  Leaf upcoming_;            // the one after it in the direction last gone, if it is known
};

}  // namespace utan::tree
