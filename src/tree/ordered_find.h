// Finding a key in an ordered tree: all that a search usually runs through, in one place, so that it becomes one piece of
// code.
//
// A node costs one wait for memory: its lines are fetched as soon as its offset is known, and the search in it has no
// branches to mispredict. Everything unusual (equal heads, separators that are not plain, the end of the file, damage) is
// looked at again elsewhere, with every check.
#pragma once

#include <cstdint>
#include <cstring>

#include "base/types.h"
#include "format/nodes.h"
#include "format/ordered.h"
#include "heap/view.h"
#include "tree/ordered.h"
#include "tree/ordered_node.h"

namespace utan::tree {

// Lines of a node that are fetched at once: those of about 46 entries. The others follow when they are needed.
inline constexpr std::uint64_t fetched_node_lines = 12;

[[gnu::always_inline]] inline void fetch_node(const heap::View& view, Offset offset) {
  fetch_lines(view, offset.value, 0, fetched_node_lines);
}

// Is the key below (negative) or above (positive) all that begins with the prefix, or does it begin with it (0)?
int compare_long_prefix(Sequence key, const std::byte* prefix, std::uint64_t size);
// `start` is the key's head at 0.
[[gnu::always_inline]] inline int compare_prefix(const Sequence& key, std::uint64_t start, const std::byte* prefix,
                                                 std::uint64_t size) {
  if (size == 0) return 0;
  // The prefix is padded to eight bytes, at least.
  const std::uint64_t difference = start ^ load_big_endian(prefix);
  if (size <= 8 && key.size() >= size && difference >> (64 - 8 * size) == 0) [[likely]]
    return 0;
  return compare_long_prefix(key, prefix, size);
}

// Is this the record's key, spelled in the same way?
[[gnu::always_inline]] inline bool is_spelled_alike(const format::Record* record, const format::EncodedKey& key) {
  const std::size_t size = key.bytes.size();
  if (record->key_size() != size || record->key_tag() != key.tag) return false;
  const std::byte* const stored = record->key();
  const std::byte* const wanted = key.bytes.data();
  // Two words that overlap cover 8 to 16 bytes.
  if (size - 8 <= 8) {
    return ((load_big_endian(stored) ^ load_big_endian(wanted)) |
            (load_big_endian(stored + size - 8) ^ load_big_endian(wanted + size - 8))) == 0;
  }
  return size == 0 || std::memcmp(stored, wanted, size) == 0;
}

// Finds the key, or its absence, if all is as usual; false says nothing. `out` has no more than path, record and offset,
// and its status.
[[gnu::always_inline]] inline bool find_ordered_quickly(const heap::View view, Offset root,
                                                        const format::EncodedKey& encoded, FoundOrdered& out) {
  using format::Kind;
  constexpr ByteCount node_size{format::ordered_plain_size_max};
  const Sequence key = sequence_of(encoded);
  const std::uint64_t start = key.head_at(0);
  std::uint64_t height = 0;
  if (const auto* top = view.follow_within<format::OrderedBranch>(root, Kind::ordered_branch, node_size)) {
    height = top->height;
    if (height - 1 >= format::ordered_height_max) [[unlikely]]
      return false;
  }
  for (Offset at = root;; --height) {
    const auto* header = view.follow_within<format::BlockHeader>(at, kind_at(height), node_size);
    if (header == nullptr) [[unlikely]]
      return false;
    const format::OrderedAux aux{header->aux};
    const std::uint64_t count = aux.count();
    const std::uint64_t prefix_size = aux.prefix_size();
    if (count - 1 >= format::ordered_entries_max || prefix_size > format::ordered_prefix_max) [[unlikely]]
      return false;
    const format::OrderedShape shape{count, prefix_size, height, 0};
    const int side = compare_prefix(key, start, format::ordered_part(header, shape.prefix_at()), prefix_size);
    const format::OrderedEntry* entries = format::ordered_entries(header, shape);
    const std::uint64_t head = key.head_at(prefix_size);
    std::uint64_t index = last_not_above(entries, count, head);
    if (height == 0) {
      const format::OrderedEntry entry = entries[index];
      if (side != 0 || entry.head != head) [[unlikely]] {
        index = side != 0 ? (side < 0 ? 0 : count) : index + (entry.head < head ? 1 : 0);
        out.path.add(at, index);
        return true;
      }
      // The value's lines come with the key's, not after them.
      fetch_lines(view, entry.word, 1, 2);
      const format::Record* record = view.follow_record(Offset{entry.word});
      if (record == nullptr || !is_spelled_alike(record, encoded)) [[unlikely]]
        return false;
      out.status = Status::found;
      out.record = record;
      out.offset = Offset{entry.word};
      out.path.add(at, index);
      return true;
    }
    const auto* branch = reinterpret_cast<const format::OrderedBranch*>(header);
    if (branch->height != height || branch->text_size != 0) [[unlikely]]
      return false;
    if (side != 0) [[unlikely]]
      index = side < 0 ? 0 : count - 1;
    const Offset below = format::OrderedChild{entries[index].word}.child();
    // What is higher is in the processor's cache.
    if (height <= 2) fetch_node(view, below);
    out.path.add(at, index);
    at = below;
  }
}

// find_ordered, for those who want it as part of their own code; `out` is new.
void find_ordered_carefully(heap::View view, Offset root, format::EncodedKey encoded, FoundOrdered& out);
[[gnu::always_inline]] inline void find_ordered_here(const heap::View view, Offset root, const format::EncodedKey& key,
                                                     FoundOrdered& out) {
  if (!root) return;
  if (!find_ordered_quickly(view, root, key, out)) [[unlikely]]
    find_ordered_carefully(view, root, key, out);
}

}  // namespace utan::tree
