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
#include <utility>

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

// A block whose count is believed: its slots are inside the file, and `room` bytes from its start may be looked at.
struct SortedBlock {
  const format::Sorted* at = nullptr;  // null: there is no such block
  std::uint64_t count = 0;
  ByteCount room;

  // The item at `index`, which is below the count, in the order of keys. False: it is damaged.
  bool read(std::uint64_t index, SortedItem& out) const {
    return format::read_sorted_item(at, count, index, room, out);
  }
  std::uint64_t slots_end() const { return format::Sorted::slots_end(count); }
  std::uint64_t start(std::uint64_t index) const { return index == 0 ? slots_end() : at->slots()[index - 1].end(); }
};
// Where `root` names no block, one without items.
Result<SortedBlock> sorted_block(const heap::View& view, Offset root);
// Calls `each(const SortedItem&) -> Result<void>` for every item, in order.
template <class Each>
Result<void> each_sorted(const heap::View& view, Offset root, const SortedBlock& block, Each&& each) {
  for (std::uint64_t i = 0; i < block.count; ++i) {
    SortedItem item;
    if (!block.read(i, item)) [[unlikely]]
      return view.damage(root, format::Kind::sorted);
    UTAN_TRY(each(std::as_const(item)));
  }
  return {};
}

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
// Drops the block at `root`, but none that it names.
void drop_sorted(heap::Build& build, Offset root, const SortedBlock& block);

}  // namespace utan::tree
