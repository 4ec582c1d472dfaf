// A thread's part in a session: its line, its pins, its allocator, its commits.
//
// Reading: `pin` (C1), follow offsets through the pinned commit's view, `unpin`. Writing: `commit` runs an operation on
// the newest commit and publishes the result with one compare-and-swap of head, again and again until it is in (C3).
// Thread safety: a Thread is used by one thread at a time, except `unpin_extra`. Process safety: docs/CONCURRENCY.md.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <vector>

#include "base/result.h"
#include "base/step.h"
#include "base/types.h"
#include "commit/reclaim.h"
#include "commit/session.h"
#include "format/nodes.h"
#include "heap/allocator.h"
#include "heap/build.h"
#include "heap/view.h"
#include "tree/object_table.h"

namespace utan::commit {

// A commit that is pinned: all that can be reached from it stays as it is.
struct Pinned {
  const format::CommitBlock* block = nullptr;
  format::HeadWord head;
  heap::View view;
  CommitNumber number() const { return view.number(); }
  tree::ObjectTable objects() const { return {Offset{block->object_table_root}, block->object_table_depth}; }
};

// What a commit changes of the store as a whole.
struct Draft {
  tree::ObjectTable objects;
  std::uint64_t object_index_high = 0;
  std::uint64_t container_count = 0;
};

// What a thread's operations on containers leave for later ones. Private to the process: what is here when it dies is
// found by whoever looks at the object table.
struct Leftovers {
  struct Orphan {
    format::ObjectId id;
    std::uint64_t unlinked;  // the number of the commit since which nobody names it
    bool begun = false;      // this thread has taken out a part of it
  };
  std::vector<format::ObjectId> free_ids;  // for new containers
  std::vector<Orphan> orphans;
  std::size_t orphans_due = 0;       // with so many it is time to see which of them can be removed
  std::uint32_t orphans_writes = 0;  // of this thread since it looked at them
  bool orphans_are_ready = false;    // some could be removed when it did, and were more than one write should remove
};

class Thread {
 public:
  Thread(Session& session, std::uint64_t line_index);

  // --- Pins
  // ----------------------------------------------------------------------------------------------------------- Which
  // pin a caller holds: 0 and 1 are the line's two own, then its extra ones.
  static constexpr unsigned own_pin_count = 2;

  // Pins the newest commit in a free pin of this thread. Lock-free; never waits, no system call.
  Result<unsigned> pin(Pinned& out) {
    const unsigned free = std::countr_one(used_pins_);
    if (free < own_pin_count) [[likely]] {
      used_pins_ |= 1u << free;
      if (!pin_slot(line_->pins[free], out)) [[unlikely]] {
        used_pins_ &= ~(1u << free);
        return damaged_head();
      }
      return free;
    }
    return pin_beyond(out);
  }
  void unpin(unsigned pin) {
    if (pin < own_pin_count) [[likely]] {
      // release: what was read under the pin comes before; pairs with the scan in Horizon.
      line_->pins[pin].number.store(format::pin_free, std::memory_order_release);
      used_pins_ &= ~(1u << pin);
      return;
    }
    unpin_extra(pin - own_pin_count);
  }

  // The same in the first place alone, if that is free and head does not change meanwhile: what nearly every read finds.
  // `unpin(0)` ends it. The view, which sees what that commit sees, and its block; null: use `pin`.
  [[gnu::always_inline]] const format::CommitBlock* pin_quickly(heap::View& view) {
    if ((used_pins_ & 1) != 0) [[unlikely]]
      return nullptr;
    const format::HeadWord head{fixed_->head.load(std::memory_order_acquire)};
    step(Step::pin_head_read);
    if (!heap_->shows(head.block(), sizeof(format::CommitBlock))) [[unlikely]]
      return nullptr;
    const auto* block = heap_->at<format::CommitBlock>(head.block());
    const std::uint64_t number = format::load_commit_number(block);
    if (!try_pin(line_->pins[0], head, block, number)) [[unlikely]]
      return nullptr;
    used_pins_ |= 1;
    view = heap_->view(CommitNumber{number});
    return block;
  }

  // The object table of a commit that is pinned, with what this thread knows of it.
  tree::ObjectTable objects_of(const format::CommitBlock* block, CommitNumber number) const {
    return {Offset{block->object_table_root}, block->object_table_depth,
            number == known_in_ ? known_ : tree::ObjectTable::Known{}};
  }
  // A container's entry was found in that commit.
  void know(CommitNumber number, tree::ObjectTable::Known known) {
    known_in_ = number;
    known_ = known;
  }

  // Extra pins, for snapshots and iterators; `unpin_extra` may be called by any thread. claim_extra: -1 if all are
  // used.
  int claim_extra();
  Result<void> pin_extra(unsigned index, Pinned& out) {
    if (!pin_slot(extra(index), out)) [[unlikely]]
      return damaged_head();
    return {};
  }
  // Pins in `index` the commit that another pin already holds, which it must go on holding until this returns.
  void unpin_extra(unsigned index);

  // --- Commits
  // -------------------------------------------------------------------------------------------------------- Runs
  // `operation(build, pinned, draft)` -> Result<bool> on the newest commit and publishes what it built. False from it:
  // there is nothing to change. It is run again, on a newer commit, whenever another commit came first; what it made
  // before calling build.keep_made() is then still there. Answers what the operation answered.
  // What removes has the reserve of a full disk, too.
  template <class Operation>
  Result<bool> commit(heap::Room room, Operation&& operation) {
    UTAN_TRY(session_->prepare_writing());
    const heap::Allocator::Using use(allocator_, room);
    for (bool first = true;; first = false) {
      Pinned base;
      // Where memory for something else than blocks runs out, nothing of the build may be left behind.
      Unwinding unwinding{this, no_pin};
      Result<unsigned> pinned = pin(base);
      if (!pinned.ok()) [[unlikely]]
        return std::move(pinned).error();
      const unsigned pin_index = pinned.value();
      unwinding.pin_index = pin_index;
      const CommitNumber number{std::max(base.number().value + 1, number_floor_)};
      if (first) {
        build_.begin(base.view, number);
        step(Step::build_started);
      } else {
        build_.rebase(base.view, number);
      }
      Draft draft{objects_of(base.block, base.number()), base.block->object_index_high, base.block->container_count};
      Result<bool> changed = operation(build_, base, draft);
      if (!changed.ok() || !changed.value()) {
        build_.discard();
        unwinding.thread = nullptr;
        unpin(pin_index);
        // What was looked at may have been zeroes.
        if (!session_->was_usable()) [[unlikely]]
          return session_->lost();
        return changed;
      }
      Result<bool> won = publish(base, draft);
      unwinding.thread = nullptr;
      unpin(pin_index);
      if (!won.ok()) return won;
      if (won.value()) {
        know(build_.number(), draft.objects.known);
        if (++commits_since_drain_ >= drain_interval_) after_commits();
        return true;
      }
    }
  }

  // Frees what can be freed now. Takes no lock.
  void reclaim();

  Leftovers& leftovers() { return leftovers_; }
  // Reads all pins now.
  const Horizon& scan_pins() {
    horizon_.scan(*heap_);
    return horizon_;
  }
  // As of the last scan.
  const Horizon& horizon() const { return horizon_; }
  // Is there something of its commits that is not free yet?
  bool has_replaced() const { return !reclaimer_.empty(); }
  // The number of the commit that this thread's last successful `commit` published.
  CommitNumber last_number() const { return build_.number(); }
  Session& session() const { return *session_; }
  std::uint64_t hash_seed() const { return hash_seed_; }
  // Gives the line back: masks and segments returned, pins cleared. What is in its queue stays there.
  // `horizon`: of a scan since the last commit of this thread.
  void give_up(const Horizon& horizon);

 private:
  friend class Session;

  format::PinSlot& extra(unsigned index) {
    return line_->extra_pins[index / format::pins_per_line].pins[index % format::pins_per_line];
  }

  void clear_pins();

  // C1. False: damaged_head() says why.
  bool pin_slot(format::PinSlot& slot, Pinned& out) {
    for (int tries = 0; tries < pin_tries_max; ++tries) {
      // acquire: pairs with the compare-and-swap that published it; the commit block is whole.
      const format::HeadWord head{fixed_->head.load(std::memory_order_acquire)};
      step(Step::pin_head_read);
      if (!heap_->shows(head.block(), sizeof(format::CommitBlock))) [[unlikely]] {
        if (!heap_->is_outgrown() || !heap_->catch_up().ok()) return false;
        continue;
      }
      const auto* block = heap_->at<format::CommitBlock>(head.block());
      const std::uint64_t number = format::load_commit_number(block);
      if (!try_pin(slot, head, block, number)) [[unlikely]]
        continue;
      // The file was made longer before anything in its new part was committed: looked at now, its size covers this commit.
      if (heap_->is_outgrown() && !heap_->catch_up().ok()) [[unlikely]] {
        slot.number.store(format::pin_free, std::memory_order_release);
        return false;
      }
      out.block = block;
      out.head = head;
      out.view = heap_->view(CommitNumber{number});
      return true;
    }
    return pin_open_first(slot, out);
  }

  [[gnu::always_inline]] bool try_pin(format::PinSlot& slot, format::HeadWord head, const format::CommitBlock* block,
                                      std::uint64_t number) {
    if (!head.matches(number) || number == 0) [[unlikely]]
      return false;
    slot.offset.store(head.block().value, std::memory_order_relaxed);  // for the collector; checked against the number
    step(Step::pin_offset_stored);
    // seq_cst exchange, then seq_cst load of head: either a scan that comes after a newer commit sees this pin, or this
    // load sees the newer commit.
    slot.number.exchange(number, std::memory_order_seq_cst);
    step(Step::pin_number_stored);
    if (fixed_->head.load(std::memory_order_seq_cst) != head.word || format::load_commit_number(block) != number)
        [[unlikely]] {
      slot.number.store(format::pin_free, std::memory_order_release);
      return false;
    }
    step(Step::pin_validated);
    return true;
  }

  // Gives up the build under way when an exception ends the operation.
  struct Unwinding {
    Thread* thread;
    unsigned pin_index;
    ~Unwinding() {
      if (thread == nullptr) [[likely]]
        return;
      thread->build_.discard();
      if (pin_index != no_pin) thread->unpin(pin_index);
    }
  };

  void after_commits() noexcept;
  bool pin_open_first(format::PinSlot& slot, Pinned& out);
  Result<unsigned> pin_beyond(Pinned& out);
  Error damaged_head();
  Result<bool> publish(const Pinned& base, const Draft& draft);
  Result<void> list_replaced(format::CommitBlock* block);

  static constexpr int pin_tries_max = 64;
  static constexpr unsigned no_pin = ~0u;

  Session* session_;
  const heap::Heap* heap_;
  format::CoordinationFixed* fixed_;
  std::uint64_t hash_seed_;
  format::Line* line_;
  std::uint64_t number_floor_;
  CommitNumber opening_number_;
  heap::Allocator allocator_;
  heap::Build build_;
  Reclaimer reclaimer_;
  Horizon horizon_;
  unsigned used_pins_ = 0;
  std::atomic<std::uint32_t> extra_used_{0};
  // A number is that of one commit, and while it is pinned again its entries are where they were.
  CommitNumber known_in_;
  tree::ObjectTable::Known known_;
  Leftovers leftovers_;
  std::uint64_t commits_since_drain_ = 0;
  std::uint64_t drain_interval_ = 16;
  bool in_use_ = false;  // by a thread; under the session's mutex
};

}  // namespace utan::commit
