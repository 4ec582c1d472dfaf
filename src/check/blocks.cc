#include "check/blocks.h"

#include <algorithm>
#include <bit>

namespace utan::check {

Place Blocks::place_of(Offset offset) const {
  Place out;
  if (offset.value < format::regions_offset || offset.value >= size_ || offset.value % 8 != 0) return out;
  const SegmentIndex segment = format::segment_of(offset);
  if (segment.value >= segments_ || format::describes_region(segment)) return out;
  const format::ClassWord word = class_of(segment);
  const unsigned size_class = word.size_class();
  const std::uint64_t distance = (offset - format::segment_start(segment)).value;
  if (size_class == format::class_run) {
    // All of the run lies in its region, and in the file.
    const std::uint64_t last = segment.value + word.run_length() - 1;
    if (distance != 0 || word.run_length() == 0 || last >= segments_ ||
        last / format::segments_per_region != segment.value / format::segments_per_region)
      return out;
    return {segment.value * bits_per_segment, size_class, word.run_length() * format::segment_size};
  }
  if (!format::is_small_class(size_class)) return out;
  const auto& info = format::size_classes[size_class];
  const std::uint64_t index = distance / info.block_size;
  if (index * info.block_size != distance || index >= info.block_count) return out;
  return {segment.value * bits_per_segment + index, size_class, info.block_size};
}

Offset Blocks::offset_of(std::uint64_t bit) const {
  const SegmentIndex segment{bit / bits_per_segment};
  const Offset start = format::segment_start(segment);
  if (segment.value >= segments_ || format::describes_region(segment)) return start;
  const unsigned size_class = class_of(segment).size_class();
  if (!format::is_small_class(size_class)) return start;
  return start + ByteCount{bit % bits_per_segment * format::size_classes[size_class].block_size};
}

void BlockSet::add_all(const BlockSet& other) {
  for (std::uint64_t region = 0; region < regions_.size(); ++region) {
    if (other.regions_[region] == nullptr) continue;
    std::uint64_t* words = have_region(region);
    for (std::uint64_t i = 0; i < words_per_region; ++i) {
      const std::uint64_t more = other.regions_[region][i] & ~words[i];
      count_ += static_cast<unsigned>(std::popcount(more));
      words[i] |= more;
    }
  }
}

void BlockSet::clear() {
  for (auto& region : regions_) region.reset();
  count_ = 0;
}

}  // namespace utan::check
