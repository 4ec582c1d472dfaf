// Whole lists: loading, splitting, joining, dropping.
#include <algorithm>
#include <utility>
#include <vector>

#include "tree/positional.h"
#include "tree/positional_nodes.h"

namespace utan::tree {

using namespace positional;

namespace {

// A tree of its own, or none if its offset is 0.
struct Tree {
  ListChild top{};
  std::uint64_t height = 0;
};

// Takes trees apart and puts them together.
class Joiner {
 public:
  explicit Joiner(Build& build) : nodes_(build) {}

  Result<Tree> open(Offset root) {
    Tree tree;
    if (!root) return tree;
    UTAN_ASSIGN(const Count count, list_count(view(), root));
    if (!find_list_height(view(), root, tree.height)) return list_damage(view(), root, 0);
    tree.top = {root.value, count.value};
    return tree;
  }

  Result<Tree> join(const Tree& left, const Tree& right) {
    if (left.top.offset == 0) return right;
    if (right.top.offset == 0) return left;
    UTAN_ASSIGN(const std::uint64_t last_count, edge_leaf_count(left, false));
    UTAN_ASSIGN(const std::uint64_t first_count, edge_leaf_count(right, true));
    const bool loose = std::min(last_count, first_count) < format::list_leaf_fill_min;
    UTAN_ASSIGN(const Siblings siblings, join_nodes(left, right, loose));
    const std::uint64_t height = std::max(left.height, right.height);
    if (!siblings.two) return lowered({siblings.first, height});
    if (height == format::list_height_max) return Error(Code::too_large, "the list cannot grow any further");
    Items items(height + 1);
    items.add(siblings.first);
    items.add(siblings.second);
    return tree_of(items.from(0), 2, height + 1);
  }

  // Neither part is empty: 0 < index < count.
  Result<std::pair<Tree, Tree>> split(const Tree& tree, std::uint64_t index) {
    UTAN_ASSIGN(const Node node, nodes_.follow(tree.top.offset, tree.height));
    Items items(tree.height);
    items.add(node, 0, node.count);
    nodes_.drop(tree.top.offset, node);
    if (tree.height == 0) {
      if (index >= items.count()) return list_damage(view(), Offset{tree.top.offset}, 0);
      UTAN_ASSIGN(const Siblings leaves, nodes_.write_two(items, index));
      return std::pair(Tree{leaves.first, 0}, Tree{leaves.second, 0});
    }
    std::uint64_t child = 0;
    for (; child < items.count() && index > items.child(child).count; ++child) index -= items.child(child).count;
    if (child == items.count()) return list_damage(view(), Offset{tree.top.offset}, tree.height);
    const bool between = index == items.child(child).count;
    const std::uint64_t left_count = between ? child + 1 : child;
    UTAN_ASSIGN(Tree left, tree_of(items.from(0), left_count, tree.height));
    UTAN_ASSIGN(Tree right, tree_of(items.from(child + 1), items.count() - child - 1, tree.height));
    if (!between) {
      UTAN_ASSIGN(const auto parts, split({items.child(child), tree.height - 1}, index));
      UTAN_ASSIGN(left, join(left, parts.first));
      UTAN_ASSIGN(right, join(parts.second, right));
    }
    return std::pair(left, right);
  }

  // At most `node_count_max` nodes, so that a damaged file whose nodes name one another in many ways comes to an end.
  Result<void> drop(ListChild top, std::uint64_t height, std::uint64_t& node_count_max) {
    UTAN_ASSIGN(const Node node, nodes_.follow(top.offset, height));
    if (node_count_max-- == 0) return list_damage(view(), Offset{top.offset}, height);
    for (std::uint64_t i = 0; height > 0 && i < node.count; ++i)
      UTAN_TRY(drop(list_children(node.at)[i], height - 1, node_count_max));
    nodes_.drop(top.offset, node);
    return {};
  }

  // A tree of `count` children of a branch of this height.
  Result<Tree> tree_of(const std::uint64_t* words, std::uint64_t count, std::uint64_t height) {
    if (count == 0) return Tree{};
    if (count == 1) return Tree{{words[0], words[1]}, height - 1};
    UTAN_ASSIGN(const ListChild top, nodes_.write(words, count, height));
    return Tree{top, height};
  }

 private:
  const View& view() { return nodes_.build().view(); }

  // How many words the first or the last leaf has.
  Result<std::uint64_t> edge_leaf_count(const Tree& tree, bool first) {
    std::uint64_t at = tree.top.offset;
    for (std::uint64_t height = tree.height; height > 0; --height) {
      UTAN_ASSIGN(const Node node, nodes_.follow(at, height));
      at = list_children(node.at)[first ? 0 : node.count - 1].offset;
    }
    UTAN_ASSIGN(const Node leaf, nodes_.follow(at, 0));
    return leaf.count;
  }

  // The two trees as one or two nodes of the greater height. Goes down the edge of the higher tree to where the lower one
  // has its place, and, if the leaves that meet are `loose`, on down both edges to these.
  Result<Siblings> join_nodes(const Tree& left, const Tree& right, bool loose) {
    const std::uint64_t height = std::max(left.height, right.height);
    if (left.height == right.height && (height == 0 || !loose)) return nodes_.combine(left.top, right.top, height);
    if (left.top.offset == right.top.offset) return list_damage(view(), Offset{left.top.offset}, height);
    Items items(height);
    Tree inner_left = left;
    Tree inner_right = right;
    if (left.height == height) {
      UTAN_ASSIGN(const Node node, nodes_.follow(left.top.offset, height));
      items.add(node, 0, node.count - 1);
      inner_left = {list_children(node.at)[node.count - 1], height - 1};
      nodes_.drop(left.top.offset, node);
    }
    Node rest;
    if (right.height == height) {
      UTAN_ASSIGN(rest, nodes_.follow(right.top.offset, height));
      inner_right = {list_children(rest.at)[0], height - 1};
      nodes_.drop(right.top.offset, rest);
    }
    UTAN_ASSIGN(const Siblings inner, join_nodes(inner_left, inner_right, loose));
    const std::uint64_t seam = items.count();
    items.add(inner.first);
    if (inner.two) items.add(inner.second);
    if (right.height == height) items.add(rest, 1, rest.count - 1);
    if (!inner.two) UTAN_TRY(mend_child(items, seam));
    return nodes_.write_fitting(items);
  }

  // A child that is less than a quarter full is combined with a neighbour, if it has one.
  Result<void> mend_child(Items& items, std::uint64_t child) {
    const std::uint64_t height = items.height() - 1;
    UTAN_ASSIGN(const Node node, nodes_.follow(items.child(child).offset, height));
    if (node.count >= format::list_node_fill_min(height) || items.count() == 1) return {};
    const std::uint64_t left = child > 0 ? child - 1 : 0;
    UTAN_ASSIGN(const Siblings siblings, nodes_.combine(items.child(left), items.child(left + 1), height));
    items.set(left, siblings.first);
    if (siblings.two) {
      items.set(left + 1, siblings.second);
    } else {
      items.erase(left + 1);
    }
    return {};
  }

  // Without roots that have one child.
  Result<Tree> lowered(Tree tree) {
    while (tree.height > 0) {
      UTAN_ASSIGN(const Node node, nodes_.follow(tree.top.offset, tree.height));
      if (node.count > 1) break;
      nodes_.drop(tree.top.offset, node);
      tree = {list_children(node.at)[0], tree.height - 1};
    }
    return tree;
  }

  Nodes nodes_;
};

// How many of the next `left` items a full node takes, so that none after it has too few.
std::uint64_t load_count(std::uint64_t left, std::uint64_t height) {
  const std::uint64_t fanout = format::list_node_fanout(height);
  if (left <= fanout) return left;
  if (height > 0 && left < fanout + format::list_node_fill_min(height)) return left / 2;
  return fanout;
}

}  // namespace

Result<Offset> list_load(Build& build, std::span<const Word> words) {
  Nodes nodes(build);
  // As most lists are.
  if (words.size() - 1 < format::list_leaf_fanout) {
    UTAN_ASSIGN(const ListChild leaf, nodes.write(&words[0].word, words.size(), 0));
    return Offset{leaf.offset};
  }
  std::vector<ListChild> level;
  level.reserve(words.size() / format::list_leaf_fanout + 1);
  for (std::size_t at = 0; at < words.size();) {
    const std::uint64_t count = load_count(words.size() - at, 0);
    UTAN_ASSIGN(const ListChild leaf, nodes.write(&words[at].word, count, 0));
    level.push_back(leaf);
    at += count;
  }
  if (level.empty()) return Offset{};
  for (std::uint64_t height = 1; level.size() > 1; ++height) {
    std::vector<ListChild> above;
    for (std::size_t at = 0; at < level.size();) {
      const std::uint64_t count = load_count(level.size() - at, height);
      UTAN_ASSIGN(const ListChild branch, nodes.write(&level[at].offset, count, height));
      above.push_back(branch);
      at += count;
    }
    level = std::move(above);
  }
  return Offset{level[0].offset};
}

Result<std::pair<Offset, Offset>> list_split(Build& build, Offset root, std::uint64_t index) {
  Joiner joiner(build);
  UTAN_ASSIGN(const Tree tree, joiner.open(root));
  if (index > tree.top.count) return list_index_error(index);
  if (index == 0) return std::pair(Offset{}, root);
  if (index == tree.top.count) return std::pair(root, Offset{});
  UTAN_ASSIGN(const auto parts, joiner.split(tree, index));
  return std::pair(Offset{parts.first.top.offset}, Offset{parts.second.top.offset});
}

Result<Offset> list_join(Build& build, Offset left, Offset right) {
  if (left && left == right) return Error(Code::invalid, "a list cannot be joined to itself");
  Joiner joiner(build);
  UTAN_ASSIGN(const Tree left_tree, joiner.open(left));
  UTAN_ASSIGN(const Tree right_tree, joiner.open(right));
  UTAN_ASSIGN(const Tree tree, joiner.join(left_tree, right_tree));
  return Offset{tree.top.offset};
}

Result<void> list_drop(Build& build, Offset root) {
  Joiner joiner(build);
  UTAN_ASSIGN(const Tree tree, joiner.open(root));
  if (!root) return {};
  std::uint64_t node_count_max = build.view().size().value / format::block_size_min;
  return joiner.drop(tree.top, tree.height, node_count_max);
}

}  // namespace utan::tree
