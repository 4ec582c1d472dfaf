// The layouts of every kind of block.
//
// Each struct is the fixed part; what follows it is said in a comment and reached by its accessor. Counts come from a
// file: whoever reads them compares them with the block's size class first (`fits`).
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <type_traits>

#include "base/types.h"
#include "format/block.h"
#include "format/word.h"

namespace utan::format {

// --- Commit block: one version of the whole store -------------------------------------------------------------------

inline constexpr std::uint64_t replaced_max = 18;

// What is put on a list of replaced blocks: an offset (48 bits) and how to free what is there.
struct ReplacedEntry {
  std::uint64_t word = 0;
  enum class How : std::uint8_t { block = 0, list = 1 };  // list: every entry of that list block, then itself
  static constexpr ReplacedEntry make(Offset offset, How how) {
    return {offset.value | (static_cast<std::uint64_t>(how) << 56)};
  }
  constexpr Offset offset() const { return Offset{word & 0xffff'ffff'ffffu}; }
  constexpr How how() const { return static_cast<How>(word >> 56); }
};

struct CommitBlock {
  BlockHeader header;                // birth is the commit number: the first word, always a number
  std::uint64_t object_table_root;   // offset; 0: no object yet
  std::uint64_t object_table_depth;  // levels of branches above the leaves
  std::uint64_t object_index_high;   // indices below it have been used
  std::uint64_t container_count;
  std::uint64_t time_ns;     // wall clock; 0 where nobody asked for it
  std::uint64_t record;      // redo record; 0: none
  std::uint64_t log_offset;  // its place in the log
  std::uint64_t reserved[1];
  // Outside the checksum: written by its owner alone, after the commit too.
  std::uint64_t owner_next;      // the next commit block of the same line; 0: none yet
  std::uint64_t replaced_count;  // entries below
  std::uint64_t reserved2[2];
  std::uint64_t replaced[replaced_max];
};
inline constexpr std::uint64_t commit_checksum_first_word = 2;
inline constexpr std::uint64_t commit_checksum_words = 8;
static_assert(sizeof(CommitBlock) == commit_block_size);
static_assert(offsetof(CommitBlock, object_table_root) == 16 && offsetof(CommitBlock, owner_next) == 80);
static_assert(std::is_trivially_copyable_v<CommitBlock>);

// The number of the commit block at `block`, which may be freed and reused at any moment: the first word of a block of
// the commit class always is a number.
inline std::uint64_t load_commit_number(const CommitBlock* block) {
  return std::atomic_ref<std::uint64_t>(const_cast<std::uint64_t&>(block->header.birth))
      .load(std::memory_order_acquire);
}

// --- Record: key and value -------------------------------------------------------------------------------------------

// header.aux: tag of the key (low byte) and of the value (high byte). Then the sizes of both, packed, and behind them the
// key and the value; if the value's tag is large, then 8 bytes instead: the offset of the list of its extents. Sizes that
// cannot be packed follow as two numbers of 32 bits, before the key.
struct Record {
  BlockHeader header;
  std::uint32_t packed;  // the size of the key in its low 12 bits, and that of the value; all ones: not packed
  std::byte next[4];     // the first bytes of what follows

  static constexpr std::uint32_t not_packed = ~std::uint32_t{0};
  static constexpr unsigned key_bits = 12;
  static constexpr std::uint64_t packed_key_max = (1U << key_bits) - 2;
  static constexpr std::uint64_t packed_value_max = (1U << (32 - key_bits)) - 2;
  static constexpr std::uint64_t head_size_min = sizeof(BlockHeader) + 4;
  static constexpr std::uint64_t head_size_max = head_size_min + 8;

  struct Sizes {
    std::uint64_t head;  // where the key begins
    std::uint64_t key;
    std::uint64_t value;
  };
  // head_size_max bytes of it must be inside the file.
  Sizes sizes() const {
    const std::uint32_t word = packed;
    if (word != not_packed) [[likely]]
      return {head_size_min, word & ((1U << key_bits) - 1), word >> key_bits};
    std::uint32_t sizes[2];
    std::memcpy(sizes, bytes() + head_size_min, sizeof sizes);
    return {head_size_max, sizes[0], sizes[1]};
  }
  std::uint64_t key_size() const { return sizes().key; }
  std::uint64_t value_size() const { return sizes().value; }
  const std::byte* key() const { return bytes() + sizes().head; }
  const std::byte* value() const {
    const Sizes all = sizes();
    return bytes() + all.head + all.key;
  }
  Tag key_tag() const { return static_cast<Tag>(header.aux & 0xff); }
  Tag value_tag() const { return static_cast<Tag>(header.aux >> 8); }
  // Bytes of the whole block that are in use.
  std::uint64_t size() const {
    const Sizes all = sizes();
    return all.head + all.key + (is_large(value_tag()) ? 8 : all.value);
  }

  // Of one that is to be made: how many bytes come before its key.
  static constexpr std::uint64_t head_size(std::uint64_t key_size, std::uint64_t value_size) {
    return key_size <= packed_key_max && value_size <= packed_value_max ? head_size_min : head_size_max;
  }
  // Answers where the key is to be put.
  std::byte* set_sizes(std::uint64_t key_size, std::uint64_t value_size) {
    auto* const start = reinterpret_cast<std::byte*>(this) + head_size_min;
    if (head_size(key_size, value_size) == head_size_min) [[likely]] {
      packed = static_cast<std::uint32_t>(key_size | value_size << key_bits);
      return start;
    }
    packed = not_packed;
    const std::uint32_t both[2] = {static_cast<std::uint32_t>(key_size), static_cast<std::uint32_t>(value_size)};
    std::memcpy(start, both, sizeof both);
    return start + sizeof both;
  }

 private:
  const std::byte* bytes() const { return reinterpret_cast<const std::byte*>(this); }
};
static_assert(sizeof(Record) == 24 && offsetof(Record, next) == Record::head_size_min &&
              std::is_trivially_copyable_v<Record>);

// A value that has no room where it belongs: in a list's word, in the block of a small dict. header.aux: its tag. Then
// `size` bytes of value; if the tag is large, then 8 bytes instead: the offset of the list of its extents.
struct ValueBlock {
  BlockHeader header;
  std::uint64_t size;

  const std::byte* value() const { return reinterpret_cast<const std::byte*>(this + 1); }
  Tag tag() const { return static_cast<Tag>(header.aux & 0xff); }
  std::uint64_t used() const { return sizeof(ValueBlock) + (is_large(tag()) ? 8 : size); }
};
static_assert(sizeof(ValueBlock) == 24 && std::is_trivially_copyable_v<ValueBlock>);

// An extent holds this much of a large value; the last one less.
struct Extent {
  BlockHeader header;
};
inline constexpr std::uint64_t extent_payload_max = run_size_max - sizeof(Extent);

// --- Table: linear hashing (Litwin 1980) over a copy-on-write directory ----------------------------------------------

inline constexpr std::uint64_t directory_fanout = 62;
inline constexpr std::uint64_t table_top_fanout = 60;
inline constexpr std::uint64_t bucket_entries_max = 1022;  // (8 KiB - 16) / 8

// A bucket slot: 19 bits of hash and the record's offset / 8.
struct BucketEntry {
  std::uint64_t word = 0;
  static constexpr unsigned offset_bits = 45;
  static constexpr std::uint64_t tag_mask = (std::uint64_t{1} << 19) - 1;
  static constexpr BucketEntry make(std::uint64_t tag, Offset record) {
    return {(tag << offset_bits) | (record.value >> 3)};
  }
  constexpr std::uint64_t tag() const { return word >> offset_bits; }
  constexpr Offset record() const { return Offset{(word & ((std::uint64_t{1} << offset_bits) - 1)) << 3}; }
};

// header.aux: count (10 bits) | base level (6 bits). A slot's tag is the key's hash bits [base, base + 19), so that
// splitting the bucket needs no look at its records until the table has grown by 2^8 since its base was set.
struct Bucket {
  BlockHeader header;
  // BucketEntry words
  std::uint64_t* entries() { return reinterpret_cast<std::uint64_t*>(this + 1); }
  const std::uint64_t* entries() const { return reinterpret_cast<const std::uint64_t*>(this + 1); }

  static constexpr std::uint16_t make_aux(std::uint64_t count, std::uint64_t base_level) {
    return static_cast<std::uint16_t>(count | (base_level << 10));
  }
  std::uint64_t count() const { return header.aux & 1023; }
  std::uint64_t base_level() const { return header.aux >> 10; }
  static constexpr std::uint64_t size_for(std::uint64_t count) { return sizeof(BlockHeader) + count * 8; }
};
static_assert(sizeof(Bucket) == 16);

// header.aux: count of entries in use. Entries are offsets of directories below, or of buckets at the lowest level
// (0: an empty bucket).
struct Directory {
  BlockHeader header;
  std::uint64_t* entries() { return reinterpret_cast<std::uint64_t*>(this + 1); }
  const std::uint64_t* entries() const { return reinterpret_cast<const std::uint64_t*>(this + 1); }
  std::uint64_t count() const { return header.aux; }
  static constexpr std::uint64_t size_for(std::uint64_t count) { return sizeof(BlockHeader) + count * 8; }
};

// header.aux: depth, the levels of directories below. The topmost entries are in the root itself.
struct TableRoot {
  BlockHeader header;
  std::uint64_t record_count;
  std::uint64_t bucket_count;  // at least 1
  // ceil(bucket_count / 62^depth), at most 60
  std::uint64_t* entries() { return reinterpret_cast<std::uint64_t*>(this + 1); }
  const std::uint64_t* entries() const { return reinterpret_cast<const std::uint64_t*>(this + 1); }
  std::uint64_t depth() const { return header.aux; }
  static constexpr std::uint64_t size_for(std::uint64_t entries) { return 32 + entries * 8; }
};
static_assert(sizeof(TableRoot) == 32);
inline constexpr std::uint64_t table_depth_max = 6;

// --- Object table: radix on the index --------------------------------------------------------------------------------

inline constexpr std::uint64_t object_leaf_fanout = 63;
inline constexpr std::uint64_t object_branch_fanout = 62;
inline constexpr std::uint64_t object_table_depth_max = 6;

// A container: where it begins, what it is, and how often it is named.
struct ObjectEntry {
  std::uint64_t root;   // offset of the container's topmost block; 0: it is empty
  std::uint32_t what;   // generation of this place (24 bits) | ContainerType << 24 | emptied_flag
  std::uint32_t links;  // how often other containers name it; of an orphan, since when: orphan_since()

  // What `links` is of a container that nothing names since this commit.
  static constexpr std::uint32_t orphan_flag = std::uint32_t{1} << 31;
  static constexpr std::uint32_t orphan_since(std::uint64_t number) {
    return orphan_flag | static_cast<std::uint32_t>(number & (orphan_flag - 1));
  }
  constexpr bool is_orphan() const { return links == 0 || (links & orphan_flag) != 0; }
  constexpr std::uint32_t link_count() const { return is_orphan() ? 0 : links; }

  static constexpr std::uint32_t make_what(std::uint64_t generation, ContainerType type) {
    return static_cast<std::uint32_t>((generation & object_generation_max) |
                                      (std::uint64_t{static_cast<std::uint8_t>(type)} << 24));
  }
  std::uint64_t generation() const { return what & object_generation_max; }
  ContainerType type() const { return static_cast<ContainerType>((what & ~emptied_flag) >> 24); }

  // Of an orphan: part of what was in it is gone already, so that it is of use to nobody but who empties it (G3).
  static constexpr std::uint32_t emptied_flag = std::uint32_t{1} << 31;
  bool is_emptied() const { return (what & emptied_flag) != 0; }
  // There is a container, and all of it.
  bool is_whole() const { return static_cast<std::int32_t>(what) > static_cast<std::int32_t>(object_generation_max); }
};
static_assert(sizeof(ObjectEntry) == 16 && std::is_trivially_copyable_v<ObjectEntry>);

struct ObjectLeaf {
  BlockHeader header;  // aux: entries in use
  ObjectEntry* entries() { return reinterpret_cast<ObjectEntry*>(this + 1); }
  const ObjectEntry* entries() const { return reinterpret_cast<const ObjectEntry*>(this + 1); }
  std::uint64_t count() const { return header.aux; }
  static constexpr std::uint64_t size_for(std::uint64_t count) { return sizeof(BlockHeader) + count * 16; }
};
struct ObjectBranch {
  BlockHeader header;  // aux: entries in use
  std::uint64_t* entries() { return reinterpret_cast<std::uint64_t*>(this + 1); }
  const std::uint64_t* entries() const { return reinterpret_cast<const std::uint64_t*>(this + 1); }
  std::uint64_t count() const { return header.aux; }
  static constexpr std::uint64_t size_for(std::uint64_t count) { return sizeof(BlockHeader) + count * 8; }
};

// --- Lists of blocks -------------------------------------------------------------------------------------------------

// A list of blocks that are freed together: what a commit replaced beyond its own space, or a large value's extents.
// The checksum of a list of extents covers count and entries, not `drained`, which advances before each free; that of a
// list of replaced blocks covers the header alone.
struct List {
  BlockHeader header;
  std::uint64_t drained;  // entries that are freed already
  std::uint64_t count;
  // ReplacedEntry words
  std::uint64_t* entries() { return reinterpret_cast<std::uint64_t*>(this + 1); }
  const std::uint64_t* entries() const { return reinterpret_cast<const std::uint64_t*>(this + 1); }
  static constexpr std::uint64_t size_for(std::uint64_t count) { return 32 + count * 8; }
};
static_assert(sizeof(List) == 32);
inline constexpr std::uint64_t list_checksum_first_word = 3;
inline constexpr std::uint64_t list_entries_max = (small_block_size_max - sizeof(List)) / 8;

// Blocks that one pinned commit still sees. `entry` was replaced by the commit `replaced_by`.
struct WaitingEntry {
  std::uint64_t entry;        // ReplacedEntry word
  std::uint64_t replaced_by;  // commit number
};
struct WaitingChunk {
  BlockHeader header;
  std::uint64_t next;      // offset of the next chunk of the same list; 0: last
  std::uint64_t blocking;  // the pinned commit number that all entries wait for
  std::uint64_t count;
  std::uint64_t reserved;
  WaitingEntry* entries() { return reinterpret_cast<WaitingEntry*>(this + 1); }
  const WaitingEntry* entries() const { return reinterpret_cast<const WaitingEntry*>(this + 1); }
};
static_assert(sizeof(WaitingChunk) == 48);
inline constexpr std::uint64_t waiting_chunk_size = 1024;
inline constexpr std::uint64_t waiting_entries_max = (waiting_chunk_size - sizeof(WaitingChunk)) / sizeof(WaitingEntry);
static_assert(waiting_entries_max == 61);

// A place in a chain of blocks: offset / 16 (44 bits) and how many entries of that block are done (20 bits), in one
// word, so that a kill never separates them.
struct ChainWord {
  std::uint64_t word = 0;
  static constexpr unsigned count_bits = 20;
  static constexpr ChainWord make(Offset offset, std::uint64_t count) {
    return {((offset.value >> 4) << count_bits) | count};
  }
  constexpr Offset offset() const { return Offset{(word >> count_bits) << 4}; }
  constexpr std::uint64_t count() const { return word & ((std::uint64_t{1} << count_bits) - 1); }
};

// The newest commit: offset / 16 of its block (44 bits) and the low 20 bits of its number.
struct HeadWord {
  std::uint64_t word = 0;
  static constexpr HeadWord make(Offset block, CommitNumber number) {
    return {((block.value >> 4) << 20) | (number.value & 0xfffff)};
  }
  constexpr Offset block() const { return Offset{(word >> 20) << 4}; }
  constexpr bool matches(std::uint64_t number) const { return ((word ^ number) & 0xfffff) == 0; }
  bool operator==(const HeadWord&) const = default;
};

}  // namespace utan::format
