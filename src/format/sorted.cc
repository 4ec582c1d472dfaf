#include "format/sorted.h"

#include <algorithm>

#include "format/key.h"

namespace utan::format {

const char* sorted_problem(const Sorted* block, ByteCount room) {
  const std::uint64_t count = block->count();
  if (count == 0 || count > sorted_count_max) return "a sorted block has a count that it cannot have";
  const SizeClass size_class = block->header.size_class;
  if (size_class >= class_count || size_classes[size_class].block_size > room.value)
    return "a sorted block is longer than it can be";
  // Where a disk was full, it may lie in a block of more than it needs.
  const std::uint64_t size = std::min<std::uint64_t>(size_classes[size_class].block_size, sorted_size_max);
  if (Sorted::slots_end(count) > size) return "a sorted block is longer than it can be";
  EncodedKey before;
  for (std::uint64_t i = 0; i < count; ++i) {
    SortedItem item;
    if (!read_sorted_item(block, count, i, ByteCount{size}, item)) return "an item of a sorted block is not inside it";
    if (item.key.size() > sorted_key_size_max || item.value.size() > sorted_value_size_max)
      return "an item of a sorted block is longer than it can be";
    const Result<EncodedKey> key = stored_key(item.key_tag, item.key);
    if (!key.ok()) return "a key of a sorted block is none";
    if (block->slots()[i].hash() != sorted_hash(key.value().order)) return "a key of a sorted block has another hash";
    if (i > 0 && compare_keys(before, key.value()) >= 0) return "the keys of a sorted block are not in order";
    before = key.value();
  }
  const std::uint64_t used = block->slots()[count - 1].end();
  if (block->header.checksum !=
      checksum_header(block->header) + checksum_payload(block->slots(), used - sizeof(BlockHeader)))
    return "checksum does not match";
  return nullptr;
}

}  // namespace utan::format
