#include "tree/ordered.h"
#include "tree/ordered_node.h"

namespace utan::tree {

namespace {

// The height ends the recursion: it is bounded, and is less by one at each level. At most `node_count_max` nodes, so that a
// damaged file whose nodes name one another in many ways comes to an end.
Result<void> drop_below(heap::Build& build, const OrderedNode& node, std::uint64_t& node_count_max) {
  if (node_count_max-- == 0) return build.view().damage(node.offset, kind_at(node.shape.height));
  for (std::uint64_t i = 0; !node.is_leaf() && i < node.shape.count; ++i) {
    OrderedNode child;
    if (!read_node(build.view(), node.child(i), node.shape.height - 1, child))
      return build.view().damage(node.child(i), kind_at(node.shape.height - 1));
    UTAN_TRY(drop_below(build, child, node_count_max));
  }
  build.drop(node.offset, node.header);
  return {};
}

}  // namespace

Result<void> drop_ordered(heap::Build& build, Offset root) {
  if (!root) return {};
  OrderedNode top;
  if (!read_root(build.view(), root, top)) return build.view().damage(root, format::Kind::ordered_leaf);
  std::uint64_t node_count_max = build.view().size().value / format::block_size_min;
  return drop_below(build, top, node_count_max);
}

}  // namespace utan::tree
