// Nodes of an ordered tree taken apart: entries in private memory, to be put together as new nodes.
//
// This is how nodes are split, merged and packed. The usual change of one entry goes by without it (ordered.cc).
// Thread safety: values. Nothing here drops a node.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "base/result.h"
#include "base/types.h"
#include "format/ordered.h"
#include "heap/build.h"
#include "heap/view.h"
#include "tree/ordered_node.h"

namespace utan::tree {

// Below these a node is joined with a neighbour when something is erased, and up to these two become one.
inline constexpr std::uint64_t ordered_entries_min = format::ordered_entries_max / 4 + 1;
inline constexpr std::uint64_t ordered_merged_max = format::ordered_entries_max * 3 / 4;
inline constexpr std::uint64_t ordered_branch_size_min = format::ordered_branch_size_max / 4;
inline constexpr std::uint64_t ordered_merged_size_max = format::ordered_branch_size_max * 3 / 4;

inline bool is_small(const format::OrderedShape& shape) {
  return shape.count < ordered_entries_min && (shape.height == 0 || shape.size() < ordered_branch_size_min);
}

struct Separator {
  std::array<std::byte, format::ordered_separator_max> bytes;
  std::uint64_t size = 0;

  Separator() {}  // NOLINT(modernize-use-equals-default): leaves `bytes` as they are
};
// The shortest sequence above `low` and not above `high`, cut to ordered_separator_max bytes.
Separator separator_between(const Sequence& low, const Sequence& high);
// Before child `index`, which is not the first, of a branch.
Separator read_separator(const OrderedNode& branch, std::uint64_t index);

struct Child {
  Offset offset;
  std::uint64_t count = 0;  // of records below
};

// What takes the place of some children of a branch.
struct NewChildren {
  // More do not come of two nodes: seven children fit into any branch.
  static constexpr std::uint64_t count_max = 32;
  std::array<Child, count_max> child;
  std::array<Separator, count_max> separator;  // before the child; the first one's does not count
  std::uint64_t count = 0;

  void add(const Child& one, const Separator& before) {
    child[count] = one;
    separator[count++] = before;
  }
};

// The entries of up to two leaves, and one more.
class LeafParts {
 public:
  std::uint64_t count() const { return count_; }
  // Adds entries [from, to) of a leaf behind the others.
  void add(const OrderedNode& leaf, std::uint64_t from, std::uint64_t to);
  void insert(std::uint64_t position, const Sequence& key, Offset record);
  // Instead of all others: records whose prefix and heads nobody knows yet.
  void set(std::span<const Offset> records);

  Result<Separator> separator_before(const heap::View& view, std::uint64_t position) const;
  // A new leaf of entries [from, to). Where their heads tell them apart badly, prefix and heads are made anew.
  Result<Child> write(heap::Build& build, std::uint64_t from, std::uint64_t to);
  // Where to divide them: in their middle third, near the middle, and where neighbours have little in common, so that the
  // separator is short and both prefixes are long ("Prefix B-trees", section on split intervals).
  std::uint64_t best_middle() const;
  // Writes all of them as one leaf, or as two that divide at `middle`.
  Result<void> write_one(heap::Build& build, NewChildren& out);
  Result<void> write_two(heap::Build& build, std::uint64_t middle, NewChildren& out);

 private:
  using Prefix = std::array<std::byte, format::ordered_prefix_max>;

  void shorten_to(std::uint64_t prefix_size);
  bool tells_badly(std::uint64_t from, std::uint64_t to) const;
  Result<void> read_heads(const heap::View& view, std::uint64_t from, std::uint64_t to, Prefix& prefix,
                          std::uint64_t& prefix_size);

  std::array<format::OrderedEntry, 2 * format::ordered_entries_max + 1> entries_;
  std::uint64_t count_ = 0;
  Prefix prefix_;
  std::uint64_t prefix_size_ = 0;
  bool heads_known_ = true;
};

// The children of up to two branches of one height, and what takes the place of some of them.
class BranchParts {
 public:
  explicit BranchParts(std::uint64_t height) : height_(height) { text_.reserve(text_size_usual); }

  std::uint64_t count() const { return count_; }
  const Child& child(std::uint64_t index) const { return parts_[index].child; }
  void add(const Child& child, std::span<const std::byte> separator);
  // Adds children [from, to) of a branch behind the others; `before` separates them.
  void add(const OrderedNode& branch, std::uint64_t from, std::uint64_t to, const Separator& before);
  void add(const BranchParts& other, const Separator& before);
  // Puts `children` where `removed` children are from `first` on.
  void replace(std::uint64_t first, std::uint64_t removed, const NewChildren& children);

  bool is_small() const { return utan::tree::is_small(shape_of(0, count_)); }
  // Do all fit into one branch?
  bool fits() const { return fits(0, count_); }
  // The same, with room for more.
  bool fits_well() const;
  // Where to divide them: in their middle third, near the middle, and at a short separator.
  std::uint64_t best_middle() const;
  // A new branch of children [from, to), which fit into one.
  Result<Child> write(heap::Build& build, std::uint64_t from, std::uint64_t to) const {
    return write(build, from, shape_of(from, to));
  }
  // Two branches that divide at `middle`, if that is not 0 and both fit; else as many as are needed.
  Result<void> write_all(heap::Build& build, std::uint64_t middle, NewChildren& out) const;

 private:
  struct Part {
    Child child;
    std::uint32_t separator_at;
    std::uint32_t separator_size;
  };
  static constexpr std::size_t text_size_usual = 1024;
  static constexpr std::uint64_t parts_max = 2 * format::ordered_entries_max + NewChildren::count_max;

  std::span<const std::byte> separator(std::uint64_t index) const {
    return {text_.data() + parts_[index].separator_at, parts_[index].separator_size};
  }
  void set_separator(std::uint64_t index, std::span<const std::byte> separator);
  format::OrderedShape shape_of(std::uint64_t from, std::uint64_t to) const;
  static bool fits(const format::OrderedShape& shape) {
    return shape.count <= format::ordered_entries_max && shape.size() <= format::ordered_branch_size_max;
  }
  bool fits(std::uint64_t from, std::uint64_t to) const { return fits(shape_of(from, to)); }
  Result<Child> write(heap::Build& build, std::uint64_t from, const format::OrderedShape& shape) const;
  Result<void> write_range(heap::Build& build, std::uint64_t from, std::uint64_t to, NewChildren& out) const;

  std::uint64_t height_;
  std::array<Part, parts_max> parts_;
  std::uint64_t count_ = 0;
  std::vector<std::byte> text_;  // separators, one behind the other
};

}  // namespace utan::tree
