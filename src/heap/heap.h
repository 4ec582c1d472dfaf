// The heap of a store: segments, who owns them, where there is room, growth.
//
// One Heap per attachment, shared by its threads; each thread hands out blocks through its own Allocator
// (heap/allocator.h). Everything here is lock-free and safe between threads and processes; what a kill leaves at any
// instruction is argued in docs/CONCURRENCY.md under H1 to H6. Ownership: the Heap owns nothing; the mapping, the
// coordination and the file must outlive it.
//
// The allocator follows the idea of Michael, "Scalable Lock-Free Dynamic Memory Allocation" (PLDI 2004), section 3:
// blocks of one size in superblocks that threads own. It departs from it where blocks must survive their owner's death.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <optional>

#include "base/result.h"
#include "base/types.h"
#include "format/coordination.h"
#include "format/layout.h"
#include "format/size_class.h"
#include "os/os.h"

namespace utan::heap {

// What one pass over the bitmaps finds.
struct Statistics {
  Count segments;
  Count empty_segments;
  ByteCount used;  // in blocks that are handed out
  ByteCount free;  // in blocks that can be
};

class Heap {
 public:
  Heap() = default;  // of no store
  // `usable`: 0 when what is mapped is not the file any more (os::Mapping::watch); null: that is not asked.
  Heap(std::byte* base, ByteCount reserved, format::Coordination coordination, os::File& file,
       const std::atomic<std::uint64_t>* usable = nullptr)
      : base_(base), reserved_(reserved), coordination_(coordination), file_(&file), usable_(usable) {}

  std::byte* base() const { return base_; }
  format::Coordination coordination() const { return coordination_; }
  template <class T>
  T* at(Offset offset) const {
    return reinterpret_cast<T*>(base_ + offset.value);
  }
  // Everything below is allocated and mapped. Only grows. What a damaged coordination file says beyond that is not believed.
  ByteCount file_size() const {
    // acquire: pairs with the release of the compare-and-swap in grow().
    const std::uint64_t size = coordination_.fixed().file_size.load(std::memory_order_acquire);
    const bool possible = size - format::file_size_min <= reserved_.value - format::file_size_min;
    return ByteCount{possible ? size : format::file_size_min};
  }
  std::uint64_t segment_count() const { return format::segment_count(file_size()); }

  format::Bitmap& bitmap(SegmentIndex segment) const { return *at<format::Bitmap>(format::bitmap_offset(segment)); }
  format::SegmentDescriptor& descriptor(SegmentIndex segment) const {
    return *at<format::SegmentDescriptor>(format::descriptor_offset(segment));
  }

  // Bitmaps that are lost say that everything is free: nothing may be handed out by them.
  bool is_usable() const { return usable_ == nullptr || usable_->load(std::memory_order_relaxed) != 0; }

  // H1: one compare-and-swap of the owner word. False if somebody alive has it, or it may not be used at all.
  bool try_own(SegmentIndex segment, format::OwnerWord me) const;
  // Ends ownership. The caller must own the segment.
  void disown(SegmentIndex segment) const;
  bool is_live_owner(format::OwnerWord owner) const;
  // Are all bits of the segment's bitmap clear? Exact for its owner, a hint for others.
  bool is_vacant(SegmentIndex segment) const;

  // Remembers that a segment has room for blocks of `size_class` (class_empty: for any). A hint, never trusted.
  void hint(SegmentIndex segment, unsigned size_class) const;
  // A segment at or after `cursor` (cyclically) that is hinted for the class; its hint is taken back.
  std::optional<SegmentIndex> take_hint(unsigned size_class, SegmentIndex cursor) const;
  // Sets the hints of a segment that its owner is about to give up, by what it has free.
  void hint_room(SegmentIndex segment) const;

  // Clears the bit of a block (H3). The caller alone owns the block. Answers false, and does nothing, if there is no
  // such block: then the file is damaged.
  bool free_bit(Offset block) const;

  // H6: wins `length` whole segments in a row for `me`; describe_run makes them one block; free_run gives the block
  // back (the caller alone owns it; false if there is no run).
  Result<SegmentIndex> acquire_run(std::uint64_t length, format::OwnerWord me) const;
  void describe_run(SegmentIndex first, std::uint64_t length) const;
  bool free_run(SegmentIndex first) const;

  // Code::corruption if somebody has made the file shorter than all believe.
  Result<void> expect_whole() const;

  // Makes the file longer, for at least `run_length` segments in a row. Code::no_space if it cannot.
  Result<void> grow(std::uint64_t run_length) const;

  Statistics statistics() const;

 private:
  bool own_run(SegmentIndex first, std::uint64_t length, format::OwnerWord me) const;
  std::optional<SegmentIndex> find_run(std::uint64_t length, format::OwnerWord me) const;

  std::byte* base_ = nullptr;
  ByteCount reserved_;
  format::Coordination coordination_;
  os::File* file_ = nullptr;
  const std::atomic<std::uint64_t>* usable_ = nullptr;
};

}  // namespace utan::heap
