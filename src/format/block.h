// Blocks: what the heap hands out, and the 16-byte header each begins with.
//
// A block is immutable once committed (the exceptions are named where they are: a commit block's owner_next and
// replaced list, a list's drained count). Checksums are of two kinds: nodes use a multilinear sum that a copy-on-write
// change of one word updates in O(1); records use XXH3 over their payload. Both cover birth and kind.
#pragma once

#include <atomic>
#include <cstdint>
#include <cstring>
#include <type_traits>

#include "base/types.h"
#include "format/layout.h"
#include "format/size_class.h"

namespace utan::format {

// What a block holds. Never renumbered.
enum class Kind : std::uint8_t {
  none = 0,
  commit = 1,
  record = 2,           // a key and its value in a table
  bucket = 3,           // a table's slots
  directory = 4,        // a table's inner node
  table_root = 5,       // a table
  object_leaf = 6,      // the object table
  object_branch = 7,    //
  list = 8,             // blocks to be freed, or the extents of a large value
  waiting = 9,          // blocks that wait for a pin to go
  extent = 10,          // a part of a large value
  value = 11,           // a value that has no room where it belongs
  sorted = 16,          // a small dict or collection: everything in one block
  ordered_branch = 18,  // a large one
  ordered_leaf = 19,    //
  list_branch = 21,     // a list
  list_leaf = 22,       //
  freed = 0xdd,         // debug builds: this block is free
};

// The first 16 bytes of every block.
struct BlockHeader {
  std::uint64_t birth;     // the number of the commit that first published it
  std::uint32_t checksum;  // of birth, kind, class, aux and everything after the header
  Kind kind;
  SizeClass size_class;  // class_run for a run of segments
  std::uint16_t aux;     // by kind

  // All but the birth, in one store.
  void set_fields(std::uint32_t sum, Kind what, SizeClass of_class, std::uint16_t more) {
    const std::uint64_t word = sum | std::uint64_t{static_cast<std::uint8_t>(what)} << 32 |
                               std::uint64_t{of_class} << 40 | std::uint64_t{more} << 48;
    std::memcpy(&checksum, &word, sizeof word);
  }
};
static_assert(sizeof(BlockHeader) == 16 && offsetof(BlockHeader, checksum) == 8 && offsetof(BlockHeader, kind) == 12);
static_assert(std::is_trivially_copyable_v<BlockHeader>);

inline constexpr std::uint64_t block_header_size = sizeof(BlockHeader);

// The pattern that freed blocks are filled with in debug builds (rule R5).
inline constexpr std::uint8_t freed_pattern = 0xdd;

// --- Checksums ------------------------------------------------------------------------------------------------------

// The share of word `index` (counted from the block's start in 8-byte words) in a node's checksum: the high half of the
// word times an odd constant of its place (multilinear hashing: Carter and Wegman 1979). Sums of shares are modulo
// 2^32, so that replacing a word is: sum += share(index, now) - share(index, before).
constexpr std::uint32_t checksum_share(std::uint64_t index, std::uint64_t word) {
  const std::uint64_t multiplier = 0x9e3779b97f4a7c15u + 2 * index * 0xd1342543de82ef95u;
  return static_cast<std::uint32_t>(((word ^ 0xa0761d6478bd642fu) * multiplier) >> 32);
}

// Kind, class and aux as the word that is summed up at index 1.
constexpr std::uint64_t header_fields(Kind kind, SizeClass size_class, std::uint16_t aux) {
  return std::uint64_t{static_cast<std::uint8_t>(kind)} | (std::uint64_t{size_class} << 8) | (std::uint64_t{aux} << 16);
}
// The share of a header: birth at index 0, kind, class and aux at index 1.
constexpr std::uint32_t checksum_header(std::uint64_t birth, Kind kind, SizeClass size_class, std::uint16_t aux) {
  return checksum_share(0, birth) + checksum_share(1, header_fields(kind, size_class, aux));
}
inline std::uint32_t checksum_header(const BlockHeader& header) {
  return checksum_header(header.birth, header.kind, header.size_class, header.aux);
}

// The shares of words [first, first + count) of the block at `block`.
inline std::uint32_t checksum_words(const void* block, std::uint64_t first, std::uint64_t count) {
  std::uint32_t sum = 0;
  const auto* bytes = static_cast<const std::byte*>(block) + first * 8;
  for (std::uint64_t i = 0; i < count; ++i) {
    std::uint64_t word;
    std::memcpy(&word, bytes + i * 8, 8);
    sum += checksum_share(first + i, word);
  }
  return sum;
}

// XXH3 (Collet) of a payload, folded to 32 bits.
std::uint32_t checksum_payload(const void* data, std::uint64_t size);

// The keyed hash of a table's keys: XXH3 with the store's seed.
std::uint64_t hash_key(const void* key, std::uint64_t size, std::uint64_t seed);

}  // namespace utan::format
