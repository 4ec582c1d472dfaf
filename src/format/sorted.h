// A small dict or collection in one block: its layout, and what it must be.
//
// Keys and values lie in the block in the order of the keys (format/key.h). A slot for each says where it ends, and enough
// of its key that another one mostly is passed over without a look at it.
//
// Bytes come from a file: `read_sorted_item` checks every place and size before it is used. `sorted_problem` is for a
// checker, which trusts nothing.
// Thread safety: pure functions.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <type_traits>

#include "base/types.h"
#include "format/block.h"
#include "format/word.h"

namespace utan::format {

// A block of this kind is at most as long as this; a key and a value in it, too.
inline constexpr std::uint64_t sorted_size_max = 1024;
inline constexpr std::uint64_t sorted_key_size_max = 128;
inline constexpr std::uint64_t sorted_value_size_max = 256;

// Where an item ends, in bytes from the block's start, and what its key is: tag, size, and eight bits of the hash of what
// is compared of it (EncodedKey::order). The item begins where the one before it ends, the first one behind the slots: the
// value's tag (one byte), the key, the value. If the value's tag is large, then the value is the offset of a block of kind
// value, 8 bytes.
struct SortedSlot {
  std::uint32_t word = 0;
  static constexpr unsigned tag_first = 11;
  static constexpr unsigned size_first = 16;
  static constexpr unsigned hash_first = 24;
  static constexpr std::uint32_t end_mask = (std::uint32_t{1} << tag_first) - 1;
  static constexpr SortedSlot make(std::uint64_t end, Tag key_tag, std::uint64_t key_size, std::uint64_t hash) {
    return {static_cast<std::uint32_t>(end | std::uint64_t{static_cast<std::uint8_t>(key_tag)} << tag_first |
                                       key_size << size_first | hash << hash_first)};
  }
  constexpr std::uint64_t end() const { return word & end_mask; }
  constexpr Tag key_tag() const { return static_cast<Tag>((word >> tag_first) & 31); }
  constexpr std::uint64_t key_size() const { return (word >> size_first) & 255; }
  constexpr std::uint64_t hash() const { return word >> hash_first; }
  constexpr SortedSlot with_end(std::uint64_t end) const {
    return {(word & ~end_mask) | (static_cast<std::uint32_t>(end) & end_mask)};
  }
};
static_assert(sizeof(SortedSlot) == 4 && std::is_trivially_copyable_v<SortedSlot>);
static_assert(sorted_size_max <= SortedSlot::end_mask && sorted_key_size_max < 256);
static_assert(static_cast<unsigned>(Tag::spelled_tuple) < 32);

// The hash in a slot: of the size and of the first and the last eight bytes, which may overlap (four, if there are fewer
// than eight; fewer still, of the first, the middle and the last). Most names of fields differ in these.
inline std::uint64_t sorted_hash(std::span<const std::byte> order) {
  const std::byte* const bytes = order.data();
  const std::uint64_t size = order.size();
  std::uint64_t first = 0;
  std::uint64_t last = 0;
  if (size >= 8) {
    std::memcpy(&first, bytes, 8);
    std::memcpy(&last, bytes + size - 8, 8);
  } else if (size >= 4) {
    std::memcpy(&first, bytes, 4);
    std::memcpy(&last, bytes + size - 4, 4);
  } else if (size > 0) {
    first = std::to_integer<std::uint64_t>(bytes[0]) | std::to_integer<std::uint64_t>(bytes[size / 2]) << 8 |
            std::to_integer<std::uint64_t>(bytes[size - 1]) << 16;
  }
  return ((first + size) * 0x9e3779b97f4a7c15u + last * 0xd1342543de82ef95u) >> 56;
}

// header.aux: count of items, at least one. Then so many slots, then the items.
struct Sorted {
  BlockHeader header;
  SortedSlot* slots() { return reinterpret_cast<SortedSlot*>(this + 1); }
  const SortedSlot* slots() const { return reinterpret_cast<const SortedSlot*>(this + 1); }
  std::uint64_t count() const { return header.aux; }
  static constexpr std::uint64_t slots_end(std::uint64_t count) {
    return sizeof(BlockHeader) + count * sizeof(SortedSlot);
  }
};
static_assert(sizeof(Sorted) == 16 && std::is_trivially_copyable_v<Sorted>);

// What an item of these sizes takes of a block, its slot included.
inline constexpr std::uint64_t sorted_value_tag_size = 1;
constexpr std::uint64_t sorted_item_size(std::uint64_t key_size, std::uint64_t value_size) {
  return sizeof(SortedSlot) + sorted_value_tag_size + key_size + value_size;
}
// More items than this do not fit.
inline constexpr std::uint64_t sorted_count_max = (sorted_size_max - sizeof(Sorted)) / sorted_item_size(0, 0);

// A key and its value, where they lie.
struct SortedItem {
  Tag key_tag = Tag::null;
  std::span<const std::byte> key;
  Tag value_tag = Tag::null;
  std::span<const std::byte> value;
};

// Item `index` of a block with `count` items, which are at most sorted_count_max and whose slots are inside the file;
// the block may be looked at up to `room` bytes from its start. False: the item is not inside.
[[gnu::always_inline]] inline bool read_sorted_item(const Sorted* block, std::uint64_t count, std::uint64_t index,
                                                    ByteCount room, SortedItem& out) {
  const SortedSlot slot = block->slots()[index];
  const std::uint64_t start = index == 0 ? Sorted::slots_end(count) : block->slots()[index - 1].end();
  const std::uint64_t value_start = start + sorted_value_tag_size + slot.key_size();
  if (start < Sorted::slots_end(count) || value_start > slot.end() || slot.end() > room.value) [[unlikely]]
    return false;
  const auto* bytes = reinterpret_cast<const std::byte*>(block);
  out.key_tag = slot.key_tag();
  out.key = {bytes + start + sorted_value_tag_size, slot.key_size()};
  out.value_tag = static_cast<Tag>(bytes[start]);
  out.value = {bytes + value_start, slot.end() - value_start};
  return true;
}

// What is wrong with a block of this kind, of which `room` bytes are inside the file; null if nothing is. Values are not
// looked at.
const char* sorted_problem(const Sorted* block, ByteCount room);

}  // namespace utan::format
