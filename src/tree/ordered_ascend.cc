#include "tree/ordered_ascend.h"

#include "base/check.h"

namespace utan::tree {

using format::BlockHeader;
using format::OrderedChild;
using format::OrderedEntry;
using format::OrderedShape;
using heap::Made;
using heap::View;

void set_child(const Made<BlockHeader>& branch, const OrderedShape& shape, std::uint64_t index, Offset child,
               std::uint64_t count) {
  auto* bytes = reinterpret_cast<std::byte*>(branch.at);
  auto* entry = reinterpret_cast<OrderedEntry*>(bytes + shape.entries_at()) + index;
  std::uint64_t no_count = 0;
  std::uint64_t* wide =
      shape.has_counts() ? reinterpret_cast<std::uint64_t*>(bytes + shape.counts_at()) + index : &no_count;
  branch.at->checksum -= format::ordered_share(*entry, *wide);
  if (shape.has_counts()) {
    *wide = count;
    count = 0;
  }
  entry->word = OrderedChild::make(child, count).word;
  branch.at->checksum += format::ordered_share(*entry, *wide);
}

Result<Neighbour> read_neighbour(const View& view, const OrderedNode& branch, std::uint64_t index) {
  Neighbour out;
  out.is_behind = index + 1 < branch.shape.count;
  const Offset offset = branch.child(out.is_behind ? index + 1 : index - 1);
  const std::uint64_t height = branch.shape.height - 1;
  // A node that is its own neighbour would be dropped twice.
  if (offset == branch.child(index) || !read_node(view, offset, height, out.node))
    return view.damage(offset, kind_at(height));
  return out;
}

// Checked again: in a damaged file a block of the path may have been handed out since it was gone.
Result<OrderedNode> Ascent::above(std::uint64_t depth) const {
  DCHECK(depth > 0 && depth < path_.depth);
  const OrderedPath::Step& step = path_.steps[depth - 1];
  const std::uint64_t height = top_height_ - (depth - 1);
  OrderedNode branch;
  if (!read_node(build_.view(), step.node(), height, branch) || step.index >= branch.shape.count ||
      branch.child(step.index) != path_.steps[depth].node()) {
    return build_.view().damage(step.node(), kind_at(height));
  }
  return branch;
}

Result<Offset> Ascent::point_from(std::uint64_t depth, Offset node, std::int64_t change) {
  for (; depth > 0; --depth) {
    // Nothing above a node changes with it if the build made it and no count changes.
    if (node == path_.steps[depth].node() && change == 0) return path_.steps[0].node();
    UTAN_ASSIGN(const OrderedNode branch, above(depth));
    const std::uint64_t index = path_.steps[depth - 1].index;
    const std::uint64_t count = branch.count_below(index) + static_cast<std::uint64_t>(change);
    const ByteCount size{branch.shape.size()};
    UTAN_ASSIGN(const Made<BlockHeader> made, build_.edit(branch.header, branch.offset, size, size));
    set_child(made, branch.shape, index, node, count);
    node = made.offset;
  }
  return node;
}

bool Ascent::is_at_end(std::uint64_t depth) const {
  for (; depth > 0; --depth) {
    const Result<OrderedNode> branch = above(depth);
    if (!branch.ok() || path_.steps[depth - 1].index + 1 != branch->shape.count) return false;
  }
  return true;
}

Result<Offset> Ascent::make_top(NewChildren& children) {
  std::uint64_t height = top_height_;
  while (children.count > 1) {
    if (++height > format::ordered_height_max) return Error(Code::too_large, "the tree cannot get any higher");
    BranchParts parts(height);
    for (std::uint64_t i = 0; i < children.count; ++i)
      parts.add(children.child[i], {children.separator[i].bytes.data(), i == 0 ? 0 : children.separator[i].size});
    children.count = 0;
    UTAN_TRY(parts.write_all(build_, 0, children));
  }
  return children.child[0].offset;
}

// `neighbour` is 1 or -1 if the children also take the place of the one behind or before.
Result<Offset> Ascent::replace_from(std::uint64_t depth, int neighbour, NewChildren& children, std::int64_t change,
                                    Balance balance) {
  for (; depth > 0; --depth) {
    if (children.count == 1 && neighbour == 0) return point_from(depth, children.child[0].offset, change);
    UTAN_ASSIGN(const OrderedNode branch, above(depth));
    const std::uint64_t index = path_.steps[depth - 1].index;
    const std::uint64_t removed = neighbour == 0 ? 1 : 2;
    const std::uint64_t first = neighbour < 0 ? index - 1 : index;
    BranchParts parts(branch.shape.height);
    parts.add(branch, 0, branch.shape.count, Separator());
    parts.replace(first, removed, children);
    drop_node(build_, branch);
    // Two children became one, and the topmost branch has no others.
    if (depth == 1 && parts.count() == 1) return parts.child(0).offset;
    children.count = 0;
    neighbour = 0;
    if (depth == 1 || balance == Balance::keep || !parts.is_small()) {
      std::uint64_t middle = 0;
      if (!parts.fits()) {
        // Who adds at the tree's end leaves full nodes behind.
        const bool at_end = balance == Balance::keep && is_at_end(depth);
        middle = at_end ? parts.count() - 2 : parts.best_middle();
      }
      UTAN_TRY(parts.write_all(build_, middle, children));
      continue;
    }
    UTAN_ASSIGN(const OrderedNode over, above(depth - 1));
    const std::uint64_t over_index = path_.steps[depth - 2].index;
    if (over.shape.count < 2) {
      UTAN_TRY(parts.write_all(build_, 0, children));
      continue;
    }
    UTAN_ASSIGN(const Neighbour with, read_neighbour(build_.view(), over, over_index));
    BranchParts both(branch.shape.height);
    if (with.is_behind) {
      both.add(parts, Separator());
      both.add(with.node, 0, with.node.shape.count, read_separator(over, over_index + 1));
    } else {
      both.add(with.node, 0, with.node.shape.count, Separator());
      both.add(parts, read_separator(over, over_index));
    }
    drop_node(build_, with.node);
    UTAN_TRY(both.write_all(build_, both.fits_well() ? 0 : both.best_middle(), children));
    neighbour = with.is_behind ? 1 : -1;
  }
  return make_top(children);
}

}  // namespace utan::tree
