// The object table: object id -> {root, generation, link count}.
//
// A radix tree on the id's index: leaves of 63 entries, branches of 62, each as long as the entries in use need.
// Changed by copying the path. Reading is O(log n) with a base of 62; a store of up to 63 containers has one leaf.
// Thread safety: reading by anyone under a pin; writing within one Build.
#pragma once

#include <cstdint>

#include "base/result.h"
#include "base/types.h"
#include "format/nodes.h"
#include "format/word.h"
#include "heap/build.h"
#include "heap/view.h"

namespace utan::tree {

// Where the table of one commit is.
struct ObjectTable {
  Offset root;              // 0: empty
  std::uint64_t depth = 0;  // levels of branches
  // An entry of this very table that was found, or set last: mostly it is asked for again.
  struct Known {
    format::ObjectId id;
    const format::ObjectEntry* entry = nullptr;
  };
  Known known = {};
};

enum class Status : std::uint8_t { found, missing, damaged };

struct FoundObject {
  Status status = Status::missing;
  // If it is found; and if it is missing because it is being emptied (ObjectEntry::is_emptied).
  const format::ObjectEntry* entry = nullptr;
  // Where the damage is.
  Offset at;
  format::Kind expected = format::Kind::object_leaf;
};

inline bool is_of(const format::ObjectEntry& entry, format::ObjectId id) {
  return entry.is_whole() && entry.generation() == id.generation();
}

// The entry of `id` in the leaf at `leaf_at`, where it has the place `index`.
inline FoundObject find_in_leaf(const heap::View& view, Offset leaf_at, std::uint64_t index, format::ObjectId id) {
  const auto* leaf = view.follow_node<format::ObjectLeaf>(leaf_at, format::Kind::object_leaf);
  if (leaf == nullptr) [[unlikely]]
    return {Status::damaged, nullptr, leaf_at, format::Kind::object_leaf};
  if (index >= leaf->count()) return {};
  const format::ObjectEntry* entry = &leaf->entries()[index];
  if (!is_of(*entry, id)) [[unlikely]] {
    const bool emptied = entry->is_emptied() && entry->generation() == id.generation();
    return {Status::missing, emptied ? entry : nullptr, {}, format::Kind::object_leaf};
  }
  return {Status::found, entry, leaf_at, format::Kind::object_leaf};
}
FoundObject find_below_branches(const heap::View& view, const ObjectTable& table, format::ObjectId id);

// The entry of `id`; missing if there is no such container, or another generation of it.
inline FoundObject find_object(const heap::View& view, const ObjectTable& table, format::ObjectId id) {
  // In a damaged file it may have been overwritten since.
  if (table.known.entry != nullptr && table.known.id == id && is_of(*table.known.entry, id))
    return {Status::found, table.known.entry, {}, {}};
  if (table.depth != 0) return find_below_branches(view, table, id);
  if (!table.root) return {};
  return find_in_leaf(view, table.root, id.index(), id);
}

// Sets the entry of `id`'s index, growing the table as needed.
Result<void> set_object(heap::Build& build, ObjectTable& table, format::ObjectId id, const format::ObjectEntry& entry);
// The same of a container that is new. Code::corruption if there is one at its place: what handed out the id was damaged.
Result<void> add_object(heap::Build& build, ObjectTable& table, format::ObjectId id, const format::ObjectEntry& entry);

}  // namespace utan::tree
