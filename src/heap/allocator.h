// A thread's way to hand out and free blocks: a handful of plain stores each.
//
// An Allocator works on one line of the coordination file. What the line frees goes to its stash, a short stack per size
// class, and is handed out again from there first: it is still in the processor's cache, and no bit changes (H7). For
// the rest the line owns at most one segment per class, and of it one bitmap word whose free blocks it has taken into
// its mask (H2). What is handed out for the build under way is recorded in the line, so that an adopter can free the
// build of one who was killed.
//
// Thread safety: used by the line's thread alone. Process safety: others free blocks of the same segments at any time.
// Ownership: refers to Heap and line, which must outlive it.
#pragma once

#include <array>
#include <bit>
#include <cstdint>
#include <span>
#include <vector>

#include "base/check.h"
#include "base/fetch.h"
#include "base/result.h"
#include "base/step.h"
#include "base/types.h"
#include "format/block.h"
#include "format/coordination.h"
#include "heap/heap.h"

namespace utan::heap {

class Allocator {
 public:
  // The line must be claimed and its allocator slots empty.
  Allocator(const Heap& heap, format::Line& line, std::uint64_t line_index, std::uint64_t line_generation);

  // A block of `size` bytes, header included, stamped with `birth`; its other bytes are undefined. O(1), amortized.
  Result<Offset> allocate(ByteCount size, CommitNumber birth) {
    format::SizeClass size_class = format::class_for(size);
    const Offset block = allocate_stashed(size_class, birth);
    if (block) [[likely]]
      return block;
    return allocate_anew(size_class, size, birth);
  }
  // The same in two steps, for callers in a hurry: 0 if the stash has no block of this class.
  [[gnu::always_inline]] Offset allocate_stashed(format::SizeClass size_class, CommitNumber birth) {
    auto& slot = line_->allocator[size_class].stashed;
    // relaxed: written by this thread alone; others read it only after this process has died.
    const std::uint64_t stashed = slot.load(std::memory_order_relaxed);
    // A stashed block may lie in anybody's segment, so that only its record protects it: none is taken beyond those.
    if (stashed == 0 || build_count_ >= format::build_recorded_max) [[unlikely]]
      return Offset{};
    const Offset block{line_->stash[format::stash_starts[size_class] + stashed - 1].load(std::memory_order_relaxed)};
    hand_out(block, birth, size_class);
    // release: after the record, so that an adopter finds the block in the stash, in the record or in both.
    slot.store(stashed - 1, std::memory_order_release);
    step(Step::hand_out_stash_popped);
    return block;
  }
  // A run, with `end` stored at its end.
  Result<Offset> allocate_run(ByteCount size, CommitNumber birth, std::span<const std::byte> end = {});
  // Where the disk is full, what may use the reserve may get a block of a larger class, which `size_class` is then.
  Result<Offset> allocate_anew(format::SizeClass& size_class, ByteCount size, CommitNumber birth) {
    if (size_class == format::class_run) return allocate_run(size, birth);
    Result<Offset> block = allocate_masked(size_class, birth);
    if (may_use_reserve_ && block.code() == Code::no_space) [[unlikely]]
      return allocate_last(size_class, birth, std::move(block).error());
    return block;
  }

  // Frees a block that this thread alone owns. False: there is no such block, the file is damaged; nothing was done.
  // That nobody freed it already is the caller's to know: the stash does not look at its bit.
  bool free(Offset block) { return Freeing(*this)(block); }

  // The same for many in a row: what does not change meanwhile is looked up once.
  class Freeing {
   public:
    explicit Freeing(Allocator& allocator) : Freeing(allocator, allocator.heap_->view(CommitNumber{})) {}

    [[gnu::always_inline]] bool operator()(Offset block) const {
      const std::uint64_t from = block.value - format::regions_offset;
      const SegmentIndex segment{from >> format::segment_shift};
      if (from >= size_ || format::describes_region(segment)) [[unlikely]]
        return false;
      const auto* descriptor =
          reinterpret_cast<const format::SegmentDescriptor*>(base_ + format::descriptor_offset(segment).value);
      const unsigned size_class =
          format::ClassWord{descriptor->class_word.load(std::memory_order_relaxed)}.size_class();
      if (!format::is_small_class(size_class)) [[unlikely]]
        return allocator_->free_run(block, segment, size_class);
      const auto& info = format::size_classes[size_class];
      const std::uint64_t distance = from & (format::segment_size - 1);
      const std::uint64_t index = (distance * info.reciprocal) >> 32;
      if (index * info.block_size != distance || index >= info.block_count) [[unlikely]]
        return false;
      if constexpr (debug_build) allocator_->fill_freed(block, static_cast<format::SizeClass>(size_class));
      auto& stashed = line_->allocator[size_class].stashed;
      const std::uint64_t count = stashed.load(std::memory_order_relaxed);
      const std::uint64_t place = format::stash_starts[size_class] + count;
      if (place >= format::stash_starts[size_class + 1]) [[unlikely]]
        return allocator_->free_masked(block, static_cast<format::SizeClass>(size_class), index);
      line_->stash[place].store(block.value, std::memory_order_relaxed);
      // release: killed before it, the block leaks.
      stashed.store(count + 1, std::memory_order_release);
      step(Step::stash_pushed);
      return true;
    }

   private:
    Freeing(Allocator& allocator, const View& file)
        : allocator_(&allocator),
          line_(allocator.line_),
          base_(file.base()),
          size_(file.size().value - format::regions_offset) {}

    Allocator* allocator_;
    format::Line* line_;
    std::byte* base_;
    std::uint64_t size_;  // of the regions, in bytes
  };

  // The blocks of the build under way, in the order in which they were handed out.
  std::uint64_t built_count() const { return build_count_; }
  Offset built(std::uint64_t index) const {
    return index < format::build_recorded_max ? Offset{line_->build[index].load(std::memory_order_relaxed)}
                                              : far_built_[index - format::build_recorded_max];
  }
  // The build under way is over, committed or undone: what it handed out is no longer recorded, and segments that were
  // kept for it are given up.
  void end_build() {
    truncate_build(0);
    if (!kept_.empty()) [[unlikely]]
      give_up_kept();
  }
  // Only the first `count` blocks of the build under way remain; the others have been freed.
  void truncate_build(std::uint64_t count) {
    build_count_ = count;
    if (!far_built_.empty()) [[unlikely]]
      far_built_.resize(count > format::build_recorded_max ? count - format::build_recorded_max : 0);
    line_->build_count.store(count, std::memory_order_release);
  }

  // Gives back every mask and segment. The line can then be given up.
  void release_all();

  const Heap& heap() const { return *heap_; }
  // How often all segments were looked at, as they may be where the disk is full.
  std::uint64_t look_count() const { return look_count_; }

  // While it lives, the reserve may be used, if `room` says so. What was taken of it and not used goes back at the end.
  class Using {
   public:
    Using(Allocator& allocator, Room room) : allocator_(&allocator) {
      allocator_->may_use_reserve_ = room == Room::reserve;
    }
    ~Using() {
      if (allocator_->uses_reserve_) [[unlikely]]
        allocator_->leave_reserve();
      allocator_->may_use_reserve_ = false;
    }
    Using(const Using&) = delete;
    Using& operator=(const Using&) = delete;

   private:
    Allocator* allocator_;
  };

 private:
  struct Own {
    std::uint64_t word_start = 0;  // offset of the block of bit 0 of the word that the slot's mask stands for
    std::uint64_t place = 0;       // as in the slot
    SegmentIndex cursor;           // where to look for the next segment
  };

  Result<Offset> allocate_masked(format::SizeClass size_class, CommitNumber birth);
  void give_up_kept();

  void prefetch(std::uint64_t word_start, std::uint64_t mask, std::uint64_t block_size) const {
    const auto next = static_cast<unsigned>(std::countr_zero(mask));
    const std::byte* at = heap_->base() + word_start + next * block_size;
    for (std::uint64_t i = 0; i < block_size && i < 4 * format::cache_line; i += format::cache_line) {
      fetch_line<FetchFor::writing>(at + i);
    }
  }

  [[gnu::always_inline]] void hand_out(Offset block, CommitNumber birth, format::SizeClass size_class) {
    auto* header = heap_->at<format::BlockHeader>(block);
    // Atomic, because the first word of a commit block is read by others even when it is free.
    std::atomic_ref<std::uint64_t>(header->birth).store(birth.value, std::memory_order_release);
    header->size_class = size_class;
    step(Step::hand_out_stamped);
    if (build_count_ < format::build_recorded_max) [[likely]] {
      line_->build[build_count_].store(block.value, std::memory_order_release);
    } else {
      far_built_.push_back(block);
    }
    ++build_count_;
    line_->build_count.store(build_count_, std::memory_order_release);
    step(Step::hand_out_recorded);
  }

  Result<SegmentIndex> acquire_run(std::uint64_t length);
  bool hint_empty();
  bool free_run(Offset block, SegmentIndex segment, unsigned size_class);
  bool free_masked(Offset block, format::SizeClass size_class, std::uint64_t index);
  void fill_freed(Offset block, format::SizeClass size_class) const;
  Result<void> refill(format::SizeClass size_class);
  Result<void> acquire_segment(format::SizeClass size_class);
  bool try_segment(SegmentIndex segment, format::SizeClass size_class);
  bool try_ordinary(SegmentIndex segment, format::SizeClass size_class) {
    return segment.value < heap_->reserve_begin() && try_segment(segment, size_class);
  }
  bool scan_all(format::SizeClass size_class);
  bool take_kept(format::SizeClass size_class);
  Result<Offset> allocate_last(format::SizeClass& size_class, CommitNumber birth, Error why_not);
  format::SizeClass acquire_larger(format::SizeClass size_class);
  format::SizeClass acquire_hinted_larger(format::SizeClass size_class);
  bool hint_larger(format::SizeClass size_class);
  bool acquire_reserve(format::SizeClass size_class, bool vacant);
  void leave_reserve();
  bool take_word(SegmentIndex segment, format::SizeClass size_class, std::uint32_t room_min);
  void leave_segment(format::SizeClass size_class);
  void return_mask(format::SizeClass size_class);
  void return_stash(format::SizeClass size_class);

  const Heap* heap_;
  format::Line* line_;
  format::OwnerWord me_;
  std::uint64_t build_count_ = 0;
  std::vector<Offset> far_built_;  // those that the line has no room for
  std::array<Own, format::class_count> own_{};
  std::vector<SegmentIndex> kept_;  // owned, exhausted, with blocks of the build under way
  SegmentIndex scan_cursor_{0};
  // Before it there was no run that was long enough, but for what others have freed since.
  SegmentIndex run_cursor_{0};
  bool may_use_reserve_ = false;
  bool uses_reserve_ = false;
  // On a full disk: classes of which no segment had room when all were looked at, a bit each.
  std::uint64_t exhausted_ = 0;
  std::uint64_t look_count_ = 0;
};

}  // namespace utan::heap
