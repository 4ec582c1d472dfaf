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
};

enum class Status : std::uint8_t { found, missing, damaged };

struct FoundObject {
  Status status = Status::missing;
  const format::ObjectEntry* entry = nullptr;
  // Where the damage is.
  Offset at;
  format::Kind expected = format::Kind::object_leaf;
};

// The entry of `id`; missing if there is no such container, or another generation of it.
FoundObject find_object(const heap::View& view, const ObjectTable& table, format::ObjectId id);

// Sets the entry of `id`'s index, growing the table as needed.
Result<void> set_object(heap::Build& build, ObjectTable& table, format::ObjectId id, const format::ObjectEntry& entry);

}  // namespace utan::tree
