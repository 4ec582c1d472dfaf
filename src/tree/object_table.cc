#include "tree/object_table.h"

#include <algorithm>
#include <string>

namespace utan::tree {

using format::Kind;
using format::ObjectBranch;
using format::ObjectEntry;
using format::ObjectLeaf;
using heap::Build;
using heap::Made;
using heap::View;

namespace {

// How many indices a subtree of `depth` levels of branches covers.
constexpr std::uint64_t span(std::uint64_t depth) {
  std::uint64_t out = format::object_leaf_fanout;
  for (std::uint64_t i = 0; i < depth; ++i) out *= format::object_branch_fanout;
  return out;
}
static_assert(span(format::object_table_depth_max) > format::object_index_max);

constexpr std::uint64_t branch_first_word = 2;
constexpr std::uint64_t leaf_first_word = 2;

Result<Made<ObjectLeaf>> editable_leaf(Build& build, Offset offset, std::uint64_t index) {
  const std::uint64_t needed_count = index + 1;
  Made<ObjectLeaf> leaf;
  std::uint64_t count = 0;
  if (!offset) {
    UTAN_ASSIGN(leaf, build.make<ObjectLeaf>(Kind::object_leaf, ByteCount{ObjectLeaf::size_for(needed_count)}, 0));
  } else {
    const auto* old = build.view().follow_node<ObjectLeaf>(offset, Kind::object_leaf);
    if (old == nullptr || old->count() > format::object_leaf_fanout)
      return build.view().damage(offset, Kind::object_leaf);
    count = old->count();
    UTAN_ASSIGN(leaf, build.edit(old, offset, ByteCount{ObjectLeaf::size_for(count)},
                                 ByteCount{ObjectLeaf::size_for(std::max(count, needed_count))}));
  }
  for (; count < needed_count; ++count) {
    heap::add_word(leaf.at, leaf_first_word + count * 2, 0);
    heap::add_word(leaf.at, leaf_first_word + count * 2 + 1, 0);
  }
  if (leaf.at->count() < needed_count) heap::set_aux(leaf.at, static_cast<std::uint16_t>(needed_count));
  return leaf;
}

Result<Made<ObjectBranch>> editable_branch(Build& build, Offset offset, std::uint64_t index) {
  const std::uint64_t needed_count = index + 1;
  Made<ObjectBranch> branch;
  std::uint64_t count = 0;
  if (!offset) {
    UTAN_ASSIGN(branch,
                build.make<ObjectBranch>(Kind::object_branch, ByteCount{ObjectBranch::size_for(needed_count)}, 0));
  } else {
    const auto* old = build.view().follow_node<ObjectBranch>(offset, Kind::object_branch);
    if (old == nullptr || old->count() > format::object_branch_fanout) {
      return build.view().damage(offset, Kind::object_branch);
    }
    count = old->count();
    UTAN_ASSIGN(branch, build.edit(old, offset, ByteCount{ObjectBranch::size_for(count)},
                                   ByteCount{ObjectBranch::size_for(std::max(count, needed_count))}));
  }
  for (; count < needed_count; ++count) heap::add_word(branch.at, branch_first_word + count, 0);
  if (branch.at->count() < needed_count) heap::set_aux(branch.at, static_cast<std::uint16_t>(needed_count));
  return branch;
}

// Sets the entry below `offset` and answers where the subtree is now.
Result<Offset> set_below(Build& build, Offset offset, std::uint64_t depth, std::uint64_t index,
                         const ObjectEntry& entry) {
  if (depth == 0) {
    UTAN_ASSIGN(const Made<ObjectLeaf> leaf, editable_leaf(build, offset, index));
    heap::set_word(leaf.at, leaf_first_word + index * 2, entry.root);
    heap::set_word(leaf.at, leaf_first_word + index * 2 + 1,
                   std::uint64_t{entry.what} | (std::uint64_t{entry.links} << 32));
    return leaf.offset;
  }
  const std::uint64_t below = span(depth - 1);
  UTAN_ASSIGN(const Made<ObjectBranch> branch, editable_branch(build, offset, index / below));
  const std::uint64_t place = branch_first_word + index / below;
  const Offset child{branch.at->entries()[index / below]};
  UTAN_ASSIGN(const Offset now, set_below(build, child, depth - 1, index % below, entry));
  if (now != child) heap::set_word(branch.at, place, now.value);
  return branch.offset;
}

}  // namespace

FoundObject find_below_branches(const View& view, const ObjectTable& table, format::ObjectId id) {
  std::uint64_t index = id.index();
  if (!table.root || table.depth > format::object_table_depth_max || index >= span(table.depth)) return {};
  Offset at = table.root;
  for (std::uint64_t depth = table.depth; depth > 0; --depth) {
    const auto* branch = view.follow_node<ObjectBranch>(at, Kind::object_branch);
    if (branch == nullptr) return {Status::damaged, nullptr, at, Kind::object_branch};
    const std::uint64_t below = span(depth - 1);
    if (index / below >= branch->count()) return {};
    at = Offset{branch->entries()[index / below]};
    if (!at) return {};
    index %= below;
  }
  return find_in_leaf(view, at, index, id);
}

Result<void> set_object(Build& build, ObjectTable& table, format::ObjectId id, const ObjectEntry& entry) {
  const std::uint64_t index = id.index();
  if (table.depth > format::object_table_depth_max) return Error(Code::corruption, "the object table is too deep");
  while (index >= span(table.depth)) {
    if (table.depth == format::object_table_depth_max) return Error(Code::too_large, "the store is full of containers");
    if (table.root) {
      UTAN_ASSIGN(const Made<ObjectBranch> above,
                  build.make<ObjectBranch>(Kind::object_branch, ByteCount{ObjectBranch::size_for(1)}, 1));
      heap::add_word(above.at, branch_first_word, table.root.value);
      table.root = above.offset;
    }
    ++table.depth;
  }
  UTAN_ASSIGN(table.root, set_below(build, table.root, table.depth, index, entry));
  return {};
}

}  // namespace utan::tree
