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

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <functional>
#include <optional>
#include <span>

#include "base/check.h"
#include "base/result.h"
#include "base/types.h"
#include "format/coordination.h"
#include "format/layout.h"
#include "format/size_class.h"
#include "heap/view.h"
#include "os/os.h"

namespace utan::heap {

// What one pass over the bitmaps finds.
struct Statistics {
  Count segments;
  Count empty_segments;
  ByteCount used;  // in blocks that are handed out
  ByteCount free;  // in blocks that can be
};

// May the last segments of the file be used, where it cannot be made longer? They are kept for what makes room.
enum class Room : std::uint8_t { ordinary, reserve };

// Who has mapped the file, and can map more of it than was reserved for it.
class Widener {
 public:
  virtual ~Widener() = default;
  // Calls Heap::show_at with a range of at least `needed` bytes. Code::no_space if there are no such addresses.
  virtual Result<void> widen(ByteCount needed) = 0;
  // The file was made shorter: no thread is to believe any more what it reads there.
  virtual void lose() = 0;
};

class Heap {
 public:
  Heap() = default;  // of no store
  Heap(const Heap&) = delete;
  Heap& operator=(const Heap&) = delete;

  // Before anybody uses it. `usable`: 0 when what is mapped is not the file any more (os::Mapping::watch); null: that is not
  // asked. `widener`: null if the store is not to outgrow what is reserved.
  void open(std::byte* base, ByteCount reserved, format::Coordination coordination, os::File& file,
            const std::atomic<std::uint64_t>* usable = nullptr, Widener* widener = nullptr);
  // The same file at other addresses, with more room behind it. The old ones stay as they are: what was found there goes on
  // being read, and written, there.
  void show_at(std::byte* base, ByteCount reserved) {
    base_.store(base, std::memory_order_relaxed);
    // release: whoever believes in the longer range, which is looked at first, uses its addresses.
    reserved_.store(reserved.value, std::memory_order_release);
  }

  // To be read after the size of what is looked at there.
  std::byte* base() const { return base_.load(std::memory_order_relaxed); }
  format::Coordination coordination() const { return coordination_; }
  template <class T>
  T* at(Offset offset) const {
    return reinterpret_cast<T*>(base() + offset.value);
  }
  // Everything below is allocated and mapped. Only grows. If the file has outgrown what is reserved: as much as is shown. What
  // a damaged coordination file says is not believed beyond that.
  ByteCount file_size() const {
    // acquire: pairs with the release in show_at.
    const std::uint64_t reserved = reserved_.load(std::memory_order_acquire);
    // acquire: pairs with the release of the compare-and-swap in grow().
    const std::uint64_t size = coordination_.fixed().file_size.load(std::memory_order_acquire);
    if (size - format::file_size_min <= reserved - format::file_size_min) [[likely]]
      return ByteCount{size};
    return ByteCount{size < format::file_size_min ? format::file_size_min : reserved};
  }
  // The file as commit `number` sees it.
  View view(CommitNumber number) const {
    const ByteCount size = file_size();
    return View(base(), size, number);
  }
  // Is there a block, whatever it is, of `size` bytes at the offset? For offsets that the coordination file names.
  bool shows(Offset offset, std::uint64_t size) const {
    return offset.value <= reserved_.load(std::memory_order_acquire) - size;
  }
  // Others have made the file longer than what this process sees of it.
  bool is_outgrown() const {
    const std::uint64_t size = coordination_.fixed().file_size.load(std::memory_order_acquire);
    return size > reserved_.load(std::memory_order_acquire) && size <= format::file_size_max;
  }
  // Sees all of it again.
  Result<void> catch_up() const;
  std::uint64_t segment_count() const { return format::segment_count(file_size()); }

  format::Bitmap& bitmap(SegmentIndex segment) const { return *at<format::Bitmap>(format::bitmap_offset(segment)); }
  format::SegmentDescriptor& descriptor(SegmentIndex segment) const {
    return *at<format::SegmentDescriptor>(format::descriptor_offset(segment));
  }

  // Bitmaps that are lost say that everything is free: nothing may be handed out by them. The fence: asked of what was read before
  // (Session::was_usable).
  bool was_usable() const {
    std::atomic_thread_fence(std::memory_order_acquire);
    return usable_ == nullptr || usable_->load(std::memory_order_relaxed) != 0;
  }

  // In debug builds: what was to be freed was there. Of a lost file the descriptors, too, are zeroes, which say that it was not.
  void expect_freed(bool freed) const { DCHECK_SOUND(freed || !was_usable()); }

  // H8. The segments from here on are the reserve: the last of the file, whatever its size is. As it grows they become
  // ordinary ones.
  std::uint64_t reserve_begin() const { return reserve_begin(segment_count()); }
  static std::uint64_t reserve_size(std::uint64_t segments) {
    return std::clamp(segments / reserve_divisor, reserve_min, reserve_max);
  }
  static std::uint64_t reserve_begin(std::uint64_t segments) {
    return segments - std::min(reserve_size(segments), segments);
  }

  // H1: one compare-and-swap of the owner word. False if somebody alive has it, or it may not be used at all.
  bool try_own(SegmentIndex segment, format::OwnerWord me) const;
  // Ends ownership. The caller must own the segment.
  void disown(SegmentIndex segment) const;
  bool is_live_owner(format::OwnerWord owner) const;
  // Are all bits of the segment's bitmap clear? Exact for its owner, a hint for others.
  bool is_vacant(SegmentIndex segment) const;

  // Has a segment of this class a free block? Likewise.
  bool has_room(SegmentIndex segment, format::SizeClass size_class) const;

  // Remembers that a segment has room for blocks of `size_class` (class_empty: for any). A hint, never trusted. False: that
  // was known.
  bool hint(SegmentIndex segment, unsigned size_class) const;
  // A segment at or after `cursor` (cyclically) that is hinted for the class; its hint is taken back.
  std::optional<SegmentIndex> take_hint(unsigned size_class, SegmentIndex cursor) const;
  // Sets the hints of a segment that its owner is about to give up, by what it has free.
  void hint_room(SegmentIndex segment) const;

  // Clears the bit of a block (H3). The caller alone owns the block. Answers false, and does nothing, if there is no
  // such block: then the file is damaged.
  bool free_bit(Offset block) const;

  // H6: wins `length` whole segments in a row for `me`, which are looked for from `cursor` on and then before it, and leads
  // the cursor behind them; nullopt: the file has to grow. describe_run makes them one block; free_run gives the block back
  // (the caller alone owns it; false if there is no run).
  std::optional<SegmentIndex> acquire_run(std::uint64_t length, format::OwnerWord me, SegmentIndex& cursor) const;
  void describe_run(SegmentIndex first, std::uint64_t length) const;
  bool free_run(SegmentIndex first) const;

  // From this many bytes on it is faster to have the system write them than to store them: the first store to each page of a
  // mapping, and the first one after each flush, costs more than copying the page.
  static constexpr std::uint64_t written_min = 16 * 1024;
  // Stores `bytes` in a run that is being made, or in a segment that has no blocks yet.
  Result<void> write(Offset to, std::span<const std::byte> bytes) const;

  // Code::corruption if somebody has made the file shorter than all believe.
  Result<void> expect_whole() const;

  // Makes the file longer, for at least `run_length` segments in a row. Code::no_space if it cannot.
  Result<void> grow(std::uint64_t run_length) const;

  Statistics statistics() const;

 private:
  // A thirty-second of the file, up to 1 MiB: what removes takes a few segments, one for each size of the blocks on its way.
  static constexpr std::uint64_t reserve_divisor = 32;
  static constexpr std::uint64_t reserve_min = 4;
  static constexpr std::uint64_t reserve_max = 64;

  Result<void> widen(ByteCount needed) const;
  Result<void> grow_to(std::uint64_t size, std::uint64_t end) const;
  bool own_run(SegmentIndex first, std::uint64_t length, format::OwnerWord me) const;
  // Between these segments.
  std::optional<SegmentIndex> find_run(std::uint64_t length, format::OwnerWord me, std::uint64_t begin,
                                       std::uint64_t end) const;
  // The hint that the segment is empty.
  void take_back_hint(SegmentIndex segment) const;

  std::atomic<std::byte*> base_{nullptr};
  std::atomic<std::uint64_t> reserved_{format::file_size_min};
  format::Coordination coordination_;
  os::File* file_ = nullptr;
  const std::atomic<std::uint64_t>* usable_ = nullptr;
  Widener* widener_ = nullptr;
};

}  // namespace utan::heap
