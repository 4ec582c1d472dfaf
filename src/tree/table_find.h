// Finding a key in a table: all that a read runs through, in one place, so that it becomes one piece of code.
//
// A read's time is how many of these instructions there are: while one read waits for memory, the processor goes on with
// the next, as far as its window of a few hundred instructions reaches. So checks come in their cheapest form, and
// everything unusual (damage, the very end of the file) is looked at again elsewhere.
#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <cstdint>
#include <cstring>

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

#include "base/fetch.h"
#include "base/types.h"
#include "format/nodes.h"
#include "heap/view.h"
#include "tree/table.h"

namespace utan::tree {

// --- Addressing ------------------------------------------------------------------------------------------------------

inline std::uint64_t bucket_of(std::uint64_t hash, std::uint64_t bucket_count) {
  const std::uint64_t mask = ~std::uint64_t{0} >> std::countl_zero((bucket_count - 1) | 1);
  const std::uint64_t bucket = hash & mask;
  return bucket < bucket_count ? bucket : hash & (mask >> 1);
}

inline std::uint64_t slot_tag(std::uint64_t hash, std::uint64_t base_level) {
  return (hash >> base_level) & format::BucketEntry::tag_mask;
}

// How many buckets a root of each depth can have.
constexpr std::array<std::uint64_t, format::table_depth_max + 1> make_bucket_counts_max() {
  std::array<std::uint64_t, format::table_depth_max + 1> out{};
  out[0] = format::table_top_fanout;
  for (std::size_t i = 1; i < out.size(); ++i) out[i] = out[i - 1] * format::directory_fanout;
  return out;
}
inline constexpr auto bucket_counts_max = make_bucket_counts_max();

// --- Matching tags ---------------------------------------------------------------------------------------------------

// Reading beyond a bucket's last slot meets a neighbour block that another thread may be writing. What is read there is
// not used; but ThreadSanitizer cannot know that.
#if defined(__SANITIZE_THREAD__)
inline constexpr bool may_read_beyond = false;
#else
inline constexpr bool may_read_beyond = true;
#endif

// Which of 16 slots from `words` on have this tag, one bit each. Four are compared at once: their high halves, which hold
// the tags, are gathered into one vector. No branches: where a match is cannot be predicted.
[[gnu::always_inline]] inline std::uint64_t match_16(const std::uint64_t* words, std::uint64_t tag) {
  using Vector = std::uint32_t __attribute__((vector_size(16)));
  using Halves = std::int16_t __attribute__((vector_size(16)));
  constexpr unsigned low_bits = format::BucketEntry::offset_bits - 32;
  const auto wanted = static_cast<std::uint32_t>(tag);
  const Vector tags = {wanted, wanted, wanted, wanted};
  Halves equal[4];
  for (unsigned i = 0; i < 4; ++i) {
    Vector first;
    Vector second;
    std::memcpy(&first, words + std::size_t{4} * i, sizeof first);
    std::memcpy(&second, words + std::size_t{4} * i + 2, sizeof second);
    const auto same = (__builtin_shufflevector(first, second, 1, 3, 5, 7) >> low_bits) == tags;
    std::memcpy(&equal[i], &same, sizeof same);
  }
#if defined(__SSE2__)
  __m128i halves[4];
  std::memcpy(halves, equal, sizeof halves);
  return static_cast<std::uint32_t>(
      _mm_movemask_epi8(_mm_packs_epi16(_mm_packs_epi32(halves[0], halves[1]), _mm_packs_epi32(halves[2], halves[3]))));
#else
  using Bytes = std::int8_t __attribute__((vector_size(16)));
  // The lowest byte of each comparison.
  const auto low = __builtin_shufflevector(equal[0], equal[1], 0, 2, 4, 6, 8, 10, 12, 14);
  const auto high = __builtin_shufflevector(equal[2], equal[3], 0, 2, 4, 6, 8, 10, 12, 14);
  Bytes low_bytes;
  Bytes high_bytes;
  std::memcpy(&low_bytes, &low, sizeof low);
  std::memcpy(&high_bytes, &high, sizeof high);
  const Bytes all =
      __builtin_shufflevector(low_bytes, high_bytes, 0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30);
  // Each byte is 0 or 255: the bit of its place is kept, and the bytes are added up.
  std::uint64_t sums[2];
  std::memcpy(sums, &all, sizeof sums);
  const auto gather = [](std::uint64_t bytes) { return ((bytes & 0x0101010101010101u) * 0x0102040810204080u) >> 56; };
  return gather(sums[0]) | (gather(sums[1]) << 8);
#endif
}

// The same of `count` slots, at most 16, one by one.
inline std::uint64_t match_few(const std::uint64_t* words, std::uint64_t count, std::uint64_t tag) {
  std::uint64_t matches = 0;
  for (std::uint64_t i = 0; i < count; ++i) matches |= std::uint64_t{format::BucketEntry{words[i]}.tag() == tag} << i;
  return matches;
}

// --- Finding ---------------------------------------------------------------------------------------------------------

// Is this record's key, whose tag or size is another, the same number or tuple in another spelling?
bool is_respelled(const format::Record* record, const Key& key);

// Does a record have this key?
[[gnu::always_inline]] inline bool is_key(const format::Record* record, const Key& key) {
  const std::size_t size = key.bytes.size();
  if (record->key_size() != size || record->key_tag() != key.tag) [[unlikely]]
    return is_respelled(record, key);
  const std::byte* const stored = record->key();
  const std::byte* const wanted = key.bytes.data();
  // Two words that overlap cover 8 to 16 bytes.
  if (size - 8 <= 8) [[likely]] {
    std::uint64_t a[2];
    std::uint64_t b[2];
    std::memcpy(&a[0], stored, 8);
    std::memcpy(&b[0], wanted, 8);
    std::memcpy(&a[1], stored + size - 8, 8);
    std::memcpy(&b[1], wanted + size - 8, 8);
    return ((a[0] ^ b[0]) | (a[1] ^ b[1])) == 0;
  }
  return size == 0 || std::memcmp(stored, wanted, size) == 0;
}

// Slots of a bucket that are looked at together, and that most buckets do not exceed by much.
inline constexpr std::uint64_t slots_at_once = 16;

// Finds `key`, or its absence, if all is as usual: every node of full size inside the file and sound. `unusual` says
// nothing more: find_record then looks with every check, and says what is wrong. `out` has no more than bucket, way,
// record, offset and slot.
[[gnu::always_inline]] inline Quick find_quickly(const heap::View view, Offset root_offset, const Key& key,
                                                 FoundRecord& out) {
  using format::Kind;
  const auto* root = view.follow_within<format::TableRoot>(
      root_offset, Kind::table_root, ByteCount{format::TableRoot::size_for(format::table_top_fanout)});
  if (root == nullptr || root->depth() > format::table_depth_max) [[unlikely]]
    return Quick::unusual;
  std::uint64_t height = root->depth();
  // Neither none nor more than the root has entries for, so that the way begins inside it.
  if (root->bucket_count - 1 >= bucket_counts_max[height]) [[unlikely]]
    return Quick::unusual;
  out.bucket = bucket_of(key.hash, root->bucket_count);
  Way& way = out.way;
  way.lead_to(out.bucket, height);
  Offset at{root->entries()[way.index[height]]};
  while (height > 0) {
    const auto* directory = view.follow_within<format::Directory>(
        at, Kind::directory, ByteCount{format::Directory::size_for(format::directory_fanout)});
    const std::uint64_t index = way.index[--height];
    if (directory == nullptr || index >= directory->count()) [[unlikely]]
      return Quick::unusual;
    at = Offset{directory->entries()[index]};
  }
  const auto* bucket =
      view.follow_within<format::Bucket>(at, Kind::bucket, ByteCount{format::Bucket::size_for(slots_at_once)});
  if (bucket == nullptr) [[unlikely]]
    return at ? Quick::unusual : Quick::missing;
  const std::uint64_t tag = slot_tag(key.hash, bucket->base_level());
  const std::uint64_t count = bucket->count();
  for (std::uint64_t from = 0;; from += slots_at_once) {
    const std::uint64_t* words = bucket->entries() + from;
    const std::uint64_t rest = count - from;
    // Sixteen slots at a time, also beyond the last, whose matches do not count.
    const std::uint64_t here = std::min(rest, slots_at_once);
    std::uint64_t matches = may_read_beyond ? match_16(words, tag) : match_few(words, here, tag);
    matches &= (std::uint64_t{1} << here) - 1;
    for (; matches != 0; matches &= matches - 1) {
      const auto place = static_cast<std::size_t>(std::countr_zero(matches));
      const Offset offset = format::BucketEntry{words[place]}.record();
      // The value's lines come with the key's, not after them.
      const std::byte* ahead = view.base() + offset.value;
      fetch_line(ahead + 64);
      fetch_line(ahead + 128);
      const format::Record* record = view.follow_record(offset);
      if (record == nullptr) [[unlikely]]
        return Quick::unusual;
      if (is_key(record, key)) [[likely]] {
        out.record = record;
        out.offset = offset;
        out.slot = from + place;
        return Quick::found;
      }
    }
    if (rest <= slots_at_once) return Quick::missing;
    if (format::Bucket::size_for(from + 2 * slots_at_once) > view.size().value - at.value) [[unlikely]]
      return Quick::unusual;
  }
}

// find_record, for those who want it as part of their own code; `out` is new.
void find_carefully(const heap::View view, Offset root, const Key& key, FoundRecord& out);
[[gnu::always_inline]] inline void find_record_here(const heap::View view, Offset root, const Key& key,
                                                    FoundRecord& out) {
  out.hash = key.hash;
  const Quick quick = find_quickly(view, root, key, out);
  if (quick == Quick::unusual) [[unlikely]] {
    find_carefully(view, root, key, out);
  } else {
    out.status = quick == Quick::found ? Status::found : Status::missing;
  }
}

}  // namespace utan::tree
