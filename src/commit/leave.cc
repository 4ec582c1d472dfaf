// Leaving a store, lines of threads, and what a session knows about its store.
#include <algorithm>
#include <new>
#include <string>

#include "base/check.h"
#include "base/step.h"
#include "commit/reclaim.h"
#include "commit/session.h"
#include "commit/thread.h"

namespace utan::commit {

using format::CommitBlock;
using format::HeadWord;
using format::Line;
using format::Marked;

// --- Lines -----------------------------------------------------------------------------------------------------------

namespace {

bool is_idle(const Line& line) {
  if (line.queue.load(std::memory_order_acquire) != 0 || line.taken.load(std::memory_order_acquire) != 0) return false;
  for (const auto& open : line.open_chunks) {
    if (open.load(std::memory_order_acquire) != 0) return false;
  }
  return true;
}

// The generation ends what descriptors say of this line; then somebody else may take it.
void give_back(Line& line) {
  line.generation.fetch_add(1, std::memory_order_acq_rel);
  line.owner.store(0, std::memory_order_release);
}

// A line that was claimed, given back unless it is kept: memory that runs out must not cost one.
class ClaimedLine {
 public:
  explicit ClaimedLine(Line& line) : line_(&line) {}
  ~ClaimedLine() {
    if (line_ != nullptr) give_back(*line_);
  }
  ClaimedLine(const ClaimedLine&) = delete;
  ClaimedLine& operator=(const ClaimedLine&) = delete;
  void keep() { line_ = nullptr; }

 private:
  Line* line_;
};

}  // namespace

// A line that nobody has, or a new one at the end of the coordination file. Under the mutex, as adopt_dead_locked.
Result<std::uint64_t> Session::claim_line(bool idle) {
  auto& fixed = coordination_.fixed();
  for (bool has_adopted = false;;) {
    const std::uint64_t count = std::min(fixed.line_count.load(std::memory_order_acquire), format::line_count_max);
    for (std::uint64_t tried = 0; tried < count; ++tried) {
      // From the last one on that this session took: those before it were taken when it looked, and may be thousands.
      const std::uint64_t i = (line_cursor_ + tried) % count;
      Line& line = coordination_.line(i);
      std::uint64_t nobody = 0;
      if (line.owner.load(std::memory_order_relaxed) != 0) continue;
      // What is on a line that nobody has is not added to: it may be looked at before the line is claimed.
      if (idle && !is_idle(line)) continue;
      // Before it is owned: scans look at lines below this mark only.
      std::uint64_t high = fixed.line_high.load(std::memory_order_relaxed);
      while (high < i + 1 && !fixed.line_high.compare_exchange_weak(high, i + 1, std::memory_order_seq_cst)) {
      }
      if (!line.owner.compare_exchange_strong(nobody, owner_.word, std::memory_order_acq_rel)) continue;
      line.generation.fetch_add(1, std::memory_order_acq_rel);
      // Somebody may have had it and left work there since it was looked at.
      if (idle && !is_idle(line)) {
        give_back(line);  // and look further
        continue;
      }
      step(Step::attach_line_claimed);
      line_cursor_ = i + 1;
      return i;
    }
    if (count == format::line_count_max && !has_adopted) {
      has_adopted = true;
      adopt_dead_locked();
      continue;
    }
    if (count == format::line_count_max) {
      return Error(Code::no_space, path_ + ": " + std::to_string(format::line_count_max) +
                                       " threads have a place in this store, and no more can: end some; a process in "
                                       "which they have ended keeps the places until it closes the store");
    }
    std::uint64_t seen = count;
    const std::uint64_t more = std::min(count + std::max(format::lines_per_growth, count / 2), format::line_count_max);
    // Who reads alone has room for all lines.
    if (!reads_alone_) UTAN_TRY(lock_file_->allocate(ByteCount{format::coordination_size(more)}));
    fixed.line_count.compare_exchange_strong(seen, more, std::memory_order_acq_rel);
  }
}

Result<Thread*> Session::claim_thread() {
  const std::lock_guard lock(mutex_);
  for (const auto& thread : threads_) {
    if (!thread->in_use_) {
      thread->in_use_ = true;
      return thread.get();
    }
  }
  UTAN_ASSIGN(Thread* const thread, add_thread());
  thread->in_use_ = true;
  return thread;
}

// A state that no thread uses yet, on a line of its own. The caller holds the mutex.
Result<Thread*> Session::add_thread() {
  UTAN_ASSIGN(const std::uint64_t index, claim_line(false));
  ClaimedLine claimed(coordination_.line(index));
  threads_.push_back(std::make_unique<Thread>(*this, index));
  claimed.keep();
  return threads_.back().get();
}

Result<std::uint64_t> Session::claim_hold_line() {
  const std::lock_guard lock(mutex_);
  UTAN_ASSIGN(const std::uint64_t index, claim_line(true));
  ClaimedLine claimed(coordination_.line(index));
  hold_lines_.push_back(index);
  claimed.keep();
  return index;
}

void Session::release_thread(Thread* thread) {
  const std::lock_guard lock(mutex_);
  if (left_) return;
  thread->in_use_ = false;
  // Its line stays with this process for the next thread, and what it owns with it; but not the blocks that it could
  // free now. One that has replaced nothing spares the look at all pins.
  try {
    if (thread->has_replaced()) thread->reclaim();
  } catch (const std::bad_alloc&) {  // the thread's end must not fail for that: whoever is next does it
  }
}

Result<PinPlace> Session::claim_pin() {
  const std::lock_guard lock(mutex_);
  for (const auto& thread : threads_) {
    const int index = thread->claim_extra();
    if (index >= 0) return PinPlace{thread.get(), static_cast<unsigned>(index)};
  }
  UTAN_ASSIGN(Thread* const thread, add_thread());
  return PinPlace{thread, static_cast<unsigned>(thread->claim_extra())};
}

// --- Leaving ---------------------------------------------------------------------------------------------------------

Session::~Session() {
  try {
    if (!left_ && sentinel_ != nullptr && owner_.word != 0 && !forked()) static_cast<void>(leave());
  } catch (const std::bad_alloc&) {
  }
}

bool Session::is_lost() const {
  if (process_id_ != system_->process_id()) return false;  // a child: that its parent lost files is not its concern
  const std::lock_guard lock(widening_);
  const auto lost = [](const auto& map) { return map != nullptr && map->is_lost(); };
  return lost(data_map_) || lost(coordination_map_) || std::ranges::any_of(wider_maps_, lost);
}

Error Session::lost() const {
  return Error(Code::corruption,
               path_ +
                   ": a part of it, or of its lock file, is gone: somebody made the file shorter while it was open, or "
                   "the disk failed; close it, and open a copy if it does not open again");
}

void Session::forget_in_child() {
  left_ = true;
  data_file_.reset();
  lock_file_.reset();
}

void Session::give_up_threads() {
  const std::lock_guard lock(mutex_);
  // Their commits are all in: one look at all pins serves for all of them.
  if (!threads_.empty()) threads_.front()->reclaim();
  for (const auto& thread : threads_) thread->give_up(threads_.front()->horizon());
  threads_.clear();
  for (const std::uint64_t index : hold_lines_) {
    Line& line = coordination_.line(index);
    line.role.store(static_cast<std::uint64_t>(format::LineRole::thread), std::memory_order_release);
    give_back(line);
  }
  hold_lines_.clear();
  // With the mutex still held: a thread of the program that ends now would give back a state that is not there.
  left_ = true;
}

Result<void> Session::leave() {
  if (left_) return {};
  // However it ends, also where memory runs out: what was not done by then others take over, as if this process had been killed.
  struct Ending {
    Session* session;
    ~Ending() {
      const std::lock_guard lock(session->mutex_);
      session->forget_in_child();
    }
  };
  const Ending ending{this};
  // Where files are lost, what is in memory says nothing of them; and a lock file that was cut off and made longer again says
  // nothing of this session.
  if (!is_usable() || coordination_.fixed().header.incarnation != incarnation_) return lost();
  Result<void> out;
  auto& fixed = coordination_.fixed();
  const bool changed = fixed.marked.load(std::memory_order_acquire) == static_cast<std::uint64_t>(Marked::yes) &&
                       !read_only_ && fixed.health.load(std::memory_order_acquire) == 0;
  bool last = false;
  if (changed) {
    adopt_dead();
    // Where that cannot be told, a checkpoint is made, and no clean close.
    const Result<bool> others = data_file_->others_hold_bytes(0, format::process_entry_count);
    last = others.ok() && !others.value();
    if (last || !others.ok()) out = checkpoint();
    step(Step::close_checkpointed);
  }
  const std::uint64_t checkpointed = fixed.durable_number.load(std::memory_order_seq_cst);
  give_up_threads();
  if (changed && last && out.ok()) {
    Result<void> closed = close_cleanly(CommitNumber{checkpointed});
    if (!closed.ok()) out = std::move(closed);
  }
  format::ProcessEntry& entry = coordination_.entry(entry_);
  const std::uint64_t claim = entry.claim.load(std::memory_order_relaxed);
  entry.claim.store(((claim >> 1) + 1) << 1, std::memory_order_release);
  data_file_->unlock_byte(entry_);
  if (out.ok() && !was_usable()) return lost();
  return out;
}

bool Session::alone() {
  const Result<bool> others = data_file_->others_hold_bytes(0, format::process_entry_count);
  return others.ok() && !others.value();
}

// The last one to leave: with nobody else there, and nobody able to come, bitmaps are made exact and the store is
// marked clean. Does nothing if somebody came or committed in the meantime.
Result<void> Session::close_cleanly(CommitNumber checkpointed) {
  const Result<bool> locked = data_file_->try_lock(os::LockMode::exclusive);
  if (!locked.ok() || !locked.value()) return {};
  const auto unlock = [this](Result<void> result) {
    data_file_->unlock();
    return result;
  };
  if (!alone() || !heap_.catch_up().ok()) return unlock({});
  // Whoever was there a moment ago and is not any more may have died.
  adopt_dead();
  auto& fixed = coordination_.fixed();
  const HeadWord head{fixed.head.load(std::memory_order_seq_cst)};
  if (format::load_commit_number(heap_.at<CommitBlock>(head.block())) != checkpointed.value) return unlock({});
  step(Step::close_exclusive);
  // The checkpoint that stands now is head: nothing older is visible to anybody.
  for (std::uint64_t i = 0; i < format::checkpoint_slot_count; ++i) {
    coordination_.claim(i).number.store(0, std::memory_order_relaxed);
    coordination_.claim(i).claimant.store(0, std::memory_order_relaxed);
  }
  UTAN_TRY(drain_everything());
  step(Step::close_drained);
  if (Result<void> flushed = flush(); !flushed.ok()) return unlock(std::move(flushed));
  step(Step::close_flushed);
  Result<format::FileHeader> header = read_header();
  if (!header.ok()) return unlock(std::move(header).error());
  header->clean = 1;
  header->clean_number = checkpointed.value;
  // What a damaged coordination file says would make the header one that is refused.
  header->chunk_size =
      std::clamp(fixed.chunk_size.load(std::memory_order_relaxed), format::chunk_size_min, format::chunk_size_max);
  header->leaked_count_max = fixed.leaked_count_max.load(std::memory_order_relaxed);
  if (Result<void> written = write_header(*header); !written.ok()) return unlock(std::move(written));
  step(Step::close_flagged);
  fixed.marked.store(static_cast<std::uint64_t>(Marked::closed), std::memory_order_release);
  return unlock({});
}

Result<void> Session::drain_everything() {
  UTAN_ASSIGN(const std::uint64_t mine, claim_line(false));
  Line& own = coordination_.line(mine);
  {
    heap::Allocator allocator(heap_, own, mine, own.generation.load(std::memory_order_relaxed));
    Horizon horizon;
    horizon.scan(heap_);
    const std::uint64_t lines = fixed_line_high();
    for (std::uint64_t i = 0; i < lines; ++i) {
      Reclaimer reclaimer(heap_, coordination_.line(i), allocator);
      reclaimer.drain(horizon);
      reclaimer.file_open_chunks();
    }
    Reclaimer reclaimer(heap_, own, allocator);
    reclaimer.retry_waiting(horizon);
    allocator.release_all();
  }
  give_back(own);
  return {};
}

std::uint64_t Session::fixed_line_high() const {
  return coordination_.fixed().line_high.load(std::memory_order_seq_cst);
}

// --- Statistics ------------------------------------------------------------------------------------------------------

SessionStatistics Session::statistics() const {
  SessionStatistics out;
  static_cast<void>(heap_.catch_up());  // otherwise of what is seen
  const auto& fixed = coordination_.fixed();
  out.heap = heap_.statistics();
  out.file_size = heap_.file_size();
  const HeadWord head{fixed.head.load(std::memory_order_acquire)};
  if (heap_.shows(head.block(), sizeof(CommitBlock)))
    out.newest = CommitNumber{format::load_commit_number(heap_.at<CommitBlock>(head.block()))};
  out.durable = CommitNumber{fixed.durable_number.load(std::memory_order_relaxed)};
  out.leaked_max = Count{fixed.leaked_count_max.load(std::memory_order_relaxed)};
  out.incarnation = fixed.header.incarnation;
  for (std::uint32_t i = 0; i < format::process_entry_count; ++i) {
    out.processes.value += coordination_.entry(i).claim.load(std::memory_order_relaxed) & 1;
  }
  const std::uint64_t lines = fixed_line_high();
  const auto count_pin = [&out](std::uint64_t number) {
    if (number == format::pin_free) return;
    ++out.pins.value;
    if (number != format::pin_open && (out.oldest_pin.value == 0 || number < out.oldest_pin.value)) {
      out.oldest_pin = CommitNumber{number};
    }
  };
  for (std::uint64_t i = 0; i < lines; ++i) {
    const Line& line = coordination_.line(i);
    if (line.owner.load(std::memory_order_relaxed) != 0 &&
        line.role.load(std::memory_order_relaxed) == static_cast<std::uint64_t>(format::LineRole::thread))
      ++out.threads.value;
    for (const auto& pin : line.pins) count_pin(pin.number.load(std::memory_order_relaxed));
    for (const auto& extra : line.extra_pins) {
      for (const auto& pin : extra.pins) count_pin(pin.number.load(std::memory_order_relaxed));
    }
  }
  return out;
}

}  // namespace utan::commit
