#include "tree/ordered.h"

#include <cstring>

#include "base/check.h"
#include "tree/ordered_ascend.h"
#include "tree/ordered_node.h"
#include "tree/ordered_parts.h"

namespace utan::tree {

using format::block_header_size;
using format::BlockHeader;
using format::EncodedKey;
using format::Kind;
using format::ordered_entries_max;
using format::OrderedAux;
using format::OrderedEntry;
using format::OrderedShape;
using heap::Build;
using heap::Made;

namespace {

OrderedEntry* entries_of(const Made<BlockHeader>& leaf, const OrderedShape& shape) {
  return reinterpret_cast<OrderedEntry*>(reinterpret_cast<std::byte*>(leaf.at) + shape.entries_at());
}

// The leaf at the end of a path. Checked again: in a damaged file it may have been handed out since the search.
Result<OrderedNode> read_last(const Build& build, Offset root, const FoundOrdered& where) {
  DCHECK(where.path.depth != 0 && where.path.steps[0].node() == root);
  static_cast<void>(root);
  const OrderedPath::Step& step = where.path.steps[where.path.depth - 1];
  OrderedNode leaf;
  if (!read_node(build.view(), step.node(), 0, leaf) ||
      step.index + (where.status == Status::found ? 1 : 0) > leaf.shape.count) {
    return build.view().damage(step.node(), Kind::ordered_leaf);
  }
  return leaf;
}

// A leaf of which only the bytes before `kept` are copied yet. In place, it is as it was.
Result<Made<BlockHeader>> edit_partly(Build& build, const OrderedNode& leaf, std::uint64_t kept, std::uint64_t needed) {
  UTAN_ASSIGN(const Made<BlockHeader> made,
              build.edit(leaf.header, leaf.offset, ByteCount{block_header_size}, ByteCount{needed}));
  if (made.at != leaf.header) {
    std::memmove(reinterpret_cast<std::byte*>(made.at) + block_header_size,
                 reinterpret_cast<const std::byte*>(leaf.header) + block_header_size, kept - block_header_size);
  }
  return made;
}

void move_rest(const Made<BlockHeader>& to, std::uint64_t to_at, const OrderedNode& from, std::uint64_t from_at) {
  std::memmove(reinterpret_cast<std::byte*>(to.at) + to_at, reinterpret_cast<const std::byte*>(from.header) + from_at,
               from.shape.size() - from_at);
}

// Puts an entry among those of a leaf that has room for it, and a prefix that it shares.
Result<Offset> insert_entry(Build& build, const OrderedNode& leaf, std::uint64_t index, const OrderedEntry& entry) {
  const std::uint64_t at = leaf.shape.entries_at() + index * sizeof(OrderedEntry);
  const std::uint64_t needed = leaf.shape.size() + sizeof(OrderedEntry);
  const OrderedShape shape = leaf.shape;
  UTAN_ASSIGN(const Made<BlockHeader> made, edit_partly(build, leaf, at, needed));
  move_rest(made, at + sizeof(OrderedEntry), leaf, at);
  entries_of(made, shape)[index] = entry;
  made.at->checksum += format::ordered_share(entry, 0);
  heap::set_aux(made.at, OrderedAux::make(shape.count + 1, shape.prefix_size).word);
  return made.offset;
}

Result<Offset> erase_entry(Build& build, const OrderedNode& leaf, std::uint64_t index) {
  const std::uint64_t at = leaf.shape.entries_at() + index * sizeof(OrderedEntry);
  const OrderedShape shape = leaf.shape;
  const OrderedEntry entry = leaf.entries()[index];
  UTAN_ASSIGN(const Made<BlockHeader> made, edit_partly(build, leaf, at, shape.size() - sizeof(OrderedEntry)));
  move_rest(made, at, leaf, at + sizeof(OrderedEntry));
  made.at->checksum -= format::ordered_share(entry, 0);
  heap::set_aux(made.at, OrderedAux::make(shape.count - 1, shape.prefix_size).word);
  return made.offset;
}

}  // namespace

Result<Offset> insert_ordered(Build& build, Offset root, const FoundOrdered& where, const EncodedKey& key,
                              Offset record) {
  DCHECK(where.status == Status::missing && (where.path.depth == 0) == (root == Offset{}));
  const Sequence sequence = sequence_of(key);
  if (!root) {
    LeafParts parts;
    parts.insert(0, sequence, record);
    UTAN_ASSIGN(const Child child, parts.write(build, 0, 1));
    return child.offset;
  }
  UTAN_ASSIGN(const OrderedNode leaf, read_last(build, root, where));
  const std::uint64_t index = where.path.steps[where.path.depth - 1].index;
  Ascent ascent(build, where.path, where.path.depth - 1);
  const std::uint64_t count = leaf.shape.count;
  const std::uint64_t prefix_size = leaf.shape.prefix_size;
  if (count < ordered_entries_max && common_size(sequence, leaf.prefix(), prefix_size) == prefix_size) [[likely]] {
    UTAN_ASSIGN(const Offset made, insert_entry(build, leaf, index, {sequence.head_at(prefix_size), record.value}));
    return ascent.point_to(made, 1);
  }
  LeafParts parts;
  parts.add(leaf, 0, count);
  parts.insert(index, sequence, record);
  NewChildren children;
  if (parts.count() <= ordered_entries_max) {
    UTAN_TRY(parts.write_one(build, children));
  } else {
    // Who adds at the tree's end leaves full leaves behind.
    UTAN_TRY(parts.write_two(
        build, index == count && ascent.is_at_end(where.path.depth - 1) ? count : parts.best_middle(), children));
  }
  drop_node(build, leaf);
  return ascent.replace_by(children, 1, Balance::keep);
}

Result<Offset> replace_ordered(Build& build, Offset root, const FoundOrdered& where, Offset record) {
  DCHECK(where.status == Status::found);
  UTAN_ASSIGN(const OrderedNode leaf, read_last(build, root, where));
  const OrderedShape shape = leaf.shape;
  const std::uint64_t index = where.path.steps[where.path.depth - 1].index;
  const ByteCount size{shape.size()};
  UTAN_ASSIGN(const Made<BlockHeader> made, build.edit(leaf.header, leaf.offset, size, size));
  OrderedEntry& entry = entries_of(made, shape)[index];
  made.at->checksum -= format::ordered_share(entry, 0);
  entry.word = record.value;
  made.at->checksum += format::ordered_share(entry, 0);
  return Ascent(build, where.path, where.path.depth - 1).point_to(made.offset, 0);
}

Result<Offset> erase_ordered(Build& build, Offset root, const FoundOrdered& where) {
  DCHECK(where.status == Status::found);
  UTAN_ASSIGN(const OrderedNode leaf, read_last(build, root, where));
  const std::uint64_t depth = where.path.depth;
  const std::uint64_t index = where.path.steps[depth - 1].index;
  const std::uint64_t count = leaf.shape.count;
  if (depth == 1 && count == 1) {
    drop_node(build, leaf);
    return Offset{};
  }
  Ascent ascent(build, where.path, depth - 1);
  if (depth == 1 || count > ordered_entries_min) {
    UTAN_ASSIGN(const Offset made, erase_entry(build, leaf, index));
    return ascent.point_to(made, -1);
  }
  UTAN_ASSIGN(const OrderedNode branch, ascent.above(depth - 1));
  // Only a damaged branch that is not the topmost has a single child.
  if (branch.shape.count < 2) return build.view().damage(branch.offset, Kind::ordered_branch);
  UTAN_ASSIGN(const Neighbour with, read_neighbour(build.view(), branch, where.path.steps[depth - 2].index));
  LeafParts parts;
  if (!with.is_behind) parts.add(with.node, 0, with.node.shape.count);
  parts.add(leaf, 0, index);
  parts.add(leaf, index + 1, count);
  if (with.is_behind) parts.add(with.node, 0, with.node.shape.count);
  NewChildren children;
  if (parts.count() <= ordered_merged_max) {
    UTAN_TRY(parts.write_one(build, children));
  } else {
    UTAN_TRY(parts.write_two(build, parts.best_middle(), children));
  }
  drop_node(build, leaf);
  drop_node(build, with.node);
  return ascent.replace_pair_by(with.is_behind, children, -1);
}

}  // namespace utan::tree
