// A thread's way to hand out and free blocks: a handful of plain stores each.
//
// An Allocator works on one line of the coordination file. For each size class the line owns at most one segment, and
// of it one bitmap word whose free blocks it has taken into its mask; they are handed out from there (H2). What is
// handed out for the build under way is recorded in the line, so that an adopter can free the build of one who was
// killed.
//
// Thread safety: used by the line's thread alone. Process safety: others free blocks of the same segments at any time.
// Ownership: refers to Heap and line, which must outlive it.
#pragma once

#include <array>
#include <bit>
#include <cstdint>
#include <vector>

#include "base/check.h"
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
    const format::SizeClass size_class = format::class_for(size);
    if (size_class == format::class_run) [[unlikely]]
      return allocate_run(size, birth);
    return allocate_class(size_class, birth);
  }
  Result<Offset> allocate_commit_block(CommitNumber birth) { return allocate_class(format::class_commit, birth); }

  // Frees a block that this thread alone owns. False: there is no such block, the file is damaged; nothing was done.
  bool free(Offset block);

  // The build under way is over, committed or undone: what it handed out is no longer recorded, and segments that were
  // kept for it are given up.
  void end_build();
  // Only the first `count` blocks of the build under way remain; the others have been freed.
  void truncate_build(std::uint64_t count) {
    build_count_ = count;
    line_->build_count.store(count, std::memory_order_release);
  }

  // Gives back every mask and segment. The line can then be given up.
  void release_all();

  const Heap& heap() const { return *heap_; }
  format::OwnerWord owner() const { return me_; }

 private:
  struct Own {
    std::uint64_t word_start = 0;  // offset of the block of bit 0 of the word that the slot's mask stands for
    std::uint64_t place = 0;       // as in the slot
    SegmentIndex cursor;           // where to look for the next segment
  };

  Result<Offset> allocate_class(format::SizeClass size_class, CommitNumber birth) {
    format::AllocatorSlot& slot = line_->allocator[size_class];
    // relaxed: written by this thread alone; others read it only after this process has died.
    std::uint64_t mask = slot.mask.load(std::memory_order_relaxed);
    if (mask == 0) [[unlikely]] {
      UTAN_TRY(refill(size_class));
      mask = slot.mask.load(std::memory_order_relaxed);
    }
    const auto bit = static_cast<unsigned>(std::countr_zero(mask));
    const Offset block{own_[size_class].word_start + std::uint64_t{bit} * format::size_classes[size_class].block_size};
    hand_out(block, birth, size_class);
    // release: after the record of the hand-out, so that an adopter finds the block in the mask, in the record or in
    // both.
    const std::uint64_t rest = mask & (mask - 1);
    slot.mask.store(rest, std::memory_order_release);
    step(Step::hand_out_mask_stored);
    // The next block of this class is likely to be cold: its lines are fetched while this one is filled.
    if (rest != 0) [[likely]]
      prefetch(own_[size_class].word_start, rest, format::size_classes[size_class].block_size);
    return block;
  }

  void prefetch(std::uint64_t word_start, std::uint64_t mask, std::uint64_t block_size) const {
    const auto next = static_cast<unsigned>(std::countr_zero(mask));
    const std::byte* at = heap_->base() + word_start + next * block_size;
    for (std::uint64_t i = 0; i < block_size && i < 4 * format::cache_line; i += format::cache_line) {
      __builtin_prefetch(at + i, 1);
    }
  }

  void hand_out(Offset block, CommitNumber birth, format::SizeClass size_class) {
    auto* header = heap_->at<format::BlockHeader>(block);
    // Atomic, because the first word of a commit block is read by others even when it is free.
    std::atomic_ref<std::uint64_t>(header->birth).store(birth.value, std::memory_order_release);
    header->size_class = size_class;
    step(Step::hand_out_stamped);
    if (build_count_ < format::build_recorded_max) [[likely]] {
      line_->build[build_count_].store(block.value, std::memory_order_release);
    }
    ++build_count_;
    line_->build_count.store(build_count_, std::memory_order_release);
    step(Step::hand_out_recorded);
  }

  Result<Offset> allocate_run(ByteCount size, CommitNumber birth);
  Result<void> refill(format::SizeClass size_class);
  Result<void> acquire_segment(format::SizeClass size_class);
  bool try_segment(SegmentIndex segment, format::SizeClass size_class);
  bool take_word(SegmentIndex segment, format::SizeClass size_class, std::uint32_t room_min);
  void leave_segment(format::SizeClass size_class);
  void return_mask(format::SizeClass size_class);

  const Heap* heap_;
  format::Line* line_;
  format::OwnerWord me_;
  std::uint64_t build_count_ = 0;
  std::array<Own, format::class_count> own_{};
  std::vector<SegmentIndex> kept_;  // owned, exhausted, with blocks of the build under way
  SegmentIndex scan_cursor_{0};
};

}  // namespace utan::heap
