// The blocks of a data file as bitmaps and descriptors say they are, and sets of them.
//
// A block is named by its *bit*: 512 for each segment, whether or not so many blocks fit into it. Nothing is trusted: an
// offset is asked where it lies before anything is read there.
// Thread safety: Blocks only reads and is a value; a BlockSet belongs to one thread. Memory: a set takes 64 bytes for
// each segment of a region of which it has any block, at most 1/256 of the file.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "base/types.h"
#include "format/layout.h"
#include "format/size_class.h"

namespace utan::check {

inline constexpr std::uint64_t bits_per_segment = format::bitmap_size * 8;
inline constexpr std::uint64_t no_bit = ~std::uint64_t{0};

// Where a block lies.
struct Place {
  std::uint64_t bit = no_bit;  // no_bit: no block begins there
  unsigned size_class = format::class_empty;
  std::uint64_t room = 0;  // bytes of the block, all of them inside the file
  explicit operator bool() const { return bit != no_bit; }
};

class Blocks {
 public:
  Blocks(std::byte* data, ByteCount size) : data_(data), segments_(format::segment_count(size)), size_(size.value) {}

  ByteCount size() const { return ByteCount{size_}; }
  std::uint64_t segment_count() const { return segments_; }
  std::uint64_t region_count() const {
    return (segments_ + format::segments_per_region - 1) / format::segments_per_region;
  }

  template <class T>
  const T* at(Offset offset) const {
    return reinterpret_cast<const T*>(data_ + offset.value);
  }
  // Of a segment that is in the file and describes no region. relaxed: whose class changes while this is read is nobody's
  // whose blocks are looked for.
  format::ClassWord class_of(SegmentIndex segment) const {
    return {
        at<format::SegmentDescriptor>(format::descriptor_offset(segment))->class_word.load(std::memory_order_relaxed)};
  }
  std::uint64_t bitmap_word(SegmentIndex segment, std::uint64_t word) const {
    return at<format::Bitmap>(format::bitmap_offset(segment))->words[word].load(std::memory_order_relaxed);
  }

  Place place_of(Offset offset) const;
  Offset offset_of(std::uint64_t bit) const;
  // Does its bitmap say that the block is in use?
  bool handed_out(const Place& place) const {
    const std::uint64_t index = place.bit % bits_per_segment;
    return (bitmap_word(SegmentIndex{place.bit / bits_per_segment}, index / 64) >> (index % 64) & 1) != 0;
  }

 private:
  std::byte* data_;
  std::uint64_t segments_;
  std::uint64_t size_;
};

class BlockSet {
 public:
  explicit BlockSet(std::uint64_t region_count) : regions_(region_count) {}

  // False: it is in already.
  bool insert(std::uint64_t bit) {
    std::uint64_t& word = have_region(bit / bits_per_region)[bit % bits_per_region / 64];
    const std::uint64_t mask = std::uint64_t{1} << (bit % 64);
    if ((word & mask) != 0) return false;
    word |= mask;
    ++count_;
    return true;
  }
  // Bits 64 * index to 64 * index + 63.
  std::uint64_t word_at(std::uint64_t index) const {
    const auto& region = regions_[index / words_per_region];
    return region == nullptr ? 0 : region[index % words_per_region];
  }
  std::uint64_t count() const { return count_; }
  void add_all(const BlockSet& other);
  void clear();
  // Calls `with(bit)` for each block that is in both, in order.
  template <class With>
  void each_shared(const BlockSet& other, With&& with) const {
    for (std::uint64_t region = 0; region < regions_.size(); ++region) {
      if (regions_[region] == nullptr || other.regions_[region] == nullptr) continue;
      for (std::uint64_t i = 0; i < words_per_region; ++i) {
        std::uint64_t word = regions_[region][i] & other.regions_[region][i];
        for (; word != 0; word &= word - 1) {
          with(region * bits_per_region + i * 64 + static_cast<unsigned>(std::countr_zero(word)));
        }
      }
    }
  }

 private:
  static constexpr std::uint64_t bits_per_region = format::segments_per_region * bits_per_segment;
  static constexpr std::uint64_t words_per_region = bits_per_region / 64;

  std::uint64_t* have_region(std::uint64_t region) {
    auto& words = regions_[region];
    if (words == nullptr) [[unlikely]]
      words = std::make_unique<std::uint64_t[]>(words_per_region);
    return words.get();
  }

  std::vector<std::unique_ptr<std::uint64_t[]>> regions_;  // null: none of its blocks
  std::uint64_t count_ = 0;
};

}  // namespace utan::check
