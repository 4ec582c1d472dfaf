#include "heap/allocator.h"

#include <algorithm>
#include <cstring>

namespace utan::heap {

using format::AllocatorSlot;
using format::ClassWord;
using format::size_classes;
using format::SizeClass;

namespace {
// How many segments are looked at, without a hint, before the file grows. It finds what lost its hint to a kill.
constexpr std::uint64_t scan_budget = 256;
// The same before it grows for a run, by at least a sixty-fourth: the whole file has been looked at before it is twice as long.
constexpr std::uint64_t run_scan_budget = format::segments_per_region;

constexpr std::array<std::byte, format::segment_size> zeroes{};

// May a block of this larger class stand for one of `size_class`? Words that name a chunk of waiting blocks (format::ChainWord)
// leave out four bits of its offset, which are zeroes in its own class.
bool can_stand_for(SizeClass larger, SizeClass size_class) {
  constexpr std::uint32_t unit = 16;
  return size_classes[size_class].block_size % unit != 0 || size_classes[larger].block_size % unit == 0;
}
}  // namespace

Allocator::Allocator(const Heap& heap, format::Line& line, std::uint64_t line_index, std::uint64_t line_generation)
    : heap_(&heap),
      line_(&line),
      me_(format::OwnerWord::make(line_index, line_generation,
                                  static_cast<std::uint32_t>(heap.coordination().fixed().header.incarnation))) {
  // Whoever had the line left nothing; whatever a damaged file says is not handed out.
  for (AllocatorSlot& slot : line.allocator) {
    slot.mask.store(0, std::memory_order_relaxed);
    slot.place.store(0, std::memory_order_relaxed);
    slot.stashed.store(0, std::memory_order_relaxed);
  }
  line.build_count.store(0, std::memory_order_relaxed);
  // Threads begin their searches at different places, so that they seldom meet.
  const std::uint64_t segments = heap.segment_count();
  const std::uint64_t start = segments == 0 ? 0 : (line_index * 0x9e3779b97f4a7c15u >> 20) % segments;
  for (auto& own : own_) own.cursor = SegmentIndex{start};
  scan_cursor_ = SegmentIndex{start};
}

Result<Offset> Allocator::allocate_masked(SizeClass size_class, CommitNumber birth) {
  AllocatorSlot& slot = line_->allocator[size_class];
  std::uint64_t mask = slot.mask.load(std::memory_order_relaxed);
  if (mask == 0) [[unlikely]] {
    UTAN_TRY(refill(size_class));
    if (!heap_->was_usable()) [[unlikely]]
      return Error(Code::corruption, "a part of the file is gone");
    mask = slot.mask.load(std::memory_order_relaxed);
  }
  const auto bit = static_cast<unsigned>(std::countr_zero(mask));
  const Offset block{own_[size_class].word_start + std::uint64_t{bit} * size_classes[size_class].block_size};
  hand_out(block, birth, size_class);
  // release: after the record of the hand-out, so that an adopter finds the block in the mask, in the record or in both.
  const std::uint64_t rest = mask & (mask - 1);
  slot.mask.store(rest, std::memory_order_release);
  step(Step::hand_out_mask_stored);
  // The next block of this class is likely to be cold: its lines are fetched while this one is filled.
  if (rest != 0) [[likely]]
    prefetch(own_[size_class].word_start, rest, size_classes[size_class].block_size);
  return block;
}

bool Allocator::take_word(SegmentIndex segment, SizeClass size_class, std::uint32_t room_min) {
  const auto& info = size_classes[size_class];
  AllocatorSlot& slot = line_->allocator[size_class];
  for (unsigned w = 0; w < info.word_count; ++w) {
    auto& word = heap_->bitmap(segment).words[w];
    // acquire: pairs with the release of whoever freed these blocks; their last use is over.
    const std::uint64_t free = ~word.load(std::memory_order_acquire) & format::used_bits(info, w);
    if (static_cast<std::uint32_t>(std::popcount(free)) < room_min) continue;
    // The mask is stored before the bits are set: killed in between, an adopter clears bits that are clear anyway, and
    // nobody else can have taken them, for the segment is still this line's.
    own_[size_class].place = AllocatorSlot::make_place(segment, w);
    own_[size_class].word_start = format::segment_start(segment).value + std::uint64_t{w} * 64 * info.block_size;
    own_[size_class].cursor = segment;
    slot.place.store(own_[size_class].place, std::memory_order_release);
    slot.mask.store(free, std::memory_order_release);
    step(Step::claim_mask_stored);
    word.fetch_or(free, std::memory_order_acq_rel);
    step(Step::claim_bits_taken);
    return true;
  }
  return false;
}

bool Allocator::try_segment(SegmentIndex segment, SizeClass size_class) {
  if (!heap_->try_own(segment, me_)) return false;
  step(Step::claim_owner_won);
  auto& class_word = heap_->descriptor(segment).class_word;
  const ClassWord now{class_word.load(std::memory_order_acquire)};
  if (now.size_class() != size_class) {
    // H4: an empty segment may change its class, as a whole, by its owner. Those of commit blocks never do.
    if (now.size_class() > format::class_last || !heap_->is_vacant(segment) || !heap_->was_usable()) {
      heap_->disown(segment);
      return false;
    }
    // The first word of any block of class_commit is read as a commit number at any time: it must be none. Of what was never
    // used the pages are made at once.
    const bool needs_zeroes = size_class == format::class_commit || now.word == 0;
    if (needs_zeroes && !heap_->write(format::segment_start(segment), zeroes).ok()) {
      heap_->disown(segment);
      return false;
    }
    class_word.store(now.changed_to(size_class, 0).word, std::memory_order_release);
  }
  if (take_word(segment, size_class, 1)) return true;
  heap_->disown(segment);
  return false;
}

Result<void> Allocator::acquire_segment(SizeClass size_class) {
  for (;;) {
    SegmentIndex cursor = own_[size_class].cursor;
    while (auto hinted = heap_->take_hint(size_class, cursor)) {
      if (try_ordinary(*hinted, size_class)) return {};
      cursor = hinted->next();
    }
    while (auto hinted = heap_->take_hint(format::class_empty, cursor)) {
      if (try_ordinary(*hinted, size_class)) return {};
      cursor = hinted->next();
    }
    const std::uint64_t segments = heap_->segment_count();
    for (std::uint64_t i = 0; i < scan_budget && i < segments; ++i) {
      scan_cursor_ = SegmentIndex{(scan_cursor_.value + 1) % segments};
      if (format::describes_region(scan_cursor_)) continue;
      const ClassWord now{heap_->descriptor(scan_cursor_).class_word.load(std::memory_order_relaxed)};
      if (now.size_class() != size_class &&
          (now.size_class() > format::class_last || !heap_->is_vacant(scan_cursor_))) {
        continue;
      }
      if (try_ordinary(scan_cursor_, size_class)) return {};
    }
    Result<void> grown = heap_->grow(1);
    if (grown.ok()) {
      exhausted_ = 0;
      continue;
    }
    if (grown.code() != Code::no_space) return grown;
    // What removes asks for many blocks of many classes, and has other ways: it does not look at everything for each of them.
    const bool looks = !may_use_reserve_ || ((exhausted_ >> size_class) & 1) == 0;
    if (looks && scan_all(size_class)) return {};
    if (may_use_reserve_ && acquire_reserve(size_class, false)) return {};
    return grown;
  }
}

// Where the file cannot be made longer: whatever has room, hinted or not. From where the last block of the class was found, so
// that one look at all finds all.
bool Allocator::scan_all(SizeClass size_class) {
  ++look_count_;
  const std::uint64_t segments = heap_->reserve_begin();
  const std::uint64_t start = own_[size_class].cursor.value;
  for (std::uint64_t i = 0; i < segments; ++i) {
    const SegmentIndex segment{(start + i) % segments};
    if (format::describes_region(segment)) continue;
    const ClassWord now{heap_->descriptor(segment).class_word.load(std::memory_order_relaxed)};
    const bool may_become = now.size_class() <= format::class_last && heap_->is_vacant(segment);
    if ((now.size_class() != size_class && !may_become) || !try_segment(segment, size_class)) continue;
    exhausted_ &= ~(std::uint64_t{1} << size_class);
    return true;
  }
  exhausted_ |= std::uint64_t{1} << size_class;
  return false;
}

// A segment that was left in this build with few blocks in a word: its own line cannot win it again.
bool Allocator::take_kept(SizeClass size_class) {
  for (auto segment = kept_.begin(); segment != kept_.end(); ++segment) {
    const ClassWord now{heap_->descriptor(*segment).class_word.load(std::memory_order_relaxed)};
    if (now.size_class() != size_class || !take_word(*segment, size_class, 1)) continue;
    kept_.erase(segment);
    return true;
  }
  return false;
}

// A segment of the reserve that has blocks of this class already, or a vacant one.
bool Allocator::acquire_reserve(SizeClass size_class, bool vacant) {
  const std::uint64_t segments = heap_->segment_count();
  for (std::uint64_t i = heap_->reserve_begin(); i < segments; ++i) {
    const SegmentIndex segment{i};
    if (format::describes_region(segment)) continue;
    const ClassWord now{heap_->descriptor(segment).class_word.load(std::memory_order_relaxed)};
    if (now.size_class() != size_class && !vacant) continue;
    if (!try_segment(segment, size_class)) continue;
    uses_reserve_ = true;
    return true;
  }
  return false;
}

// No segment has a block of this class, and the file cannot be made longer. What removes makes blocks smaller, so that it needs
// other classes than those of what it frees: there may be much room in blocks that are too large. Vacant segments of the
// reserve come last, since there are few of them and what one becomes it stays for long.
Result<Offset> Allocator::allocate_last(SizeClass& size_class, CommitNumber birth, Error why_not) {
  if (take_kept(size_class)) return allocate_masked(size_class, birth);
  if (size_class != format::class_commit) {
    const SizeClass larger = acquire_larger(size_class);
    if (larger != format::class_empty) {
      size_class = larger;
      return allocate_masked(size_class, birth);
    }
  }
  if (acquire_reserve(size_class, true)) return allocate_masked(size_class, birth);
  // What was freed since all was looked at, and has no hint: seldom anything.
  if (scan_all(size_class)) return allocate_masked(size_class, birth);
  return why_not;
}

// The smallest larger class of which a block is free, which is then in this line's mask; class_empty if there is none. A look at
// every segment serves for as many blocks as it finds.
SizeClass Allocator::acquire_larger(SizeClass size_class) {
  const SizeClass hinted = acquire_hinted_larger(size_class);
  if (hinted != format::class_empty || !hint_larger(size_class)) return hinted;
  return acquire_hinted_larger(size_class);
}

SizeClass Allocator::acquire_hinted_larger(SizeClass size_class) {
  for (auto larger = static_cast<SizeClass>(size_class + 1); larger <= format::class_last; ++larger) {
    if (!can_stand_for(larger, size_class)) continue;
    if (line_->allocator[larger].mask.load(std::memory_order_relaxed) != 0) return larger;
    if (own_[larger].place != 0) leave_segment(larger);
    if (take_kept(larger)) return larger;
    SegmentIndex cursor = own_[larger].cursor;
    while (auto hinted = heap_->take_hint(larger, cursor)) {
      cursor = hinted->next();
      const ClassWord now{heap_->descriptor(*hinted).class_word.load(std::memory_order_relaxed)};
      if (now.size_class() != larger) continue;
      if (!try_segment(*hinted, larger)) continue;
      if (hinted->value >= heap_->reserve_begin()) uses_reserve_ = true;
      return larger;
    }
  }
  return format::class_empty;
}

// Hints all segments of larger classes that have room, however little. False: there are none.
bool Allocator::hint_larger(SizeClass size_class) {
  ++look_count_;
  bool has_found = false;
  const std::uint64_t segments = heap_->segment_count();
  for (std::uint64_t i = 0; i < segments; ++i) {
    const SegmentIndex segment{i};
    if (format::describes_region(segment)) continue;
    const format::SegmentDescriptor& descriptor = heap_->descriptor(segment);
    const unsigned now = ClassWord{descriptor.class_word.load(std::memory_order_relaxed)}.size_class();
    if (now <= size_class || now > format::class_last) continue;
    if (!can_stand_for(static_cast<SizeClass>(now), size_class)) continue;
    if (!heap_->has_room(segment, static_cast<SizeClass>(now))) continue;
    if (heap_->is_live_owner(format::OwnerWord{descriptor.owner.load(std::memory_order_relaxed)})) continue;
    heap_->hint(segment, now);
    has_found = true;
  }
  return has_found;
}

void Allocator::leave_reserve() {
  const std::uint64_t begin = heap_->reserve_begin();
  for (unsigned size_class = format::class_first; size_class < format::class_run; ++size_class) {
    const std::uint64_t place = own_[size_class].place;
    if (place != 0 && AllocatorSlot::place_segment(place).value >= begin)
      return_mask(static_cast<SizeClass>(size_class));
  }
  uses_reserve_ = false;
  // The next operation may need the very segments that were given back: nothing is built any more that they are kept for.
  DCHECK(build_count_ == 0);
  give_up_kept();
}

Result<void> Allocator::refill(SizeClass size_class) {
  const std::uint64_t place = own_[size_class].place;
  if (place != 0) {
    const SegmentIndex segment = AllocatorSlot::place_segment(place);
    if (take_word(segment, size_class, size_classes[size_class].room_min)) return {};
    leave_segment(size_class);
  }
  return acquire_segment(size_class);
}

void Allocator::leave_segment(SizeClass size_class) {
  Own& own = own_[size_class];
  kept_.push_back(AllocatorSlot::place_segment(own.place));
  own.place = 0;
  line_->allocator[size_class].place.store(0, std::memory_order_release);
}

void Allocator::give_up_kept() {
  for (const SegmentIndex segment : kept_) {
    heap_->hint_room(segment);
    heap_->disown(segment);
    step(Step::claim_released);
  }
  kept_.clear();
}

Result<Offset> Allocator::allocate_run(ByteCount size, CommitNumber birth, std::span<const std::byte> end) {
  const std::uint64_t length = format::run_length_for(size);
  DCHECK(length <= format::run_segments_max);
  UTAN_ASSIGN(const SegmentIndex first, acquire_run(length));
  for (std::uint64_t i = 0; i < length; ++i) kept_.push_back(SegmentIndex{first.value + i});
  const Offset block = format::segment_start(first);
  // Before anything else of it is touched: a file system makes larger pages for what is written at once.
  if (!end.empty()) UTAN_TRY(heap_->write(Offset{block.value + size.value - end.size()}, end));
  // Recorded before it is described: killed in between, an adopter finds no run there, and the segments are free again
  // when the line's generation moves on.
  hand_out(block, birth, format::class_run);
  heap_->describe_run(first, length);
  return block;
}

Result<SegmentIndex> Allocator::acquire_run(std::uint64_t length) {
  for (int attempt = 0; attempt < 8; ++attempt) {
    std::optional<SegmentIndex> first = heap_->acquire_run(length, me_, run_cursor_);
    if (!first && hint_empty()) first = heap_->acquire_run(length, me_, run_cursor_);
    if (first) return *first;
    UTAN_TRY(heap_->grow(length));
  }
  return Error(Code::no_space, "no room for a value of " + std::to_string(length) + " segments in a row");
}

// Finds hints that were lost to a kill: looks at a part of the file, at another one each time. False: there were none.
bool Allocator::hint_empty() {
  const std::uint64_t segments = heap_->reserve_begin();
  bool has_found = false;
  for (std::uint64_t i = 0; i < run_scan_budget && i < segments; ++i) {
    scan_cursor_ = SegmentIndex{(scan_cursor_.value + 1) % segments};
    if (format::describes_region(scan_cursor_)) continue;
    const ClassWord now{heap_->descriptor(scan_cursor_).class_word.load(std::memory_order_relaxed)};
    if (now.size_class() > format::class_last || !heap_->is_vacant(scan_cursor_)) continue;
    has_found = heap_->hint(scan_cursor_, format::class_empty) || has_found;
  }
  return has_found;
}

bool Allocator::free_run(Offset block, SegmentIndex segment, unsigned size_class) {
  if (size_class != format::class_run || block != format::segment_start(segment)) return false;
  if constexpr (debug_build) heap_->at<format::BlockHeader>(block)->kind = format::Kind::freed;
  if (!heap_->free_run(segment)) return false;
  // What was freed last is used first: it is still near the processor, and nothing else of the file has to be.
  run_cursor_ = std::min(run_cursor_, segment);
  return true;
}

// The stash is full: the block goes back into the mask, or its bit is cleared.
bool Allocator::free_masked(Offset block, SizeClass size_class, std::uint64_t index) {
  const SegmentIndex segment = format::segment_of(block);
  if (own_[size_class].place != AllocatorSlot::make_place(segment, static_cast<unsigned>(index / 64))) {
    return heap_->free_bit(block);
  }
  auto& mask = line_->allocator[size_class].mask;
  mask.store(mask.load(std::memory_order_relaxed) | (std::uint64_t{1} << (index % 64)), std::memory_order_release);
  return true;
}

// R5. A commit block keeps its first word: it is read as a number even when it is free.
void Allocator::fill_freed(Offset block, SizeClass size_class) const {
  const std::uint64_t keep = size_class == format::class_commit ? 8 : 0;
  std::memset(heap_->at<std::byte>(block) + keep, format::freed_pattern, size_classes[size_class].block_size - keep);
}

void Allocator::return_mask(SizeClass size_class) {
  Own& own = own_[size_class];
  if (own.place == 0) return;
  AllocatorSlot& slot = line_->allocator[size_class];
  const SegmentIndex segment = AllocatorSlot::place_segment(own.place);
  const std::uint64_t mask = slot.mask.load(std::memory_order_relaxed);
  heap_->bitmap(segment).words[AllocatorSlot::place_word(own.place)].fetch_and(~mask, std::memory_order_acq_rel);
  slot.mask.store(0, std::memory_order_release);
  slot.place.store(0, std::memory_order_release);
  own.place = 0;
  kept_.push_back(segment);
}

void Allocator::return_stash(SizeClass size_class) {
  auto& stashed = line_->allocator[size_class].stashed;
  for (std::uint64_t rest = stashed.load(std::memory_order_relaxed); rest != 0; --rest) {
    const Offset block{line_->stash[format::stash_starts[size_class] + rest - 1].load(std::memory_order_relaxed)};
    // It leaves the stash before its bit is cleared and others may take it: killed in between, it leaks.
    stashed.store(rest - 1, std::memory_order_release);
    heap_->free_bit(block);
  }
}

void Allocator::release_all() {
  for (unsigned size_class = format::class_first; size_class < format::class_run; ++size_class) {
    return_stash(static_cast<SizeClass>(size_class));
    return_mask(static_cast<SizeClass>(size_class));
  }
  end_build();
}

}  // namespace utan::heap
