#include "base/check.h"
#include "tree/ordered.h"
#include "tree/ordered_find.h"
#include "tree/ordered_node.h"

namespace utan::tree {

using format::Kind;
using format::Record;

bool OrderedCursor::read_leaf(Offset offset, Leaf& out) const {
  OrderedNode node;
  if (!read_node(view_, offset, 0, node)) return false;
  out = {node.entries(), node.shape.count};
  return true;
}

Result<void> OrderedCursor::read_record() {
  offset_ = Offset{leaf_.entries[index_].word};
  record_ = view_.follow_record(offset_);
  if (record_ == nullptr) return view_.damage(offset_, Kind::record);
  return {};
}

// Stands at the place that `path_` leads to. Behind the last record of a leaf it is the first one of the next leaf.
Result<void> OrderedCursor::stand() {
  record_ = nullptr;
  upcoming_ = {};
  if (path_.depth == 0) {
    place_ = Place::behind;
    return {};
  }
  const OrderedPath::Step& last = path_.steps[path_.depth - 1];
  if (!read_leaf(last.node(), leaf_) || last.index > leaf_.count) return view_.damage(last.node(), Kind::ordered_leaf);
  index_ = last.index;
  place_ = Place::at;
  if (index_ == leaf_.count) return enter_neighbour<true>();
  for (std::uint64_t i = index_; i < leaf_.count && i < index_ + fetched_distance; ++i)
    fetch_record(leaf_.entries[i].word);
  look_ahead<true>();
  return read_record();
}

Result<void> OrderedCursor::seek_rank(std::uint64_t rank) {
  const FoundOrdered found = find_ordered_rank(view_, root_, rank);
  if (found.status == Status::damaged) return view_.damage(found.damaged, found.expected);
  path_ = found.path;
  return stand();
}

Result<void> OrderedCursor::seek_first() { return seek_rank(0); }

Result<void> OrderedCursor::seek_last() {
  const FoundOrdered found = find_ordered_rank(view_, root_, ~std::uint64_t{0});
  if (found.status == Status::damaged) return view_.damage(found.damaged, found.expected);
  path_ = found.path;
  UTAN_TRY(stand());
  return previous();
}

Result<bool> OrderedCursor::seek(const format::EncodedKey& key) {
  FoundOrdered found;
  find_ordered_here(view_, root_, key, found);
  if (found.status == Status::damaged) return view_.damage(found.damaged, found.expected);
  path_ = found.path;
  UTAN_TRY(stand());
  return found.status == Status::found;
}

// Leads the path to the leaf beside its own. False: there is none, or `damaged` is a node on the way.
template <bool forward>
bool OrderedCursor::lead_to_neighbour(OrderedPath& path, Offset& damaged) const {
  damaged = Offset{};
  const std::uint64_t depth = path.depth;
  for (std::uint64_t at = depth - 1; at > 0; --at) {
    OrderedPath::Step& step = path.steps[at - 1];
    OrderedNode node;
    if (!read_node(view_, step.node(), depth - at, node)) {
      damaged = step.node();
      return false;
    }
    if (forward ? step.index + 1 >= node.shape.count : step.index == 0) continue;
    step.index += forward ? 1 : ~std::uint64_t{0};
    if (step.index >= node.shape.count) {
      damaged = step.node();
      return false;
    }
    // Down again, along the side of what is below.
    Offset below = node.child(step.index);
    for (; at < depth - 1; ++at) {
      if (!read_node(view_, below, depth - 1 - at, node)) {
        damaged = below;
        return false;
      }
      path.steps[at] = {below.value, forward ? 0 : node.shape.count - 1};
      below = node.child(path.steps[at].index);
    }
    path.steps[depth - 1] = {below.value, 0};
    return true;
  }
  return false;
}

// Finds the leaf to come, so that its records can be fetched, and lets memory bring the one behind it. A damaged one is left
// for when it is due.
template <bool forward>
void OrderedCursor::look_ahead() {
  upcoming_ = {};
  OrderedPath path = path_;
  Offset damaged;
  if (!lead_to_neighbour<forward>(path, damaged)) return;
  if (!read_leaf(path.steps[path.depth - 1].node(), upcoming_)) {
    upcoming_ = {};
    return;
  }
  if (lead_to_neighbour<forward>(path, damaged)) fetch_node(view_, path.steps[path.depth - 1].node());
}

template <bool forward>
Result<void> OrderedCursor::enter_neighbour() {
  Offset damaged;
  OrderedPath path = path_;
  if (!lead_to_neighbour<forward>(path, damaged)) {
    if (damaged) return view_.damage(damaged, Kind::ordered_branch);
    record_ = nullptr;
    place_ = forward ? Place::behind : Place::before;
    return {};
  }
  const Offset offset = path.steps[path.depth - 1].node();
  if (!read_leaf(offset, leaf_)) return view_.damage(offset, Kind::ordered_leaf);
  path_ = path;
  index_ = forward ? 0 : leaf_.count - 1;
  place_ = Place::at;
  look_ahead<forward>();
  const Record* before = record_;
  UTAN_TRY(read_record());
  // That keys go on ascending, or descending, shows that no leaf comes again: no walk is without end.
  Sequence left;
  Sequence entered;
  if (!read_sequence(record_, entered)) return view_.damage(offset_, Kind::record);
  if (before != nullptr && (!read_sequence(before, left) || (compare(left, entered) < 0) != forward))
    return view_.damage(offset, Kind::ordered_leaf);
  return {};
}

template <bool forward>
Result<void> OrderedCursor::step() {
  if (forward ? index_ + 1 == leaf_.count : index_ == 0) return enter_neighbour<forward>();
  index_ += forward ? 1 : ~std::uint64_t{0};
  fetch_ahead<forward>();
  return read_record();
}

Result<void> OrderedCursor::next() {
  if (place_ == Place::behind) return {};
  if (place_ == Place::before) return seek_first();
  return step<true>();
}

Result<void> OrderedCursor::previous() {
  if (place_ == Place::before) return {};
  if (place_ == Place::behind) {
    // The path still leads to the last leaf, if there is any.
    if (path_.depth == 0) return {};
    record_ = nullptr;
    index_ = leaf_.count;
    place_ = Place::at;
    upcoming_ = {};
  }
  return step<false>();
}

}  // namespace utan::tree
