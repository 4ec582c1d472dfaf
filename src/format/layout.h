// Where things lie in the data file: prefix, regions, segments, and the bytes that describe them.
//
//     0            two copies of the header, a page each, then nothing up to 16 KiB
//     16 KiB       64 checkpoint slots of 4 KiB
//     272 KiB      region 0, region 1, ... of 16 MiB each; the last one may be shorter
//
// A region is 1,024 segments of 16 KiB. Its first six describe all of them:
//
//     0            1,024 bitmaps of 64 bytes (one cache line each): bit i set = block i is handed out
//     64 KiB       1,024 descriptors of 16 bytes
//     80 KiB       hints: per size class 1,024 bits, "this segment has room"; never trusted
//     88 KiB       reserved
//
// All numbers are little-endian. Pure functions over integers: thread-safe, no I/O.
#pragma once

#include <atomic>
#include <bit>
#include <cstddef>
#include <cstdint>

#include "base/types.h"

namespace utan::format {

static_assert(std::endian::native == std::endian::little, "the store format is little-endian");
static_assert(sizeof(void*) == 8, "stores are mapped whole: 64-bit address space needed");

inline constexpr std::uint64_t page_size = 4096;
inline constexpr std::uint64_t segment_size = 16 * 1024;
inline constexpr std::uint64_t segment_shift = 14;
inline constexpr std::uint64_t segments_per_region = 1024;
inline constexpr std::uint64_t region_size = segment_size * segments_per_region;
inline constexpr std::uint64_t region_metadata_segments = 6;
inline constexpr std::uint64_t run_segments_max = segments_per_region - region_metadata_segments;

inline constexpr std::uint64_t header_offset = 0;
inline constexpr std::uint64_t checkpoint_slots_offset = 16 * 1024;
inline constexpr std::uint64_t checkpoint_slot_count = 64;
inline constexpr std::uint64_t checkpoint_slot_size = page_size;
inline constexpr std::uint64_t regions_offset = checkpoint_slots_offset + checkpoint_slot_count * checkpoint_slot_size;
static_assert(regions_offset == 272 * 1024 && regions_offset % segment_size == 0);

inline constexpr std::uint64_t bitmap_size = 64;
inline constexpr std::uint64_t bitmap_words = bitmap_size / 8;
inline constexpr std::uint64_t descriptors_in_region = segments_per_region * bitmap_size;
inline constexpr std::uint64_t hints_in_region = descriptors_in_region + segments_per_region * 16;
inline constexpr std::uint64_t hint_words = segments_per_region / 64;
inline constexpr std::uint64_t size_class_count_max = 64;
static_assert(hints_in_region + size_class_count_max * hint_words * 8 <= region_metadata_segments * segment_size);

// The smallest file: everything up to and including region 0's description, and 16 segments.
inline constexpr std::uint64_t file_size_min = regions_offset + (region_metadata_segments + 16) * segment_size;
// Offsets have 48 bits.
inline constexpr std::uint64_t file_size_max = std::uint64_t{1} << 48;

inline constexpr std::uint64_t chunk_size_min = 64 * 1024;
inline constexpr std::uint64_t chunk_size_max = 1024 * 1024 * 1024;
inline constexpr std::uint64_t chunk_size_default = 16 * 1024 * 1024;

inline constexpr std::uint64_t key_size_max = 64 * 1024;
inline constexpr std::uint64_t value_size_max = std::uint64_t{2} * 1024 * 1024 * 1024;

// How many whole segments a file of `size` bytes has (with those that describe regions).
constexpr std::uint64_t segment_count(ByteCount size) {
  return size.value < regions_offset ? 0 : (size.value - regions_offset) >> segment_shift;
}
constexpr Offset segment_start(SegmentIndex segment) {
  return Offset{regions_offset + (segment.value << segment_shift)};
}
// `offset` must not lie in the prefix.
constexpr SegmentIndex segment_of(Offset offset) {
  return SegmentIndex{(offset.value - regions_offset) >> segment_shift};
}
constexpr std::uint64_t segment_in_region(SegmentIndex segment) { return segment.value % segments_per_region; }
constexpr bool describes_region(SegmentIndex segment) { return segment_in_region(segment) < region_metadata_segments; }
constexpr Offset region_start(std::uint64_t region) { return Offset{regions_offset + region * region_size}; }

constexpr Offset bitmap_offset(SegmentIndex segment) {
  return Offset{region_start(segment.value / segments_per_region).value + segment_in_region(segment) * bitmap_size};
}
constexpr Offset descriptor_offset(SegmentIndex segment) {
  return Offset{region_start(segment.value / segments_per_region).value + descriptors_in_region +
                segment_in_region(segment) * 16};
}
constexpr Offset hints_offset(std::uint64_t region, unsigned size_class) {
  return Offset{region_start(region).value + hints_in_region + size_class * hint_words * 8};
}

// A bitmap as it lies in the file: bit set = handed out (or never to be).
struct Bitmap {
  std::atomic<std::uint64_t> words[bitmap_words];
};
static_assert(sizeof(Bitmap) == bitmap_size);

// What a segment is used for, and by whom.
//   class_word: size class (8 bits) | generation (24 bits, counts changes of class) | run length in segments (32 bits)
//   owner: line (16 bits) | line generation (16 bits) | incarnation (32 bits); 0: nobody
// An owner whose incarnation or line generation is not the present one is no owner.
struct SegmentDescriptor {
  std::atomic<std::uint64_t> class_word;
  std::atomic<std::uint64_t> owner;
};
static_assert(sizeof(SegmentDescriptor) == 16 && std::atomic<std::uint64_t>::is_always_lock_free);

struct ClassWord {
  std::uint64_t word = 0;
  constexpr unsigned size_class() const { return static_cast<unsigned>(word & 0xff); }
  constexpr std::uint64_t generation() const { return (word >> 8) & 0xffffff; }
  constexpr std::uint64_t run_length() const { return word >> 32; }
  // The next generation of this word, with another class and length.
  constexpr ClassWord changed_to(unsigned size_class, std::uint64_t run_length) const {
    return {std::uint64_t{size_class} | (((generation() + 1) & 0xffffff) << 8) | (run_length << 32)};
  }
};

struct OwnerWord {
  std::uint64_t word = 0;
  static constexpr OwnerWord make(std::uint64_t line, std::uint64_t line_generation, std::uint32_t incarnation) {
    return {line | ((line_generation & 0xffff) << 16) | (std::uint64_t{incarnation} << 32)};
  }
  constexpr std::uint64_t line() const { return word & 0xffff; }
  constexpr std::uint64_t line_generation() const { return (word >> 16) & 0xffff; }
  constexpr std::uint32_t incarnation() const { return static_cast<std::uint32_t>(word >> 32); }
};

}  // namespace utan::format
