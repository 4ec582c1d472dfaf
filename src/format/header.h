// The header of a data file and the checkpoint slots behind it.
//
// There are two copies of the header, in the first two pages, written in turn: a write that a power cut or the kernel
// tears spoils the older one only. The valid copy with the higher sequence counts. A checkpoint slot uses the first
// sector of its page only.
#pragma once

#include <cstdint>
#include <cstring>
#include <type_traits>

#include "base/result.h"
#include "base/types.h"
#include "format/layout.h"

namespace utan::format {

// Commit numbers stay below it: the highest values mean something else in pins.
inline constexpr std::uint64_t commit_number_max = std::uint64_t{1} << 63;

inline constexpr char magic[8] = {'\x89', 'U', 't', 'a', 'n', '\r', '\n', '\x1a'};
inline constexpr std::uint32_t format_version = 2;
inline constexpr std::uint32_t format_version_oldest = 2;  // that is still read

// Durability as the store keeps it.
enum class Durability : std::uint32_t { interval = 0, commit = 1, manual = 2 };

struct StoreId {
  std::uint64_t words[2] = {0, 0};
  bool operator==(const StoreId&) const = default;
};

struct FileHeader {
  char magic[8];
  std::uint32_t version;       // of the format; a reader refuses a newer one
  std::uint32_t clean;         // 1: closed cleanly, bitmaps are exact; 0: in use or crashed
  StoreId store_id;            // random, at creation
  std::uint64_t incarnation;   // of the coordination that writes, or last wrote, this store
  std::uint64_t hash_seed;     // of the keyed hash, random, at creation
  std::uint64_t trusted_from;  // segments below this index have bitmaps that a machine crash made unreliable:
                               // nothing is handed out there until they are marked anew
  std::uint64_t chunk_size;    // most bytes the file grows by at once
  std::uint32_t durability;    // Durability
  std::uint32_t interval_ms;   // for Durability::interval
  std::uint64_t created_ns;    // wall clock
  std::uint64_t sequence;      // of this copy; the higher one counts
  std::uint64_t
      leaked_count_max;        // blocks that killed processes may have left behind, at most, at the last clean close
  std::uint64_t number_floor;  // commits of the incarnation have at least this number; recovery goes on above it
  std::uint64_t clean_number;  // if clean: of the commit that the store was closed at; 0: not known
  std::uint64_t reserved[4];
  std::uint64_t checksum;  // XXH3 of everything before it
};
static_assert(sizeof(FileHeader) == 152 && offsetof(FileHeader, checksum) == 144);
static_assert(sizeof(FileHeader) <= 512, "one sector");
static_assert(std::is_trivially_copyable_v<FileHeader>);

// A commit that the data file alone can be opened at.
struct CheckpointSlot {
  char magic[8];
  StoreId store_id;
  std::uint64_t number;       // of the commit; the highest valid one wins
  std::uint64_t offset;       // of its commit block
  std::uint64_t file_size;    // at the time: a shorter file is truncated
  std::uint64_t incarnation;  // that made it
  std::uint64_t time_ns;      // wall clock
  std::uint64_t reserved[4];
  std::uint64_t checksum;  // XXH3 of everything before it
};
static_assert(sizeof(CheckpointSlot) == 104 && std::is_trivially_copyable_v<CheckpointSlot>);

std::uint64_t header_checksum(const FileHeader& header);
std::uint64_t slot_checksum(const CheckpointSlot& slot);

// Which of the two copies counts, or why the file cannot be read: Code::format, version, corruption.
Result<FileHeader> choose_header(const FileHeader& first, const FileHeader& second, ByteCount file_size);

constexpr Offset header_copy_offset(std::uint64_t sequence) {
  return Offset{header_offset + (sequence & 1) * page_size};
}

// A slot is used only if it is whole, of this store, and its commit block can lie in the file.
bool valid_slot(const CheckpointSlot& slot, const StoreId& store);

constexpr Offset slot_offset(std::uint64_t index) {
  return Offset{checkpoint_slots_offset + index * checkpoint_slot_size};
}

}  // namespace utan::format
