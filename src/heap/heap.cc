#include "heap/heap.h"

#include <algorithm>
#include <bit>
#include <cerrno>
#include <cstring>
#include <string>

#include "base/check.h"
#include "base/step.h"
#include "format/block.h"

namespace utan::heap {

using format::ClassWord;
using format::OwnerWord;
using format::size_classes;

namespace {
constexpr std::uint64_t growth_min = 256 * 1024;
// The file grows by this part of its size, so that a small store stays small and a large one grows seldom.
constexpr std::uint64_t growth_divisor = 64;

// Does `word` have exactly `count` bits, 1 to 4? A few instructions where there is none that counts bits.
bool has_exactly(std::uint64_t word, std::uint32_t count) {
  for (std::uint32_t i = 1; i < count; ++i) word &= word - 1;
  return word != 0 && (word & (word - 1)) == 0;
}
}  // namespace

void Heap::open(std::byte* base, ByteCount reserved, format::Coordination coordination, os::File& file,
                const std::atomic<std::uint64_t>* usable, Widener* widener) {
  coordination_ = coordination;
  file_ = &file;
  usable_ = usable;
  widener_ = widener;
  show_at(base, reserved);
}

Result<void> Heap::widen(ByteCount needed) const {
  if (widener_ != nullptr) return widener_->widen(needed);
  return Error(Code::no_space, "the store would outgrow the " +
                                   std::to_string(reserved_.load(std::memory_order_relaxed) >> 20) +
                                   " MiB of addresses reserved for it");
}

Result<void> Heap::catch_up() const {
  if (!is_outgrown()) [[likely]]
    return {};
  return widen(ByteCount{coordination_.fixed().file_size.load(std::memory_order_acquire)});
}

bool Heap::is_live_owner(OwnerWord owner) const {
  if (owner.word == 0) return false;
  const auto& fixed = coordination_.fixed();
  if (owner.incarnation() != static_cast<std::uint32_t>(fixed.header.incarnation)) return false;
  if (owner.line() >= format::line_count_max || owner.line() >= fixed.line_count.load(std::memory_order_acquire)) {
    return false;
  }
  // acquire: pairs with the release that advances the generation after the masks have been returned (H2).
  const std::uint64_t generation = coordination_.line(owner.line()).generation.load(std::memory_order_acquire);
  return (generation & 0xffff) == owner.line_generation();
}

bool Heap::try_own(SegmentIndex segment, OwnerWord me) const {
  if (segment.value >= segment_count() || format::describes_region(segment)) return false;
  if (segment.value < coordination_.fixed().header.trusted_from) return false;
  auto& owner = descriptor(segment).owner;
  std::uint64_t seen = owner.load(std::memory_order_acquire);
  if (is_live_owner(OwnerWord{seen})) return false;
  // acq_rel: acquires what the previous owner wrote before disown(), releases nothing of note.
  return owner.compare_exchange_strong(seen, me.word, std::memory_order_acq_rel, std::memory_order_relaxed);
}

void Heap::disown(SegmentIndex segment) const {
  // release: pairs with the acquire in try_own, so that the next owner sees this one's class and bits.
  descriptor(segment).owner.store(0, std::memory_order_release);
}

bool Heap::is_vacant(SegmentIndex segment) const {
  const format::Bitmap& bits = bitmap(segment);
  std::uint64_t any = 0;
  for (const auto& word : bits.words) any |= word.load(std::memory_order_acquire);
  return any == 0;
}

bool Heap::has_room(SegmentIndex segment, format::SizeClass size_class) const {
  const auto& info = size_classes[size_class];
  const format::Bitmap& bits = bitmap(segment);
  for (unsigned w = 0; w < info.word_count; ++w) {
    // relaxed: who takes a block of it looks again.
    if ((~bits.words[w].load(std::memory_order_relaxed) & format::used_bits(info, w)) != 0) return true;
  }
  return false;
}

bool Heap::hint(SegmentIndex segment, unsigned size_class) const {
  const std::uint64_t region = segment.value / format::segments_per_region;
  const std::uint64_t in_region = format::segment_in_region(segment);
  auto& word = at<std::atomic<std::uint64_t>>(format::hints_offset(region, size_class))[in_region / 64];
  const std::uint64_t bit = std::uint64_t{1} << (in_region % 64);
  // relaxed throughout: hints are never trusted, a lost one costs a scan.
  const bool is_new = (word.load(std::memory_order_relaxed) & bit) == 0;
  if (is_new) word.fetch_or(bit, std::memory_order_relaxed);
  const std::uint64_t place = region % format::hinted_regions;
  auto& top = coordination_.region_hint(size_class, place / 64);
  const std::uint64_t top_bit = std::uint64_t{1} << (place % 64);
  if ((top.load(std::memory_order_relaxed) & top_bit) == 0) top.fetch_or(top_bit, std::memory_order_relaxed);
  return is_new;
}

std::optional<SegmentIndex> Heap::take_hint(unsigned size_class, SegmentIndex cursor) const {
  const std::uint64_t segments = segment_count();
  const std::uint64_t regions = (segments + format::segments_per_region - 1) / format::segments_per_region;
  const std::uint64_t first_region = std::min(cursor.value / format::segments_per_region, regions - 1);
  for (std::uint64_t step = 0; step <= regions; ++step) {
    const std::uint64_t region = (first_region + step) % regions;
    const std::uint64_t place = region % format::hinted_regions;
    auto& top = coordination_.region_hint(size_class, place / 64);
    const std::uint64_t top_bit = std::uint64_t{1} << (place % 64);
    const std::uint64_t top_word = top.load(std::memory_order_relaxed);
    if (top_word == 0 && place % 64 == 0 && region + 64 <= regions && step + 64 <= regions) {
      step += 63;  // none of these 64 regions
      continue;
    }
    if ((top_word & top_bit) == 0) continue;
    auto* words = at<std::atomic<std::uint64_t>>(format::hints_offset(region, size_class));
    const std::uint64_t start = step == 0 ? format::segment_in_region(cursor) : 0;
    for (std::uint64_t i = start / 64; i < format::hint_words; ++i) {
      std::uint64_t word = words[i].load(std::memory_order_relaxed);
      if (i == start / 64) word &= ~std::uint64_t{0} << (start % 64);
      while (word != 0) {
        const std::uint64_t bit = word & (~word + 1);
        const std::uint64_t segment =
            region * format::segments_per_region + i * 64 + static_cast<std::uint64_t>(std::countr_zero(word));
        const bool ours = (words[i].fetch_and(~bit, std::memory_order_relaxed) & bit) != 0;
        if (ours && segment < segments) return SegmentIndex{segment};
        word &= ~bit;
      }
    }
    if (start != 0) continue;  // the part before the cursor comes last
    // Nothing here. Whoever sets a hint sets the region's after the segment's: clear first, then look again.
    top.fetch_and(~top_bit, std::memory_order_seq_cst);
    for (std::uint64_t i = 0; i < format::hint_words; ++i) {
      if (words[i].load(std::memory_order_seq_cst) != 0) {
        top.fetch_or(top_bit, std::memory_order_relaxed);
        break;
      }
    }
  }
  return std::nullopt;
}

void Heap::hint_room(SegmentIndex segment) const {
  const unsigned size_class = ClassWord{descriptor(segment).class_word.load(std::memory_order_relaxed)}.size_class();
  const format::Bitmap& bits = bitmap(segment);
  if (size_class != format::class_commit && is_vacant(segment)) {
    hint(segment, format::class_empty);
    return;
  }
  if (!format::is_small_class(size_class)) return;
  const auto& info = size_classes[size_class];
  for (unsigned word = 0; word < info.word_count; ++word) {
    const std::uint64_t free = ~bits.words[word].load(std::memory_order_relaxed) & format::used_bits(info, word);
    if (static_cast<std::uint32_t>(std::popcount(free)) >= info.room_min) {
      hint(segment, size_class);
      return;
    }
  }
}

bool Heap::free_bit(Offset block) const {
  const SegmentIndex segment = format::segment_of(block);
  const unsigned size_class = ClassWord{descriptor(segment).class_word.load(std::memory_order_relaxed)}.size_class();
  if (!format::is_small_class(size_class)) return false;
  const auto& info = size_classes[size_class];
  const std::uint64_t distance = (block - format::segment_start(segment)).value;
  const std::uint64_t index = (distance * info.reciprocal) >> 32;
  if (index * info.block_size != distance || index >= info.block_count) return false;
  auto& word = bitmap(segment).words[index / 64];
  const std::uint64_t bit = std::uint64_t{1} << (index % 64);
  // release: what was done with the block comes before; pairs with the acquire of the owner that hands it out again.
  const std::uint64_t before = word.fetch_and(~bit, std::memory_order_acq_rel);
  if ((before & bit) == 0) return false;
  const std::uint64_t free = ~before & format::used_bits(info, static_cast<unsigned>(index / 64));
  if (has_exactly(free | bit, info.room_min)) hint(segment, size_class);
  if (before == bit && size_class != format::class_commit && is_vacant(segment)) hint(segment, format::class_empty);
  return true;
}

// --- Runs (H6) -------------------------------------------------------------------------------------------------------

bool Heap::own_run(SegmentIndex first, std::uint64_t length, OwnerWord me) const {
  for (std::uint64_t i = 0; i < length; ++i) {
    const SegmentIndex segment{first.value + i};
    bool usable = try_own(segment, me);
    if (usable) {
      // First the hint is taken back, then the bits are looked at: whoever frees the last block later finds no hint and sets
      // it again. A segment that is in use is not tried twice.
      take_back_hint(segment);
      const unsigned size_class =
          ClassWord{descriptor(segment).class_word.load(std::memory_order_acquire)}.size_class();
      usable = size_class <= format::class_last && is_vacant(segment) && was_usable();
      if (!usable) disown(segment);
    }
    if (!usable) {
      for (std::uint64_t back = 0; back < i; ++back) {
        disown(SegmentIndex{first.value + back});
        hint(SegmentIndex{first.value + back}, format::class_empty);
      }
      return false;
    }
    step(Step::run_owner_won);
  }
  return true;
}

void Heap::take_back_hint(SegmentIndex segment) const {
  const std::uint64_t in_region = format::segment_in_region(segment);
  auto* words = at<std::atomic<std::uint64_t>>(
      format::hints_offset(segment.value / format::segments_per_region, format::class_empty));
  words[in_region / 64].fetch_and(~(std::uint64_t{1} << (in_region % 64)), std::memory_order_seq_cst);
}

std::optional<SegmentIndex> Heap::find_run(std::uint64_t length, OwnerWord me, std::uint64_t begin,
                                           std::uint64_t end) const {
  std::uint64_t run = 0;
  for (std::uint64_t at_segment = begin; at_segment < end; ++at_segment) {
    const std::uint64_t in_region = at_segment % format::segments_per_region;
    if (in_region < format::region_metadata_segments) {
      run = 0;
      continue;
    }
    const auto* words = at<std::atomic<std::uint64_t>>(
        format::hints_offset(at_segment / format::segments_per_region, format::class_empty));
    const std::uint64_t word = words[in_region / 64].load(std::memory_order_relaxed);
    if (word == 0) {
      run = 0;
      at_segment |= 63;  // the rest of this word
      continue;
    }
    run = (word >> (in_region % 64)) & 1 ? run + 1 : 0;
    if (run == length) {
      const SegmentIndex first{at_segment + 1 - length};
      if (own_run(first, length, me)) return first;
      run = 0;
    }
  }
  return std::nullopt;
}

std::optional<SegmentIndex> Heap::acquire_run(std::uint64_t length, OwnerWord me, SegmentIndex& cursor) const {
  DCHECK(length >= 1 && length <= format::run_segments_max);
  const std::uint64_t end = reserve_begin();
  const std::uint64_t middle = std::min(cursor.value, end);
  std::optional<SegmentIndex> first = find_run(length, me, middle, end);
  // Up to the cursor, and the runs that lie across it.
  if (!first) first = find_run(length, me, 0, std::min(middle + length - 1, end));
  if (first) cursor = SegmentIndex{first->value + length};
  return first;
}

void Heap::describe_run(SegmentIndex first, std::uint64_t length) const {
  // The first segment comes first: from then on free_run can undo the whole, described or not.
  for (std::uint64_t i = 0; i < length; ++i) {
    const SegmentIndex segment{first.value + i};
    auto& word = descriptor(segment).class_word;
    const ClassWord before{word.load(std::memory_order_relaxed)};
    word.store(before.changed_to(i == 0 ? format::class_run : format::class_run_body, i == 0 ? length : 0).word,
               std::memory_order_release);
    // A body's bit keeps it from ever looking vacant.
    bitmap(segment).words[0].store(1, std::memory_order_release);
    if (i == 0) step(Step::run_described);
  }
}

bool Heap::free_run(SegmentIndex first) const {
  const ClassWord head{descriptor(first).class_word.load(std::memory_order_acquire)};
  const std::uint64_t length = head.run_length();
  if (head.size_class() != format::class_run || length == 0 ||
      format::segment_in_region(first) + length > format::segments_per_region ||
      first.value + length > segment_count()) {
    return false;
  }
  for (std::uint64_t i = 0; i < length; ++i) {
    const SegmentIndex segment{first.value + i};
    // Whoever owns a segment of a run for a moment, misled by a hint, sees its class and lets go; the class of a run is
    // changed by nobody but the one who frees it. So one store hands the segment over, after its bit is clear.
    bitmap(segment).words[0].store(0, std::memory_order_release);
    auto& word = descriptor(segment).class_word;
    word.store(ClassWord{word.load(std::memory_order_relaxed)}.changed_to(format::class_empty, 0).word,
               std::memory_order_release);
    hint(segment, format::class_empty);
  }
  step(Step::run_freed);
  return true;
}

Result<void> Heap::write(Offset to, std::span<const std::byte> bytes) const {
  // What was cut off would come back as zeroes. A cut between this look and the write is found by the second one, unless these
  // bytes are the last of the file.
  UTAN_TRY(expect_whole());
  Result<void> written = file_->write(to, bytes);
  if (written.ok()) {
    Result<void> whole = expect_whole();
    // What was cut off is back as zeroes, of which no fault tells.
    if (whole.code() == Code::corruption && widener_ != nullptr) widener_->lose();
    return whole;
  }
  // Others have made a hole of it, or the file system makes a copy of what is written over, and the disk is full: a store there
  // would be a file that is lost.
  if (written.code() == Code::no_space && written.error().system_error() != EFBIG) return written;
  // The system may not: beyond a limit of this process (RLIMIT_FSIZE), say.
  std::memcpy(at<std::byte>(to), bytes.data(), bytes.size());
  return {};
}

// --- Growth ----------------------------------------------------------------------------------------------------------

Result<void> Heap::expect_whole() const {
  if (!was_usable()) return Error(Code::corruption, "a part of the file is gone");
  // In this order: it is made longer before that is published.
  const std::uint64_t believed = file_size().value;
  UTAN_ASSIGN(const os::FileStatus status, file_->status());
  if (status.size.value >= believed) return {};
  return Error(Code::corruption, "the file was made shorter while it was open, to " +
                                     std::to_string(status.size.value) + " bytes of " + std::to_string(believed));
}

Result<void> Heap::grow(std::uint64_t run_length) const {
  // What was cut off would come back as zeroes.
  UTAN_TRY(expect_whole());
  auto& fixed = coordination_.fixed();
  const std::uint64_t size = fixed.file_size.load(std::memory_order_acquire);
  const std::uint64_t chunk =
      std::clamp(fixed.chunk_size.load(std::memory_order_relaxed), format::chunk_size_min, format::chunk_size_max);
  const std::uint64_t step_size =
      std::max(std::min(std::max(size / growth_divisor, growth_min), chunk), format::segment_size);
  const std::uint64_t now = format::segment_count(ByteCount{size});
  std::uint64_t end = now + (step_size >> format::segment_shift);
  // The run must fit between what was handed out and the reserve, as they will be, within one region, and no region may end
  // inside its own description.
  // What is below `trusted_from` is of no use, although it may be beyond the end.
  std::uint64_t start = std::max(reserve_begin(now), coordination_.fixed().header.trusted_from);
  const std::uint64_t in_region = start % format::segments_per_region;
  if (in_region < format::region_metadata_segments) start += format::region_metadata_segments - in_region;
  if (start % format::segments_per_region + run_length > format::segments_per_region) {
    start += format::segments_per_region - start % format::segments_per_region + format::region_metadata_segments;
  }
  end = std::max(end, start + run_length + reserve_size(end + run_length));
  Result<void> grown = grow_to(size, end);
  // The last of a disk is of use, too.
  if (grown.code() == Code::no_space && run_length == 1 && now + 1 < end) return grow_to(size, now + 1);
  return grown;
}

// From the size that was read, of which nothing is believed but that it is compared with, to so many segments.
Result<void> Heap::grow_to(std::uint64_t size, std::uint64_t end) const {
  auto& fixed = coordination_.fixed();
  const std::uint64_t now = format::segment_count(ByteCount{size});
  const std::uint64_t tail = end % format::segments_per_region;
  if (tail != 0 && tail <= format::region_metadata_segments) end += format::region_metadata_segments + 1 - tail;
  const std::uint64_t target = format::regions_offset + (end << format::segment_shift);
  if (target > format::file_size_max)
    return Error(Code::no_space, "the store would be larger than a store can be: " +
                                     std::to_string(format::file_size_max >> 40) + " TiB");
  if (target > reserved_.load(std::memory_order_acquire)) UTAN_TRY(widen(ByteCount{target}));
  UTAN_TRY(file_->allocate(ByteCount{target}));
  step(Step::grow_allocated);
  // release: the new range exists before anyone believes in it.
  if (!fixed.file_size.compare_exchange_strong(size, target, std::memory_order_acq_rel, std::memory_order_acquire)) {
    return {};  // somebody else grew it at the same time
  }
  step(Step::grow_published);
  // Those that were the reserve, or are in front of what is it now.
  for (std::uint64_t segment = reserve_begin(now); segment < reserve_begin(end); ++segment) {
    if (!format::describes_region(SegmentIndex{segment})) hint_room(SegmentIndex{segment});
  }
  return {};
}

Statistics Heap::statistics() const {
  Statistics out;
  const std::uint64_t segments = segment_count();
  for (std::uint64_t i = 0; i < segments; ++i) {
    const SegmentIndex segment{i};
    if (format::describes_region(segment)) continue;
    ++out.segments.value;
    const ClassWord word{descriptor(segment).class_word.load(std::memory_order_relaxed)};
    if (word.size_class() == format::class_run || word.size_class() == format::class_run_body) {
      out.used.value += format::segment_size;
    } else if (format::is_small_class(word.size_class())) {
      const auto& info = size_classes[word.size_class()];
      std::uint64_t used = 0;
      for (unsigned w = 0; w < info.word_count; ++w) {
        used += static_cast<std::uint64_t>(
            std::popcount(bitmap(segment).words[w].load(std::memory_order_relaxed) & format::used_bits(info, w)));
      }
      out.used.value += used * info.block_size;
      out.free.value += (info.block_count - used) * info.block_size;
      if (used == 0) ++out.empty_segments.value;
    } else {
      ++out.empty_segments.value;
      out.free.value += format::segment_size;
    }
  }
  return out;
}

}  // namespace utan::heap
