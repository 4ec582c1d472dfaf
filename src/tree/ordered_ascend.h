// From a changed node of an ordered tree up to its top: every branch above is made to name what took its place.
//
// Thread safety: within one Build.
#pragma once

#include <cstdint>

#include "base/result.h"
#include "base/types.h"
#include "heap/build.h"
#include "tree/ordered.h"
#include "tree/ordered_node.h"
#include "tree/ordered_parts.h"

namespace utan::tree {

// Is the new node to be joined with a neighbour if it is small? Only an erasure does.
enum class Balance : std::uint8_t { keep, join_small };

// A tree within a build, and the way to the node of it that changes (the last of the path, at any height).
class Ascent {
 public:
  Ascent(heap::Build& build, const OrderedPath& path, std::uint64_t top_height)
      : build_(build), path_(path), top_height_(top_height) {}

  // One node took its place, with `change` more records. Answers the tree's new top.
  Result<Offset> point_to(Offset node, std::int64_t change) { return point_from(path_.depth - 1, node, change); }
  // `children` took its place.
  Result<Offset> replace_by(NewChildren& children, std::int64_t change, Balance balance) {
    return replace_from(path_.depth - 1, 0, children, change, balance);
  }
  // `children` took the place of the node and of one neighbour.
  Result<Offset> replace_pair_by(bool neighbour_is_behind, NewChildren& children, std::int64_t change) {
    return replace_from(path_.depth - 1, neighbour_is_behind ? 1 : -1, children, change, Balance::join_small);
  }
  // The branch above the step at `depth`, checked against the path.
  Result<OrderedNode> above(std::uint64_t depth) const;
  // Does the way lead, down to the step at `depth`, to the last child of every branch?
  bool is_at_end(std::uint64_t depth) const;

 private:
  Result<Offset> point_from(std::uint64_t depth, Offset node, std::int64_t change);
  Result<Offset> replace_from(std::uint64_t depth, int neighbour, NewChildren& children, std::int64_t change,
                              Balance balance);
  Result<Offset> make_top(NewChildren& children);

  heap::Build& build_;
  const OrderedPath& path_;
  std::uint64_t top_height_;
};

// The neighbour that a small child is joined with.
struct Neighbour {
  OrderedNode node;
  bool is_behind = false;
};
// Of child `index` of a branch that has others.
Result<Neighbour> read_neighbour(const heap::View& view, const OrderedNode& branch, std::uint64_t index);

inline void drop_node(heap::Build& build, const OrderedNode& node) { build.drop(node.offset, node.header); }

// A branch's word for a child with a count.
void set_child(const heap::Made<format::BlockHeader>& branch, const format::OrderedShape& shape, std::uint64_t index,
               Offset child, std::uint64_t count);

}  // namespace utan::tree
