// The coordination file: what only matters while processes run.
//
//     0          fixed part (CoordinationHeader, then words each on a cache line of their own)
//     8 KiB      checkpoint claims, waiting lists
//     16 KiB     process entries
//     144 KiB    hints: per size class 4,096 bits, "this region has room"; never trusted
//     176 KiB    lines, one per thread, as many as are needed
//
// Never part of a flush: after a machine crash its content means nothing, which is why it carries boot id and
// incarnation. All shared words are std::atomic; who writes which and in what order is docs/CONCURRENCY.md's subject.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>

#include "base/types.h"
#include "format/header.h"
#include "format/layout.h"
#include "format/size_class.h"

namespace utan::format {

using AtomicWord = std::atomic<std::uint64_t>;
inline constexpr std::size_t cache_line = 64;

inline constexpr char coordination_magic[8] = {'\x89', 'U', 't', 'L', '\r', '\n', '\x1a', '\0'};
inline constexpr std::uint32_t coordination_version = 4;

inline constexpr std::uint64_t process_entry_count = 4096;
// Of the bytes that are locked in the data file: those before it are of the entries. Whoever wants to be alone locks it.
inline constexpr std::uint32_t alone_byte = process_entry_count;
inline constexpr std::uint64_t line_count_max =
    16384;  // owner words have 16 bits for a line; 10,000 threads and their pins
inline constexpr std::uint64_t lines_per_growth = 8;
inline constexpr std::uint64_t waiting_list_count = 64;
inline constexpr std::uint64_t hinted_regions = 4096;  // regions beyond it share bits with those before

// Set once when the coordination is made; never changed.
struct CoordinationHeader {
  char magic[8];
  std::uint32_t version;
  std::uint32_t boot_id_known;
  std::uint8_t boot_id[16];
  StoreId store_id;
  std::uint64_t data_device;
  std::uint64_t data_inode;
  std::uint64_t own_inode;
  std::uint64_t incarnation;         // its low 32 bits are in every owner word
  std::uint64_t incarnation_before;  // what the data file's header said when this was made
  std::uint64_t number_floor;        // the next commit has at least this number (2^40 jumps after a crash)
  std::uint64_t opening_number;      // of the commit that was head when this was made; its successor frees its block
  std::uint64_t trusted_from;        // segments below it have unreliable bitmaps (FileHeader)
  std::uint64_t checksum;            // XXH3 of everything before it
};
static_assert(sizeof(CoordinationHeader) == 120);

// What the session has done to the data file's header.
enum class Marked : std::uint64_t {
  no = 0,      // nothing was written in this incarnation: it holds nothing
  yes = 1,     // the header names this incarnation and is not clean
  closed = 2,  // closed cleanly: nobody may use it any more
};

// A pin: while `number` is not 0, the commit of that number stays readable. `pin_open` protects everything.
struct PinSlot {
  AtomicWord number;
  AtomicWord offset;
};
inline constexpr std::uint64_t pin_open = ~std::uint64_t{0};
// A place for a pin that a process has reserved but not set yet: protects nothing.
inline constexpr std::uint64_t pin_free = 0;

// What a line owns of one size class: the blocks that it may hand out without asking anybody.
struct AllocatorSlot {
  AtomicWord mask;     // bit set: this block of the word at `place` is the line's to hand out
  AtomicWord place;    // segment index << 4 | bitmap word << 1 | 1; 0: none
  AtomicWord stashed;  // how many blocks of the class are in the stash; those beyond it are not there any more
  AtomicWord reserved;
  static constexpr std::uint64_t make_place(SegmentIndex segment, unsigned word) {
    return (segment.value << 4) | (std::uint64_t{word} << 1) | 1;
  }
  static constexpr SegmentIndex place_segment(std::uint64_t place) { return SegmentIndex{place >> 4}; }
  static constexpr unsigned place_word(std::uint64_t place) { return static_cast<unsigned>((place >> 1) & 7); }
};
static_assert(sizeof(AllocatorSlot) == 32);

inline constexpr std::uint64_t build_recorded_max = 23;
inline constexpr std::uint64_t open_chunk_count = 4;
inline constexpr std::uint64_t extra_pin_lines = 10;
inline constexpr std::uint64_t pins_per_line = 3;
inline constexpr std::uint64_t extra_pin_count = extra_pin_lines * pins_per_line;

struct alignas(cache_line) PinLine {
  PinSlot pins[pins_per_line];
};
static_assert(sizeof(PinLine) == cache_line);

// What a line is used for.
enum class LineRole : std::uint64_t {
  thread = 0,
  holds = 1,  // its stash is the set of what a process's handles hold (commit/holds.h); everything else is 0
};
inline constexpr unsigned hold_bits_log2 = 16;
inline constexpr std::uint64_t hold_bit_count = std::uint64_t{1} << hold_bits_log2;
static_assert(hold_bit_count / 64 <= stash_size);

// A thread's entry. Written by its owner alone, and by whoever adopts it under the dead owner's byte lock.
struct alignas(cache_line) Line {
  // One cache line that every scanner of pins reads.
  PinSlot pins[2];
  AtomicWord extra_pins_high;  // extra pins at or beyond this index have never been used
  AtomicWord records_from;     // reserved: the oldest commit whose redo record this line needs
  AtomicWord reserved0[2];

  // Identity.
  alignas(cache_line)
      AtomicWord owner;     // OwnerOfLine; 0: nobody. Its queue may still hold garbage: whoever takes it drains it
  AtomicWord generation;    // grows whenever the line is taken or given up: old owner words end
  AtomicWord leaked_count;  // reserved
  AtomicWord role;          // LineRole
  AtomicWord reserved1[4];

  // Commit and reuse.
  alignas(cache_line) AtomicWord pending;    // offset of the commit block about to be published; 0: none
  AtomicWord queue;                          // ChainWord: own commit blocks whose replaced blocks are not all freed
  AtomicWord taken;                          // ChainWord: waiting chunks taken from a list, being worked on
  AtomicWord uncertain;                      // offset of a chunk that is being put on or taken from a list; 0: none
  AtomicWord open_chunks[open_chunk_count];  // offsets of chunks being filled

  AtomicWord build_count;  // blocks of the build under way; beyond build_recorded_max they are not recorded
  AtomicWord build[build_recorded_max];

  AllocatorSlot allocator[size_class_count_max];

  PinLine extra_pins[extra_pin_lines];

  AtomicWord reserved2[8];
  // Free blocks whose bits are set, by size class (stash_starts): freed by this line, and the first that it hands out.
  AtomicWord stash[stash_size];
};
// An odd number of cache lines, so that the pins of many lines do not all fall into one set of a cache.
static_assert(sizeof(Line) / cache_line % 2 == 1);
static_assert(sizeof(Line) == 13376 && offsetof(Line, owner) == 64 && offsetof(Line, pending) == 128 &&
              offsetof(Line, build_count) == 192 && offsetof(Line, allocator) == 384 &&
              offsetof(Line, extra_pins) == 2432 && offsetof(Line, stash) == 3136);

// Who owns a line: process entry (16 bits), generation of that entry (47 bits), 1.
struct OwnerOfLine {
  std::uint64_t word = 0;
  static constexpr OwnerOfLine make(std::uint32_t entry, std::uint64_t generation) {
    return {(generation << 17) | (std::uint64_t{entry} << 1) | 1};
  }
  constexpr std::uint32_t entry() const { return static_cast<std::uint32_t>((word >> 1) & 0xffff); }
};

// A process that has the store open. Alive exactly while byte `index` of the data file is locked.
struct ProcessEntry {
  AtomicWord claim;       // generation << 1 | claimed
  AtomicWord process_id;  // for messages alone
  AtomicWord started_ns;  // wall clock
  AtomicWord flags;       // bit 0: read only
};
static_assert(sizeof(ProcessEntry) == 32);

// A checkpoint that is being written, by slot. It goes on protecting its commit when its writer dies, until a newer
// checkpoint is durable.
struct CheckpointClaim {
  AtomicWord claimant;  // OwnerOfLine of the writer's process; 0: free
  AtomicWord number;    // the commit; set before the slot is written
};

enum class Health : std::uint64_t {
  good = 0,
  flush_failed = 1,  // a flush failed: read only until everybody has closed; reopened from the last checkpoint
};

// The fixed part. Members that are written often have a cache line of their own.
struct CoordinationFixed {
  CoordinationHeader header;
  alignas(cache_line) AtomicWord head;  // HeadWord
  alignas(cache_line) AtomicWord object_index_next;
  // Read by every operation, written rarely.
  alignas(cache_line) AtomicWord file_size;  // of the data file; everything below it is allocated
  AtomicWord marked;                         // Marked
  AtomicWord health;                         // Health
  AtomicWord health_errno;
  AtomicWord line_count;  // lines that exist in the file
  AtomicWord line_high;   // lines at or beyond it have never been used
  AtomicWord chunk_size;
  AtomicWord reserved0;
  alignas(cache_line) AtomicWord leaked_count_max;  // blocks that the dead may have left behind, at most
  AtomicWord adopted_count;                         // processes that were adopted
  AtomicWord durable_number;                        // newest commit known to be in a flushed checkpoint slot
  AtomicWord reserved3;
  AtomicWord ticket;  // reserved: the queue of transactions that lost
  AtomicWord reserved1[3];
};
static_assert(sizeof(CoordinationFixed) <= 4096);

inline constexpr std::uint64_t claims_offset = 8 * 1024;
inline constexpr std::uint64_t waiting_lists_offset = claims_offset + checkpoint_slot_count * sizeof(CheckpointClaim);
// Beside each list, the commit that its first chunk waits for; a hint.
inline constexpr std::uint64_t waiting_hints_offset = waiting_lists_offset + waiting_list_count * 8;
inline constexpr std::uint64_t entries_offset = 16 * 1024;
inline constexpr std::uint64_t region_hints_offset = entries_offset + process_entry_count * sizeof(ProcessEntry);
inline constexpr std::uint64_t lines_offset = region_hints_offset + size_class_count_max * hinted_regions / 8;
static_assert(waiting_hints_offset + waiting_list_count * 8 <= entries_offset && region_hints_offset == 144 * 1024 &&
              lines_offset == 176 * 1024);

constexpr std::uint64_t coordination_size(std::uint64_t line_count) { return lines_offset + line_count * sizeof(Line); }
inline constexpr std::uint64_t coordination_size_min = coordination_size(lines_per_growth);
inline constexpr std::uint64_t coordination_size_max = coordination_size(line_count_max);

// Typed access to a mapped coordination file. A value; the mapping must outlive it.
class Coordination {
 public:
  Coordination() = default;
  explicit Coordination(std::byte* base) : base_(base) {}

  CoordinationFixed& fixed() const { return *reinterpret_cast<CoordinationFixed*>(base_); }
  CheckpointClaim& claim(std::uint64_t slot) const {
    return reinterpret_cast<CheckpointClaim*>(base_ + claims_offset)[slot];
  }
  AtomicWord& waiting_list(std::uint64_t index) const {
    return reinterpret_cast<AtomicWord*>(base_ + waiting_lists_offset)[index];
  }
  AtomicWord& waiting_hint(std::uint64_t index) const {
    return reinterpret_cast<AtomicWord*>(base_ + waiting_hints_offset)[index];
  }
  ProcessEntry& entry(std::uint32_t index) const {
    return reinterpret_cast<ProcessEntry*>(base_ + entries_offset)[index];
  }
  // Word `index` (0 to 63) of the class's hint which regions have room.
  AtomicWord& region_hint(unsigned size_class, std::uint64_t index) const {
    return reinterpret_cast<AtomicWord*>(base_ + region_hints_offset)[size_class * (hinted_regions / 64) + index];
  }
  Line& line(std::uint64_t index) const { return reinterpret_cast<Line*>(base_ + lines_offset)[index]; }
  explicit operator bool() const { return base_ != nullptr; }

 private:
  std::byte* base_ = nullptr;
};

std::uint64_t coordination_checksum(const CoordinationHeader& header);

}  // namespace utan::format
