#include "tree/object_table.h"

#include <algorithm>
#include <array>
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

constexpr std::uint64_t span_of(std::uint64_t depth) {
  std::uint64_t out = format::object_leaf_fanout;
  for (std::uint64_t i = 0; i < depth; ++i) out *= format::object_branch_fanout;
  return out;
}
static_assert(span_of(format::object_table_depth_max) > format::object_index_max);

// How many indices a subtree of `depth` levels of branches covers.
std::uint64_t span(std::uint64_t depth) {
  static constexpr auto spans = [] {
    std::array<std::uint64_t, format::object_table_depth_max + 1> out{};
    for (std::uint64_t i = 0; i < out.size(); ++i) out[i] = span_of(i);
    return out;
  }();
  return spans[depth];
}

// The way to an index: which child to take of a branch with so many levels below it, and which entry of the leaf, at [0].
// Divides by constants alone, which are multiplications.
class Way {
 public:
  Way(std::uint64_t index, std::uint64_t depth) {
    steps_[0] = index % format::object_leaf_fanout;
    std::uint64_t rest = index / format::object_leaf_fanout;
    for (std::uint64_t level = 1; level < depth; ++level) {
      steps_[level] = rest % format::object_branch_fanout;
      rest /= format::object_branch_fanout;
    }
    if (depth > 0) steps_[depth] = rest;
  }
  std::uint64_t operator[](std::uint64_t level) const { return steps_[level]; }

 private:
  std::array<std::uint64_t, format::object_table_depth_max + 1> steps_;
};

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

// What may be at an entry's place before.
enum class Before : std::uint8_t { anything, no_container };

// Sets the entry below `offset` and answers where the subtree is now.
Result<Offset> set_below(Build& build, Offset offset, std::uint64_t depth, const Way& way, const ObjectEntry& entry,
                         Before before) {
  const std::uint64_t step = way[depth];
  if (depth == 0) {
    UTAN_ASSIGN(const Made<ObjectLeaf> leaf, editable_leaf(build, offset, step));
    // An emptied container is one, too.
    if (before == Before::no_container && leaf.at->entries()[step].type() != format::ContainerType::none) [[unlikely]]
      return Error(Code::corruption, "a new container was to take the place of one that is there");
    heap::set_word(leaf.at, leaf_first_word + step * 2, entry.root);
    heap::set_word(leaf.at, leaf_first_word + step * 2 + 1,
                   std::uint64_t{entry.what} | (std::uint64_t{entry.links} << 32));
    return leaf.offset;
  }
  UTAN_ASSIGN(const Made<ObjectBranch> branch, editable_branch(build, offset, step));
  const Offset child{branch.at->entries()[step]};
  UTAN_ASSIGN(const Offset now, set_below(build, child, depth - 1, way, entry, before));
  if (now != child) heap::set_word(branch.at, branch_first_word + step, now.value);
  return branch.offset;
}

}  // namespace

FoundObject find_below_branches(const View& view, const ObjectTable& table, format::ObjectId id) {
  if (!table.root || table.depth > format::object_table_depth_max || id.index() >= span(table.depth)) return {};
  const Way way(id.index(), table.depth);
  Offset at = table.root;
  for (std::uint64_t depth = table.depth; depth > 0; --depth) {
    const auto* branch = view.follow_node<ObjectBranch>(at, Kind::object_branch);
    if (branch == nullptr) return {Status::damaged, nullptr, at, Kind::object_branch};
    if (way[depth] >= branch->count()) return {};
    at = Offset{branch->entries()[way[depth]]};
    if (!at) return {};
  }
  return find_in_leaf(view, at, way[0], id);
}

namespace {

Result<void> set_or_add(Build& build, ObjectTable& table, format::ObjectId id, const ObjectEntry& entry,
                        Before before) {
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
  UTAN_ASSIGN(table.root, set_below(build, table.root, table.depth, Way(index, table.depth), entry, before));
  return {};
}

}  // namespace

Result<void> set_object(Build& build, ObjectTable& table, format::ObjectId id, const ObjectEntry& entry) {
  return set_or_add(build, table, id, entry, Before::anything);
}

Result<void> add_object(Build& build, ObjectTable& table, format::ObjectId id, const ObjectEntry& entry) {
  return set_or_add(build, table, id, entry, Before::no_container);
}

}  // namespace utan::tree
