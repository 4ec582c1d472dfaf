// Trees made, split and joined as a whole.
#include <algorithm>
#include <vector>

#include "base/check.h"
#include "tree/ordered.h"
#include "tree/ordered_ascend.h"
#include "tree/ordered_node.h"
#include "tree/ordered_parts.h"

namespace utan::tree {

using format::Kind;
using format::ordered_entries_max;
using heap::Build;
using heap::View;

namespace {

// How many records are fetched ahead while many are gone through.
constexpr std::size_t fetched_records = 12;

// The nodes of one height of a tree that is being made, with the separators between them.
class Level {
 public:
  std::size_t count() const { return children_.size(); }
  const Child& child(std::size_t index) const { return children_[index]; }
  std::span<const std::byte> separator(std::size_t index) const {
    const std::size_t from = index == 0 ? 0 : ends_[index - 1];
    return {text_.data() + from, ends_[index] - from};
  }
  void add(const Child& child, std::span<const std::byte> separator) {
    children_.push_back(child);
    text_.insert(text_.end(), separator.begin(), separator.end());
    ends_.push_back(text_.size());
  }

 private:
  std::vector<Child> children_;
  std::vector<std::byte> text_;
  std::vector<std::size_t> ends_;
};

// `count` things in as few groups of at most ordered_entries_max as there can be, all of about one size.
std::size_t group_count(std::size_t count) { return (count + ordered_entries_max - 1) / ordered_entries_max; }
std::size_t group_start(std::size_t count, std::size_t group) { return count * group / group_count(count); }

Result<void> check_ascending(const View& view, std::span<const Offset> records) {
  Sequence before;
  for (std::size_t i = 0; i < records.size(); ++i) {
    if (i + fetched_records < records.size()) fetch_lines(view, records[i + fetched_records].value, 0, 1);
    UTAN_ASSIGN(const Sequence key, record_sequence(view, records[i]));
    if (i != 0 && compare(before, key) >= 0) return Error(Code::invalid, "the keys do not ascend");
    before = key;
  }
  return {};
}

Result<Level> write_leaves(Build& build, std::span<const Offset> records) {
  Level out;
  for (std::size_t group = 0; group < group_count(records.size()); ++group) {
    const std::size_t from = group_start(records.size(), group);
    const std::size_t to = group_start(records.size(), group + 1);
    LeafParts parts;
    parts.set(records.subspan(from, to - from));
    UTAN_ASSIGN(const Child child, parts.write(build, 0, parts.count()));
    Separator separator;
    if (from != 0) {
      UTAN_ASSIGN(const Sequence low, record_sequence(build.view(), records[from - 1]));
      UTAN_ASSIGN(const Sequence high, record_sequence(build.view(), records[from]));
      separator = separator_between(low, high);
    }
    out.add(child, {separator.bytes.data(), separator.size});
  }
  return out;
}

Result<Level> write_branches(Build& build, const Level& below, std::uint64_t height) {
  Level out;
  for (std::size_t group = 0; group < group_count(below.count()); ++group) {
    BranchParts parts(height);
    for (std::size_t i = group_start(below.count(), group); i < group_start(below.count(), group + 1); ++i)
      parts.add(below.child(i), below.separator(i));
    NewChildren children;
    UTAN_TRY(parts.write_all(build, 0, children));
    for (std::uint64_t i = 0; i < children.count; ++i)
      out.add(children.child[i], {children.separator[i].bytes.data(), children.separator[i].size});
  }
  return out;
}

// --- Joining -----------------------------------------------------------------------------------------------------------

Result<OrderedNode> checked_root(const View& view, Offset root) {
  OrderedNode node;
  if (!read_root(view, root, node)) return view.damage(root, kind_of_root(view, root));
  return node;
}

// Two nodes of one height as children of one branch: as they are, or, if one of them is small, as one or two others.
Result<void> pair_up(Build& build, const OrderedNode& low, const OrderedNode& high, const Separator& between,
                     NewChildren& out) {
  if (!is_small(low.shape) && !is_small(high.shape)) {
    out.add(Child{low.offset, low.record_count()}, Separator());
    out.add(Child{high.offset, high.record_count()}, between);
    return {};
  }
  if (low.is_leaf()) {
    LeafParts parts;
    parts.add(low, 0, low.shape.count);
    parts.add(high, 0, high.shape.count);
    if (parts.count() <= ordered_merged_max) {
      UTAN_TRY(parts.write_one(build, out));
    } else {
      UTAN_TRY(parts.write_two(build, parts.best_middle(), out));
    }
  } else {
    BranchParts parts(low.shape.height);
    parts.add(low, 0, low.shape.count, Separator());
    parts.add(high, 0, high.shape.count, between);
    UTAN_TRY(parts.write_all(build, parts.fits_well() ? 0 : parts.best_middle(), out));
  }
  drop_node(build, low);
  drop_node(build, high);
  return {};
}

// Goes down the side of the higher tree to a node as high as the other tree, and puts the two side by side there.
Result<Offset> join_nodes(Build& build, const OrderedNode& left, const OrderedNode& right, const Separator& between) {
  const bool left_is_higher = left.shape.height >= right.shape.height;
  const OrderedNode& higher = left_is_higher ? left : right;
  const OrderedNode& lower = left_is_higher ? right : left;
  OrderedPath path;
  OrderedNode node = higher;
  while (node.shape.height > lower.shape.height) {
    const std::uint64_t index = left_is_higher ? node.shape.count - 1 : 0;
    path.add(node.offset, index);
    const Offset below = node.child(index);
    const std::uint64_t height = node.shape.height - 1;
    if (!read_node(build.view(), below, height, node)) return build.view().damage(below, kind_at(height));
  }
  path.add(node.offset, 0);
  const auto added = static_cast<std::int64_t>(lower.record_count());
  NewChildren children;
  UTAN_TRY(left_is_higher ? pair_up(build, node, lower, between, children)
                          : pair_up(build, lower, node, between, children));
  return Ascent(build, path, higher.shape.height).replace_by(children, added, Balance::keep);
}

// --- Splitting ---------------------------------------------------------------------------------------------------------

// Children [from, to) of a branch as a tree; 0 if there are none.
Result<Offset> tree_of_children(Build& build, const OrderedNode& branch, std::uint64_t from, std::uint64_t to) {
  if (from == to) return Offset{};
  if (from + 1 == to) return branch.child(from);
  BranchParts parts(branch.shape.height);
  parts.add(branch, from, to, Separator());
  UTAN_ASSIGN(const Child child, parts.write(build, 0, parts.count()));
  return child.offset;
}

// The two parts of a leaf; either may be empty.
Result<std::pair<Offset, Offset>> split_leaf(Build& build, const OrderedNode& leaf, std::uint64_t index) {
  if (index == 0) return std::pair{Offset{}, leaf.offset};
  LeafParts parts;
  parts.add(leaf, 0, leaf.shape.count);
  UTAN_ASSIGN(const Child low, parts.write(build, 0, index));
  UTAN_ASSIGN(const Child high, parts.write(build, index, parts.count()));
  drop_node(build, leaf);
  return std::pair{low.offset, high.offset};
}

}  // namespace

Result<Offset> load_ordered(Build& build, std::span<const Offset> records, Ascending ascending) {
  if (records.empty()) return Offset{};
  if (ascending == Ascending::unknown) {
    UTAN_TRY(check_ascending(build.view(), records));
  } else {
    DCHECK_SOUND(check_ascending(build.view(), records).ok());
  }
  UTAN_ASSIGN(Level level, write_leaves(build, records));
  for (std::uint64_t height = 1; level.count() > 1; ++height) {
    if (height > format::ordered_height_max) return Error(Code::too_large, "the tree cannot get any higher");
    UTAN_ASSIGN(level, write_branches(build, level, height));
  }
  return level.child(0).offset;
}

Result<Offset> join_ordered(Build& build, Offset left, Offset right) {
  if (!left) return right;
  if (!right) return left;
  UTAN_ASSIGN(const OrderedNode low, checked_root(build.view(), left));
  UTAN_ASSIGN(const OrderedNode high, checked_root(build.view(), right));
  UTAN_ASSIGN(const Sequence before, edge_sequence(build.view(), low, false));
  UTAN_ASSIGN(const Sequence after, edge_sequence(build.view(), high, true));
  if (compare(before, after) >= 0) return Error(Code::invalid, "the keys of the two trees are not apart");
  return join_nodes(build, low, high, separator_between(before, after));
}

Result<std::pair<Offset, Offset>> split_ordered(Build& build, Offset root, std::uint64_t rank) {
  if (!root || rank == 0) return std::pair{Offset{}, root};
  UTAN_ASSIGN(const Count count, ordered_count(build.view(), root));
  if (rank >= count.value) return std::pair{root, Offset{}};
  const FoundOrdered where = find_ordered_rank(build.view(), root, rank);
  if (where.status != Status::found) return build.view().damage(where.damaged, where.expected);
  const std::uint64_t depth = where.path.depth;
  OrderedNode leaf;
  const OrderedPath::Step& last = where.path.steps[depth - 1];
  if (!read_node(build.view(), last.node(), 0, leaf) || last.index >= leaf.shape.count)
    return build.view().damage(last.node(), Kind::ordered_leaf);
  UTAN_ASSIGN(auto parts, split_leaf(build, leaf, last.index));
  const Ascent ascent(build, where.path, depth - 1);
  for (std::uint64_t at = depth - 1; at > 0; --at) {
    UTAN_ASSIGN(const OrderedNode branch, ascent.above(at));
    const std::uint64_t index = where.path.steps[at - 1].index;
    UTAN_ASSIGN(const Offset before, tree_of_children(build, branch, 0, index));
    UTAN_ASSIGN(const Offset behind, tree_of_children(build, branch, index + 1, branch.shape.count));
    drop_node(build, branch);
    UTAN_ASSIGN(parts.first, join_ordered(build, before, parts.first));
    UTAN_ASSIGN(parts.second, join_ordered(build, parts.second, behind));
  }
  return parts;
}

}  // namespace utan::tree
