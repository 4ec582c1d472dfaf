#include "commit/thread.h"

#include <bit>
#include <cstring>
#include <new>
#include <string>
#include <utility>
#include <vector>

#include "base/check.h"
#include "commit/place.h"

namespace utan::commit {

using format::CommitBlock;
using format::HeadWord;
using format::Line;
using format::ReplacedEntry;

namespace {
constexpr std::uint64_t drain_interval_min = 16;
}

Thread::Thread(Session& session, std::uint64_t line_index)
    : session_(&session),
      heap_(&session.heap()),
      fixed_(&session.coordination().fixed()),
      hash_seed_(session.hash_seed()),
      line_(&session.coordination().line(line_index)),
      number_floor_(session.coordination().fixed().header.number_floor),
      opening_number_(session.coordination().fixed().header.opening_number),
      allocator_(session.heap(), *line_, line_index, line_->generation.load(std::memory_order_relaxed)),
      build_(allocator_),
      reclaimer_(session.heap(), *line_, allocator_) {
  // Whoever had the line left none; one that a damaged file says would hold back all reuse until the store is closed.
  clear_pins();
}

void Thread::clear_pins() {
  for (auto& pin : line_->pins) pin.number.store(format::pin_free, std::memory_order_release);
  for (unsigned i = 0; i < format::extra_pin_count; ++i)
    extra(i).number.store(format::pin_free, std::memory_order_release);
}

// --- Pins ------------------------------------------------------------------------------------------------------------

bool Thread::pin_open_first(format::PinSlot& slot, Pinned& out) {
  auto& fixed = session_->coordination().fixed();
  if (!heap_->catch_up().ok()) return false;
  // Everything stays as it is from here on, so head can be read at leisure; then the pin is narrowed to it.
  slot.number.exchange(format::pin_open, std::memory_order_seq_cst);
  const HeadWord head{fixed.head.load(std::memory_order_seq_cst)};
  const bool is_shown = heap_->shows(head.block(), sizeof(CommitBlock));
  const auto* block = is_shown ? heap_->at<CommitBlock>(head.block()) : nullptr;
  const std::uint64_t number = is_shown ? format::load_commit_number(block) : 0;
  if (!head.matches(number) || number == 0) {
    slot.number.store(format::pin_free, std::memory_order_release);
    return false;
  }
  slot.offset.store(head.block().value, std::memory_order_relaxed);
  slot.number.store(number, std::memory_order_seq_cst);
  out.block = block;
  out.head = head;
  out.view = heap_->view(CommitNumber{number});
  return true;
}

Result<unsigned> Thread::pin_beyond(Pinned& out) {
  const int index = claim_extra();
  if (index < 0) {
    return Error(Code::invalid, "this thread holds " + std::to_string(own_pin_count + format::extra_pin_count) +
                                    " values or iterators at once: let go of some");
  }
  if (Result<void> pinned = pin_extra(static_cast<unsigned>(index), out); !pinned.ok()) {
    unpin_extra(static_cast<unsigned>(index));
    return std::move(pinned).error();
  }
  return own_pin_count + static_cast<unsigned>(index);
}

int Thread::claim_extra() {
  std::uint32_t used = extra_used_.load(std::memory_order_relaxed);
  for (;;) {
    const int index = std::countr_one(used);
    if (static_cast<std::uint64_t>(index) >= format::extra_pin_count) return -1;
    // acquire: pairs with the release in unpin_extra; the place's last pin is over.
    if (extra_used_.compare_exchange_weak(used, used | (1u << index), std::memory_order_acq_rel,
                                          std::memory_order_relaxed)) {
      // Before the pin is set: scans look at extra pins below this mark only.
      std::uint64_t high = line_->extra_pins_high.load(std::memory_order_relaxed);
      const auto needed = static_cast<std::uint64_t>(index) + 1;
      while (high < needed && !line_->extra_pins_high.compare_exchange_weak(high, needed, std::memory_order_seq_cst)) {
      }
      return index;
    }
  }
}

void Thread::unpin_extra(unsigned index) {
  extra(index).number.store(format::pin_free, std::memory_order_release);
  extra_used_.fetch_and(~(1u << index), std::memory_order_release);
}

Error Thread::damaged_head() {
  if (!session_->was_usable()) return session_->lost();
  if (Result<void> all = heap_->catch_up(); !all.ok()) return named(std::move(all).error(), session_->path());
  return Error(Code::corruption, session_->path() +
                                     ": the newest commit cannot be read: the coordination file or the store is "
                                     "damaged (`utan check` says how)");
}

// --- Commits ---------------------------------------------------------------------------------------------------------

// Writes the blocks that this commit replaces into its block; what does not fit goes to lists.
Result<void> Thread::list_replaced(CommitBlock* block) {
  const auto& replaced = build_.replaced();
  const std::size_t count = replaced.size();
  if (count <= format::replaced_max) [[likely]] {
    static_assert(sizeof block->replaced == sizeof replaced.near());
    std::memcpy(block->replaced, replaced.near().data(), sizeof block->replaced);
    block->replaced_count = count;
    return {};
  }
  std::vector<std::uint64_t> words(count);
  for (std::size_t i = 0; i < count; ++i) words[i] = replaced[i].word;
  // Lists of what is left over, then of these lists, until there is room for all.
  while (words.size() > format::replaced_max) {
    std::vector<std::uint64_t> lists;
    std::size_t at = 0;
    while (words.size() - at > format::replaced_max - std::min<std::size_t>(lists.size(), format::replaced_max)) {
      const std::size_t size = std::min<std::size_t>(words.size() - at, format::list_entries_max);
      UTAN_ASSIGN(const heap::Made<format::List> list,
                  build_.make<format::List>(format::Kind::list, ByteCount{format::List::size_for(size)}, 0));
      list.at->drained = 0;
      list.at->count = size;
      std::memcpy(list.at->entries(), words.data() + at, size * sizeof(std::uint64_t));
      step(Step::build_list_written);
      at += size;
      lists.push_back(ReplacedEntry::make(list.offset, ReplacedEntry::How::list).word);
    }
    lists.insert(lists.end(), words.begin() + static_cast<std::ptrdiff_t>(at), words.end());
    words = std::move(lists);
  }
  std::memcpy(block->replaced, words.data(), words.size() * sizeof(std::uint64_t));
  block->replaced_count = words.size();
  return {};
}

Result<bool> Thread::publish(const Pinned& base, const Draft& draft) {
  step(Step::build_path_copied);
  const auto give_up_build = [this](Error error) -> Result<bool> {
    build_.discard();
    return error;
  };
  Result<heap::Made<CommitBlock>> made =
      build_.make<CommitBlock>(format::Kind::commit, ByteCount{format::commit_block_size}, 0);
  if (!made.ok()) return give_up_build(std::move(made).error());
  CommitBlock* block = made->at;
  block->object_table_root = draft.objects.root.value;
  block->object_table_depth = draft.objects.depth;
  block->object_index_high = draft.object_index_high;
  block->container_count = draft.container_count;
  block->time_ns = 0;
  block->record = 0;
  block->log_offset = 0;
  block->reserved[0] = 0;
  // From what was written, not from where it was written to: the zeros' shares are constants.
  const std::uint64_t summed[format::commit_checksum_words] = {
      draft.objects.root.value, draft.objects.depth, draft.object_index_high, draft.container_count, 0, 0, 0, 0};
  for (std::uint64_t i = 0; i < format::commit_checksum_words; ++i)
    block->header.checksum += format::checksum_share(format::commit_checksum_first_word + i, summed[i]);
  block->owner_next = 0;
  block->reserved2[0] = block->reserved2[1] = 0;
  // The commit that was there when coordination was made is in nobody's queue: its successor frees it.
  if (base.number() == opening_number_) build_.drop(base.head.block(), &base.block->header);
  if (Result<void> listed = list_replaced(block); !listed.ok()) return give_up_build(std::move(listed).error());
  step(Step::build_commit_block_written);
  // What was copied may have been zeroes.
  if (!session_->was_usable()) [[unlikely]]
    return give_up_build(session_->lost());

  line_->pending.store(made->offset.value, std::memory_order_release);
  step(Step::cas_pending_stored);
  auto& head = session_->coordination().fixed().head;
  std::uint64_t expected = base.head.word;
  const HeadWord now = HeadWord::make(made->offset, build_.number());
  // seq_cst: this is the commit. It releases every block that was built, and comes before the scans of pins that reuse
  // what it replaced.
  if (!head.compare_exchange_strong(expected, now.word, std::memory_order_seq_cst)) {
    step(Step::cas_lost);
    line_->pending.store(0, std::memory_order_release);
    return false;
  }
  step(Step::cas_won);
  // What is large is reused by the next commit already, if nobody sees it.
  if (reclaimer_.enqueue(made->offset)) [[unlikely]]
    commits_since_drain_ = drain_interval_;
  step(Step::queue_linked);
  // The record of the build ends before `pending`: an adopter frees recorded blocks only if nothing is pending.
  build_.published();
  line_->pending.store(0, std::memory_order_release);
  step(Step::queue_pending_cleared);
  return true;
}

void Thread::after_commits() noexcept {
  // The commit is in: that there is no memory for what follows it must not look as if it were not. Later ones try again.
  try {
    reclaim();
    // A pin that has blocked for so long may be that of somebody who died.
    if (reclaimer_.queued() > 8 * drain_interval_) session_->adopt_dead_sometimes();
  } catch (const std::bad_alloc&) {
  }
}

void Thread::reclaim() {
  if (session_->read_only()) return;  // it has replaced nothing, and may free nothing
  commits_since_drain_ = 0;
  if (!heap_->catch_up().ok()) return;
  const heap::Allocator::Using use(allocator_, heap::Room::reserve);
  const auto coordination = session_->coordination();
  horizon_.scan(*heap_);
  reclaimer_.drain(horizon_);
  reclaimer_.retry_waiting(horizon_);
  drain_interval_ = std::max(drain_interval_min, coordination.fixed().line_high.load(std::memory_order_relaxed) / 8);
  if (!horizon_.found_abandoned()) return;
  // Somebody died, or left while a pin held back what he had replaced: his line's queue is worked off here.
  Line& line = coordination.line(horizon_.abandoned_line());
  std::uint64_t nobody = 0;
  if (!line.owner.compare_exchange_strong(nobody, session_->owner().word, std::memory_order_acq_rel)) return;
  line.generation.fetch_add(1, std::memory_order_acq_rel);
  // Who left it may have made the file longer since it was looked at above.
  if (heap_->catch_up().ok()) {
    Reclaimer abandoned(*heap_, line, allocator_);
    abandoned.drain(horizon_);
    abandoned.file_open_chunks();
  }
  line.generation.fetch_add(1, std::memory_order_acq_rel);
  line.owner.store(0, std::memory_order_release);
}

void Thread::give_up(const Horizon& horizon) {
  if (!session_->read_only()) {
    if (has_replaced() && heap_->catch_up().ok()) {
      const heap::Allocator::Using use(allocator_, heap::Room::reserve);
      reclaimer_.drain(horizon);
    }
    reclaimer_.file_open_chunks();
    allocator_.release_all();
  }
  clear_pins();
  // The generation ends what descriptors say of this line; then somebody else may take it.
  line_->generation.fetch_add(1, std::memory_order_acq_rel);
  line_->owner.store(0, std::memory_order_release);
}

}  // namespace utan::commit
