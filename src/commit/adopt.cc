// Taking over after the dead.
//
// A process is dead when its byte of the data file is not locked. Whoever gets that lock adopts: every line that the
// dead one owned is brought into a state in which anybody may take it. Every step may be repeated, because an adopter
// may die too: nothing that it frees can be handed out by others before the line's generation moves on, which comes
// last.
#include <algorithm>
#include <string>

#include "base/check.h"
#include "base/step.h"
#include "commit/reclaim.h"
#include "commit/session.h"
#include "commit/thread.h"

namespace utan::commit {

using format::AllocatorSlot;
using format::ChainWord;
using format::CommitBlock;
using format::HeadWord;
using format::Line;

namespace {

constexpr std::uint64_t adopt_interval_ns = 100'000'000;

// Returns what a dead line could have handed out: the bits of its masks.
void return_masks(const heap::Heap& heap, Line& line) {
  for (AllocatorSlot& slot : line.allocator) {
    const std::uint64_t place = slot.place.load(std::memory_order_acquire);
    const std::uint64_t mask = slot.mask.load(std::memory_order_acquire);
    if (place != 0 && mask != 0) {
      const SegmentIndex segment = AllocatorSlot::place_segment(place);
      if (segment.value < heap.segment_count() && !format::describes_region(segment)) {
        heap.bitmap(segment).words[AllocatorSlot::place_word(place)].fetch_and(~mask, std::memory_order_acq_rel);
        heap.hint_room(segment);
      }
    }
    slot.mask.store(0, std::memory_order_release);
    slot.place.store(0, std::memory_order_release);
  }
}

bool in_queue(const heap::Heap& heap, const Line& line, Offset block, Offset& tail) {
  tail = Offset{};
  Offset at = ChainWord{line.queue.load(std::memory_order_acquire)}.offset();
  std::uint64_t budget = heap.file_size().value / format::commit_block_size;
  for (const CommitBlock* commit; budget > 0 && (commit = queued_commit(heap, at)) != nullptr; --budget) {
    if (at == block) return true;
    tail = at;
    at = Offset{commit->owner_next};
  }
  return false;
}

// The commit that was about to be published when its writer died.
// Answers how many blocks are lost because nobody can say whether it was.
std::uint64_t resolve_pending(const heap::Heap& heap, Line& line, Offset pending) {
  const HeadWord head{heap.coordination().fixed().head.load(std::memory_order_seq_cst)};
  CommitBlock* const commit = queued_commit(heap, pending);
  if (commit == nullptr) return line.build_count.load(std::memory_order_relaxed) + 1;  // damage
  Offset tail;
  const bool queued = in_queue(heap, line, pending, tail);
  if (queued) return 0;
  if (head.block() != pending) {
    return line.build_count.load(std::memory_order_relaxed) + Reclaimer::remaining(heap, commit) + 1;
  }
  commit->owner_next = 0;
  if (tail) {
    heap.at<CommitBlock>(tail)->owner_next = pending.value;
  } else {
    line.queue.store(ChainWord::make(pending, 0).word, std::memory_order_release);
  }
  return 0;
}

// Frees a block of the dead line, which nobody else knows of.
void free_block(const heap::Heap& heap, Offset block) {
  if (block.value < format::regions_offset || block.value >= heap.file_size().value) return;
  if (format::describes_region(format::segment_of(block))) return;
  // A bit that is clear already was in the mask, too: it is freed once.
  if (!heap.free_bit(block)) heap.free_run(format::segment_of(block));
}

// A block that was being handed out from the stash is in the record, too: it stays in the stash alone.
void resolve_record(const heap::Heap& heap, Line& line) {
  const std::uint64_t count = std::min(line.build_count.load(std::memory_order_acquire), format::build_recorded_max);
  for (std::uint64_t i = 0; i < count; ++i) {
    const std::uint64_t block = line.build[i].load(std::memory_order_acquire);
    if (block < format::regions_offset || block >= heap.file_size().value) continue;
    for (unsigned c = format::class_first; c < format::class_run; ++c) {
      const std::uint64_t stashed =
          std::min(line.allocator[c].stashed.load(std::memory_order_acquire), format::stash_capacity(c));
      for (std::uint64_t j = 0; j < stashed; ++j) {
        if (line.stash[format::stash_starts[c] + j].load(std::memory_order_acquire) == block) {
          line.build[i].store(0, std::memory_order_release);
        }
      }
    }
  }
}

// A build that was not finished: its blocks are nobody's. Those that are not recorded are lost.
void free_build(const heap::Heap& heap, Line& line) {
  const std::uint64_t count = line.build_count.load(std::memory_order_acquire);
  if (count > format::build_recorded_max) {
    heap.coordination().fixed().leaked_count_max.fetch_add(count - format::build_recorded_max,
                                                           std::memory_order_relaxed);
  }
  for (std::uint64_t i = std::min(count, format::build_recorded_max); i > 0; --i) {
    const Offset block{line.build[i - 1].load(std::memory_order_acquire)};
    // Forgotten first: once it is free, others may take it, and the next adopter must not free it again.
    line.build_count.store(i - 1, std::memory_order_release);
    free_block(heap, block);
  }
  line.build_count.store(0, std::memory_order_release);
}

void free_stash(const heap::Heap& heap, Line& line) {
  for (unsigned c = format::class_first; c < format::class_run; ++c) {
    auto& stashed = line.allocator[c].stashed;
    for (std::uint64_t i = std::min(stashed.load(std::memory_order_acquire), format::stash_capacity(c)); i > 0; --i) {
      const Offset block{line.stash[format::stash_starts[c] + i - 1].load(std::memory_order_acquire)};
      stashed.store(i - 1, std::memory_order_release);
      free_block(heap, block);
    }
    stashed.store(0, std::memory_order_release);
  }
}

}  // namespace

void Session::adopt_line(std::uint64_t index) {
  Line& line = coordination_.line(index);
  // Counted before what they are read from is cleared: this adopter may die, too, and counting twice does no harm. At
  // most one entry was counted as done and not freed yet, which may be a list or a chunk; and at each adopter's death
  // one block more.
  auto& leaked = coordination_.fixed().leaked_count_max;
  leaked.fetch_add(2 + format::waiting_entries_max + format::list_entries_max, std::memory_order_relaxed);
  resolve_record(heap_, line);
  step(Step::adopt_record_resolved);
  return_masks(heap_, line);
  step(Step::adopt_masks_returned);
  const Offset pending{line.pending.load(std::memory_order_acquire)};
  if (pending) {
    leaked.fetch_add(resolve_pending(heap_, line, pending), std::memory_order_relaxed);
    line.build_count.store(0, std::memory_order_release);
    line.pending.store(0, std::memory_order_release);
  } else {
    free_build(heap_, line);
  }
  step(Step::adopt_build_freed);
  free_stash(heap_, line);
  step(Step::adopt_stash_freed);
  if (line.uncertain.load(std::memory_order_acquire) != 0) {
    // A chunk was being put on a common list or taken from it, with all that followed it there.
    Offset at{line.uncertain.load(std::memory_order_acquire)};
    std::uint64_t budget = heap_.file_size().value / format::waiting_chunk_size;
    std::uint64_t lost = 0;
    for (const format::WaitingChunk* chunk; budget > 0 && (chunk = waiting_chunk(heap_, at)) != nullptr; --budget) {
      lost += 1 + Reclaimer::waiting_in(heap_, chunk);
      at = Offset{chunk->next};
    }
    leaked.fetch_add(lost, std::memory_order_relaxed);
    line.uncertain.store(0, std::memory_order_release);
  }
  step(Step::adopt_queue_resolved);
  for (auto& pin : line.pins) pin.number.store(format::pin_free, std::memory_order_release);
  for (auto& extra : line.extra_pins) {
    for (auto& pin : extra.pins) pin.number.store(format::pin_free, std::memory_order_release);
  }
  line.role.store(static_cast<std::uint64_t>(format::LineRole::thread), std::memory_order_release);
  // Last: from here on its segments can be claimed, and the line can be taken, with the queue that it has.
  line.generation.fetch_add(1, std::memory_order_acq_rel);
  line.owner.store(0, std::memory_order_release);
  step(Step::adopt_line_cleared);
}

// The caller holds the lock of the entry's byte, exclusively.
void Session::adopt_entry(std::uint32_t index) {
  step(Step::adopt_byte_locked);
  format::ProcessEntry& entry = coordination_.entry(index);
  const std::uint64_t claim = entry.claim.load(std::memory_order_acquire);
  if ((claim & 1) == 0) return;
  // Looked at now, the size covers all that the dead have left. Where this process cannot look, it is left to others.
  if (!heap_.catch_up().ok()) return;
  const std::uint64_t lines = coordination_.fixed().line_high.load(std::memory_order_acquire);
  for (std::uint64_t i = 0; i < lines; ++i) {
    const format::OwnerOfLine owner{coordination_.line(i).owner.load(std::memory_order_acquire)};
    if (owner.word != 0 && owner.entry() == index) adopt_line(i);
  }
  coordination_.fixed().adopted_count.fetch_add(1, std::memory_order_relaxed);
  entry.claim.store(((claim >> 1) + 1) << 1, std::memory_order_release);
  step(Step::adopt_entry_cleared);
}

void Session::adopt_dead() {
  const std::lock_guard lock(mutex_);
  adopt_dead_locked();
}

// The caller holds the mutex, or is the last thread.
void Session::adopt_dead_locked() {
  if (read_only_) return;  // the lock of a byte for writing needs a descriptor for writing
  adopted_at_ns_.store(system_->monotonic_now().value, std::memory_order_relaxed);
  for (std::uint32_t i = 0; i < format::process_entry_count; ++i) {
    if (i == entry_ || (coordination_.entry(i).claim.load(std::memory_order_acquire) & 1) == 0) continue;
    const Result<bool> locked = data_file_->try_lock_byte(i, os::LockMode::exclusive);
    if (!locked.ok() || !locked.value()) continue;
    adopt_entry(i);
    data_file_->unlock_byte(i);
  }
}

void Session::adopt_dead_sometimes() {
  const std::uint64_t now = system_->monotonic_now().value;
  if (now - adopted_at_ns_.load(std::memory_order_relaxed) < adopt_interval_ns) return;
  adopt_dead();
}

}  // namespace utan::commit
