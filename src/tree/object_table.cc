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

constexpr std::uint64_t first_word = 2;  // of branches and leaves
constexpr std::uint64_t words_per_child = 1;
constexpr std::uint64_t words_per_entry = sizeof(ObjectEntry) / 8;

// The node at `offset` (0: a new one) as the build's own, long enough to have an entry at `index`.
template <class Node, std::uint64_t entry_words, std::uint64_t fanout>
Result<Made<Node>> editable(Build& build, Kind kind, Offset offset, std::uint64_t index) {
  const std::uint64_t needed_count = index + 1;
  Made<Node> node;
  std::uint64_t count = 0;
  if (!offset) [[unlikely]] {
    UTAN_ASSIGN(node, build.make<Node>(kind, ByteCount{Node::size_for(needed_count)}, 0));
  } else {
    const auto* old = build.view().follow_node<Node>(offset, kind);
    if (old == nullptr || old->count() > fanout) [[unlikely]]
      return build.view().damage(offset, kind);
    count = old->count();
    UTAN_ASSIGN(node, build.edit(old, offset, ByteCount{Node::size_for(count)},
                                 ByteCount{Node::size_for(std::max(count, needed_count))}));
  }
  if (count < needed_count) [[unlikely]] {
    for (std::uint64_t i = count * entry_words; i < needed_count * entry_words; ++i)
      heap::add_word(node.at, first_word + i, 0);
    heap::set_aux(node.at, static_cast<std::uint16_t>(needed_count));
  }
  return node;
}

// What may be at an entry's place before.
enum class Before : std::uint8_t { anything, no_container };

// Sets the entry at the end of the way, and makes all nodes on it the build's own, from the top down.
Result<void> set_on_way(Build& build, ObjectTable& table, format::ObjectId id, const ObjectEntry& entry,
                        Before before) {
  const Way way(id.index(), table.depth);
  Made<ObjectBranch> above;
  Offset at = table.root;
  // What was at `at`, below the branch `above` unless it is the topmost node, is at `now`.
  const auto move = [&](std::uint64_t level, Offset now) {
    if (level == table.depth) {
      table.root = now;
    } else if (now != at) [[likely]] {
      heap::set_word(above.at, first_word + way[level + 1], now.value);
    }
  };
  for (std::uint64_t level = table.depth; level > 0; --level) {
    UTAN_ASSIGN(const Made<ObjectBranch> branch, (editable<ObjectBranch, words_per_child, format::object_branch_fanout>(
                                                     build, Kind::object_branch, at, way[level])));
    move(level, branch.offset);
    above = branch;
    at = Offset{branch.at->entries()[way[level]]};
  }
  UTAN_ASSIGN(const Made<ObjectLeaf> leaf, (editable<ObjectLeaf, words_per_entry, format::object_leaf_fanout>(
                                               build, Kind::object_leaf, at, way[0])));
  // An emptied container is one, too.
  if (before == Before::no_container && leaf.at->entries()[way[0]].type() != format::ContainerType::none) [[unlikely]]
    return Error(Code::corruption, "a new container was to take the place of one that is there");
  const std::uint64_t word = first_word + way[0] * words_per_entry;
  heap::set_word(leaf.at, word, entry.root);
  heap::set_word(leaf.at, word + 1, std::uint64_t{entry.what} | (std::uint64_t{entry.links} << 32));
  move(0, leaf.offset);
  table.known = {id, &leaf.at->entries()[way[0]]};
  return {};
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
      heap::add_word(above.at, first_word, table.root.value);
      table.root = above.offset;
    }
    ++table.depth;
  }
  return set_on_way(build, table, id, entry, before);
}

}  // namespace

Result<void> set_object(Build& build, ObjectTable& table, format::ObjectId id, const ObjectEntry& entry) {
  return set_or_add(build, table, id, entry, Before::anything);
}

Result<void> add_object(Build& build, ObjectTable& table, format::ObjectId id, const ObjectEntry& entry) {
  return set_or_add(build, table, id, entry, Before::no_container);
}

}  // namespace utan::tree
