// The sorted block: a small dict or collection with everything in one block.
//
// A document of a few short fields is read and changed as a whole: one block that is copied costs less than the nodes
// and records of a tree. What does not fit (format/sorted.h has the bounds) is the caller's business, who then makes a
// tree of it, and so are the blocks that large values are in. Offset 0 is the empty one.
//
// A key is looked for by what the slots say of it, its hash above all: four slots are compared at once, then mostly one key
// alone. That is faster than halving, of whose comparisons the processor guesses every other one wrongly. The place of a
// key that is missing is found by halving.
// Complexity: O(count) to find, O(size) to change, size being at most 1 KiB.
// Thread safety: reading by anyone under a pin; writing within one Build. Ownership: the block belongs to the commit;
// what is found points into it.
#pragma once

#include <cstdint>
#include <span>

#include "base/result.h"
#include "base/types.h"
#include "format/key.h"
#include "format/sorted.h"
#include "heap/build.h"
#include "heap/view.h"
#include "tree/object_table.h"

namespace utan::tree {

using format::SortedItem;

// Where a key is, or where it would be.
struct FoundSorted {
  Status status = Status::missing;
  std::uint64_t index = 0;
  SortedItem item;  // if found: as it is stored, so that its key may be spelled in another way
  Offset damaged;   // where, if damaged
};

FoundSorted find_sorted(const heap::View& view, Offset root, const format::EncodedKey& key);
// The same for those who only read, faster where the key is missing: `index` is then 0.
FoundSorted look_up_sorted(const heap::View& view, Offset root, const format::EncodedKey& key);

// The item at `index`, in the order of keys. Code::invalid if there is none.
Result<SortedItem> sorted_item(const heap::View& view, Offset root, std::uint64_t index);
Result<Count> sorted_count(const heap::View& view, Offset root);
// The bytes of the block that are in use.
Result<ByteCount> sorted_size(const heap::View& view, Offset root);

// Does an item with a key and a value of these sizes fit, if `replaced` (null: none) goes?
Result<bool> sorted_fits(const heap::View& view, Offset root, ByteCount key_size, ByteCount value_size,
                         const SortedItem* replaced);

// Each takes what find_sorted answered in the same build's view, and answers the new root. Code::too_large, and nothing
// is changed, if it does not fit. Keys and values may lie in the block itself.
Result<Offset> insert_sorted(heap::Build& build, Offset root, const FoundSorted& where, const format::EncodedKey& key,
                             format::Tag value_tag, std::span<const std::byte> value);
// The key stays as it is spelled.
Result<Offset> replace_sorted(heap::Build& build, Offset root, const FoundSorted& where, format::Tag value_tag,
                              std::span<const std::byte> value);
Result<Offset> erase_sorted(heap::Build& build, Offset root, const FoundSorted& where);

// A new block of these items, which are in the order of their keys, each once.
Result<Offset> make_sorted(heap::Build& build, std::span<const SortedItem> items);
// Drops the block, but none that it names.
Result<void> drop_sorted(heap::Build& build, Offset root);

}  // namespace utan::tree
