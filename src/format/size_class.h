// The sizes in which blocks are handed out.
//
// 32 to 128 bytes in steps of 8, to 256 in steps of 16, to 512 of 32, to 1,024 of 64: at most 12.5 % slack above 56
// bytes. Larger ones share a segment as long as two fit: k blocks of 16 KiB / k, rounded down to 8. Beyond 8 KiB a
// block is a run of whole segments. Commit blocks have a class of their own whose segments never change it, so that the
// first word of any such block, free or not, always is a commit number.
#pragma once

#include <array>
#include <cstdint>

#include "base/check.h"
#include "base/types.h"
#include "format/layout.h"

namespace utan::format {

using SizeClass = std::uint8_t;

inline constexpr SizeClass class_empty = 0;  // the segment belongs to no class
inline constexpr SizeClass class_first = 1;
inline constexpr SizeClass class_last = 52;
inline constexpr SizeClass class_commit = 53;
inline constexpr SizeClass class_run = 54;       // first segment of a run
inline constexpr SizeClass class_run_body = 55;  // any other segment of a run
inline constexpr SizeClass class_count = 56;
static_assert(class_count <= size_class_count_max);

inline constexpr std::uint64_t block_size_min = 32;
inline constexpr std::uint64_t commit_block_size = 256;
inline constexpr std::uint64_t small_block_size_max = 8192;  // beyond it: runs
inline constexpr std::uint64_t run_size_max = run_segments_max * segment_size;

struct SizeClassInfo {
  std::uint32_t block_size = 0;   // bytes
  std::uint32_t block_count = 0;  // per segment
  std::uint32_t reciprocal = 0;   // ceil(2^32 / block_size): index = bytes * reciprocal >> 32, exact below 2^14
  std::uint32_t word_count = 0;   // bitmap words in use
  std::uint32_t room_min = 0;     // free blocks in a bitmap word that make it worth a hint
  std::uint64_t tail_mask = 0;    // bits of the last bitmap word in use
};

namespace detail {
constexpr SizeClassInfo make_class(std::uint32_t size) {
  SizeClassInfo info;
  info.block_size = size;
  info.block_count = static_cast<std::uint32_t>(segment_size / size);
  info.reciprocal = static_cast<std::uint32_t>(((std::uint64_t{1} << 32) + size - 1) / size);
  info.word_count = (info.block_count + 63) / 64;
  const std::uint32_t eighth = info.block_count / 8;
  info.room_min = eighth < 1 ? 1 : eighth > 4 ? 4 : eighth;
  const std::uint32_t tail = info.block_count % 64;
  info.tail_mask = tail == 0 ? ~std::uint64_t{0} : (std::uint64_t{1} << tail) - 1;
  return info;
}
constexpr std::array<SizeClassInfo, class_count> make_classes() {
  std::array<SizeClassInfo, class_count> out{};
  unsigned next = class_first;
  for (std::uint32_t size = 32; size <= 136; size += 8) out[next++] = make_class(size);
  for (std::uint32_t size = 144; size <= 256; size += 16) out[next++] = make_class(size);
  for (std::uint32_t size = 288; size <= 512; size += 32) out[next++] = make_class(size);
  for (std::uint32_t size = 576; size <= 1024; size += 64) out[next++] = make_class(size);
  for (std::uint32_t count = 15; count >= 2; --count) {
    out[next++] = make_class(static_cast<std::uint32_t>(segment_size / count / 8 * 8));
  }
  out[class_commit] = make_class(static_cast<std::uint32_t>(commit_block_size));
  return out;
}
constexpr std::array<SizeClass, small_block_size_max / 8 + 1> make_class_of_eighth() {
  const auto classes = make_classes();
  std::array<SizeClass, small_block_size_max / 8 + 1> out{};
  unsigned at = class_first;
  for (std::uint64_t eighth = 0; eighth < out.size(); ++eighth) {
    while (classes[at].block_size < eighth * 8) ++at;
    out[eighth] = static_cast<SizeClass>(at);
  }
  return out;
}
}  // namespace detail

inline constexpr std::array<SizeClassInfo, class_count> size_classes = detail::make_classes();
static_assert(size_classes[class_last].block_size == small_block_size_max);
inline constexpr auto class_of_eighth = detail::make_class_of_eighth();

// How many free blocks of each class a line may keep for itself, newest first out: up to 16 KiB of them, 2 to 32.
inline constexpr std::uint64_t stash_capacity_max = 32;
constexpr std::uint64_t stash_capacity(unsigned size_class) {
  if (!(size_class >= class_first && size_class <= class_commit)) return 0;
  const std::uint64_t fit = segment_size / size_classes[size_class].block_size;
  return fit < 2 ? 2 : fit > stash_capacity_max ? stash_capacity_max : fit;
}
namespace detail {
constexpr std::array<std::uint16_t, class_count + 1> make_stash_starts() {
  std::array<std::uint16_t, class_count + 1> out{};
  for (unsigned c = 0; c < class_count; ++c) out[c + 1] = static_cast<std::uint16_t>(out[c] + stash_capacity(c));
  return out;
}
}  // namespace detail
// Where each class's free blocks begin in a line's stash; the next class's start is their end.
inline constexpr auto stash_starts = detail::make_stash_starts();
inline constexpr std::uint64_t stash_size = stash_starts[class_count];

// The class of a block of `size` bytes, header included: 1 to 8 KiB; class_run for more.
constexpr SizeClass class_for(ByteCount size) {
  return size.value <= small_block_size_max ? class_of_eighth[(size.value + 7) / 8] : class_run;
}
constexpr bool is_small_class(unsigned size_class) { return size_class >= class_first && size_class <= class_commit; }
// The bits of bitmap word `word` that stand for blocks of this class.
constexpr std::uint64_t used_bits(const SizeClassInfo& info, unsigned word) {
  return word + 1 < info.word_count ? ~std::uint64_t{0} : word + 1 == info.word_count ? info.tail_mask : 0;
}
constexpr std::uint64_t run_length_for(ByteCount size) { return (size.value + segment_size - 1) >> segment_shift; }

}  // namespace utan::format
