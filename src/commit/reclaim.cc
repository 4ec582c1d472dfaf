#include "commit/reclaim.h"

#include <algorithm>
#include <bit>

#include "base/check.h"
#include "base/step.h"

namespace utan::commit {

using format::ChainWord;
using format::CommitBlock;
using format::HeadWord;
using format::Line;
using format::List;
using format::ReplacedEntry;
using format::WaitingChunk;
using format::WaitingEntry;

namespace {

// A queue may hold this many commits that a pin blocks before their blocks move to chunks. Pins of single reads are
// gone by then.
constexpr std::uint64_t patience = 256;
// In segments: 256 KiB, of which `patience` commits make 64 MiB.
constexpr std::uint64_t long_run_min = 16;
constexpr unsigned list_depth_max = 8;
// Each common list is looked through once in so many scans, whatever its hint says.
constexpr std::uint64_t thorough_interval = 1024;

std::uint64_t birth_of(const heap::Heap& heap, Offset block) {
  return std::atomic_ref<std::uint64_t>(heap.at<format::BlockHeader>(block)->birth).load(std::memory_order_relaxed);
}

bool plausible(const heap::Heap& heap, Offset block) {
  return block.value >= format::regions_offset && block.value <= heap.file_size().value - format::block_size_min &&
         block.value % 8 == 0;
}

// How many entries of the list at `offset` can be read: 0 if it is none. Counts come from the file.
std::uint64_t entries_of(const heap::Heap& heap, Offset offset) {
  const auto* list = heap.at<List>(offset);  // plausible: its fixed part is inside the file
  if (list->header.kind != format::Kind::list || list->count > format::list_entries_max ||
      List::size_for(list->count) > heap.file_size().value - offset.value) {
    return 0;
  }
  return list->count;
}

// How many blocks an entry stands for, with those on lists of lists, as deep as these are followed when they are freed;
// at most `most`, so that damaged lists that name each other come to an end. What a list has freed already does not count.
std::uint64_t blocks_of(const heap::Heap& heap, ReplacedEntry entry, std::uint64_t most, unsigned depth = 0) {
  if (entry.how() != ReplacedEntry::How::list || !plausible(heap, entry.offset())) return 1;
  auto* list = heap.at<List>(entry.offset());
  const std::uint64_t count = entries_of(heap, entry.offset());
  // relaxed: whoever counts has taken the line over, or tells only an upper bound.
  std::uint64_t i = std::atomic_ref<std::uint64_t>(list->drained).load(std::memory_order_relaxed);
  std::uint64_t out = 1;
  for (; i < count && out < most; ++i) {
    out += depth == list_depth_max ? 1 : blocks_of(heap, ReplacedEntry{list->entries()[i]}, most - out, depth + 1);
  }
  return out;
}
// More blocks than this there are not.
std::uint64_t blocks_max(const heap::Heap& heap) { return heap.file_size().value / format::block_size_min; }
static_assert(sizeof(List) <= format::block_size_min);

// Is this block a run of so many segments that a few hundred of them must not wait?
bool is_long_run(const heap::Heap& heap, Offset block) {
  if (block.value % format::segment_size != 0 || !plausible(heap, block)) return false;
  const SegmentIndex segment = format::segment_of(block);
  if (format::describes_region(segment)) return false;
  const format::ClassWord word{heap.descriptor(segment).class_word.load(std::memory_order_relaxed)};
  return word.size_class() == format::class_run && word.run_length() >= long_run_min;
}

// The same of one that a list begins with, as that of a large value's extents does.
bool holds_long_run(const heap::Heap& heap, ReplacedEntry entry) {
  if (entry.how() != ReplacedEntry::How::list) return is_long_run(heap, entry.offset());
  if (!plausible(heap, entry.offset()) || entries_of(heap, entry.offset()) == 0) return false;
  return is_long_run(heap, ReplacedEntry{heap.at<List>(entry.offset())->entries()[0]}.offset());
}

// Is `next` what comes behind `commit` in a queue? Numbers grow along it, so that no chain of these is a circle.
CommitBlock* queued_behind(const heap::Heap& heap, const CommitBlock* commit, Offset next) {
  CommitBlock* const found = queued_commit(heap, next);
  return found != nullptr && found->header.birth > commit->header.birth ? found : nullptr;
}

}  // namespace

CommitBlock* queued_commit(const heap::Heap& heap, Offset offset) {
  if (!plausible(heap, offset) || offset.value > heap.file_size().value - sizeof(CommitBlock)) return nullptr;
  auto* const commit = heap.at<CommitBlock>(offset);
  return commit->header.kind == format::Kind::commit ? commit : nullptr;
}

WaitingChunk* waiting_chunk(const heap::Heap& heap, Offset offset) {
  if (!plausible(heap, offset) || offset.value > heap.file_size().value - format::waiting_chunk_size) return nullptr;
  auto* const chunk = heap.at<WaitingChunk>(offset);
  return chunk->header.kind == format::Kind::waiting && chunk->count <= format::waiting_entries_max ? chunk : nullptr;
}

// --- Horizon ---------------------------------------------------------------------------------------------------------

void Horizon::scan(const heap::Heap& heap) {
  const format::Coordination coordination = heap.coordination();
  numbers_.clear();
  head_number_ = 0;
  for (int tries = 0; tries < 64 && head_number_ == 0; ++tries) {
    const HeadWord head{coordination.fixed().head.load(std::memory_order_seq_cst)};
    if (!heap.shows(head.block(), sizeof(CommitBlock))) break;
    const std::uint64_t number = format::load_commit_number(heap.at<CommitBlock>(head.block()));
    // While it is head its block is not reused.
    if (head.matches(number) && coordination.fixed().head.load(std::memory_order_seq_cst) == head.word)
      head_number_ = number;
  }
  open_ = false;
  abandoned_found_ = false;
  const auto& fixed = coordination.fixed();
  const auto add = [this](std::uint64_t number) {
    if (number == format::pin_open) {
      open_ = true;
    } else if (number != format::pin_free) {
      numbers_.push_back(number);
    }
  };
  // seq_cst: these loads come after the load of head. A pin that they miss is set later, and then its owner finds that
  // head is at this commit or a newer one (C1): it cannot be older than what was head before the scan.
  const std::uint64_t lines = fixed.line_high.load(std::memory_order_seq_cst);
  for (std::uint64_t i = 0; i < lines; ++i) {
    Line& line = coordination.line(i);
    for (const auto& pin : line.pins) add(pin.number.load(std::memory_order_seq_cst));
    const std::uint64_t extra = line.extra_pins_high.load(std::memory_order_seq_cst);
    for (std::uint64_t j = 0; j < extra && j < format::extra_pin_count; ++j) {
      add(line.extra_pins[j / format::pins_per_line].pins[j % format::pins_per_line].number.load(
          std::memory_order_seq_cst));
    }
    if (!abandoned_found_ && line.owner.load(std::memory_order_relaxed) == 0 &&
        (line.queue.load(std::memory_order_relaxed) != 0 || line.taken.load(std::memory_order_relaxed) != 0)) {
      abandoned_found_ = true;
      abandoned_line_ = i;
    }
  }
  oldest_pin_ = ~std::uint64_t{0};
  for (const std::uint64_t number : numbers_) oldest_pin_ = std::min(oldest_pin_, number);
  // Checkpoints after pins. They are commits: none of these numbers stands for everything, whatever a damaged file says.
  const std::uint64_t durable = fixed.durable_number.load(std::memory_order_seq_cst);
  numbers_.push_back(durable);
  for (std::uint64_t i = 0; i < format::checkpoint_slot_count; ++i) {
    const std::uint64_t number = coordination.claim(i).number.load(std::memory_order_seq_cst);
    if (number > durable) numbers_.push_back(number);
  }
  std::sort(numbers_.begin(), numbers_.end());
}

std::uint64_t Horizon::blocking(std::uint64_t born, std::uint64_t replaced_by) const {
  if (replaced_by > head_number_) return std::max<std::uint64_t>(head_number_, 1);
  const auto above = std::lower_bound(numbers_.begin(), numbers_.end(), replaced_by);
  if (above == numbers_.begin()) return 0;
  const std::uint64_t newest = *(above - 1);
  return newest >= born ? newest : 0;
}

// --- Reclaimer -------------------------------------------------------------------------------------------------------

Reclaimer::Reclaimer(const heap::Heap& heap, Line& line, heap::Allocator& allocator)
    : heap_(&heap), line_(&line), allocator_(&allocator) {
  // What an earlier owner left in the queue. Where it leads to something else it ends.
  Offset at = ChainWord{line.queue.load(std::memory_order_acquire)}.offset();
  for (const CommitBlock* commit = queued_commit(heap, at); commit != nullptr;) {
    tail_ = at;
    count_joining(commit);
    at = Offset{commit->owner_next};
    commit = queued_behind(heap, commit, at);
  }
}

bool Reclaimer::empty() const {
  if (line_->queue.load(std::memory_order_relaxed) != 0 || line_->taken.load(std::memory_order_relaxed) != 0)
    return false;
  return std::all_of(std::begin(line_->open_chunks), std::end(line_->open_chunks),
                     [](const auto& chunk) { return chunk.load(std::memory_order_relaxed) == 0; });
}

bool Reclaimer::enqueue(Offset commit_block) {
  if (!tail_) {
    line_->queue.store(ChainWord::make(commit_block, 0).word, std::memory_order_release);
  } else {
    heap_->at<CommitBlock>(tail_)->owner_next = commit_block.value;
    std::atomic_thread_fence(std::memory_order_release);
  }
  tail_ = commit_block;
  return count_joining(heap_->at<CommitBlock>(commit_block));
}

// A commit has joined the queue.
bool Reclaimer::count_joining(const CommitBlock* commit) {
  ++queued_;
  bool has_list = false;
  bool has_long_run = false;
  const std::uint64_t count = std::min<std::uint64_t>(commit->replaced_count, format::replaced_max);
  for (std::uint64_t i = 0; i < count; ++i) {
    const ReplacedEntry entry{commit->replaced[i]};
    // Nearly all are single blocks, and not at the beginning of a segment.
    if (entry.how() != ReplacedEntry::How::list && entry.word % format::segment_size != 0) [[likely]]
      continue;
    has_list |= entry.how() == ReplacedEntry::How::list;
    has_long_run |= holds_long_run(*heap_, entry);
  }
  if (has_list || has_long_run) newest_large_ = commit->header.birth;
  return has_long_run;
}

void Reclaimer::free(Offset block) {
  // A block that cannot be freed is damage, which the next check finds; freeing something else would spread it.
  heap_->expect_freed(allocator_->free(block));
  step(Step::drain_freed);
}

void Reclaimer::drain(const Horizon& horizon) {
  if (line_->taken.load(std::memory_order_relaxed) != 0) work_on_taken(horizon);
  if (horizon.open()) return;
  const heap::Allocator::Freeing freeing(*allocator_);
  while (line_->queue.load(std::memory_order_relaxed) != 0) {
    // Behind one that is blocked, a few commits wait as they are. Not those that replace much: up to the newest of them,
    // since numbers grow along the queue, what is blocked goes aside.
    const CommitBlock* const front =
        queued_commit(*heap_, ChainWord{line_->queue.load(std::memory_order_relaxed)}.offset());
    if (front == nullptr) {
      // Damage: what was in the queue leaks.
      line_->queue.store(0, std::memory_order_release);
      tail_ = Offset{};
      queued_ = 0;
      return;
    }
    const bool large_behind = front->header.birth <= newest_large_;
    if (!drain_front(horizon, queued_ <= patience && !large_behind, freeing)) return;
  }
}

// Works on the first commit of the queue. False: it is not done and stays.
bool Reclaimer::drain_front(const Horizon& horizon, bool patient, const heap::Allocator::Freeing& freeing) {
  const heap::View file = heap_->view(CommitNumber{});
  const std::byte* const base = file.base();
  const std::uint64_t end = file.size().value;
  const ChainWord front{line_->queue.load(std::memory_order_relaxed)};
  const Offset block = front.offset();
  auto* commit = heap_->at<CommitBlock>(block);
  const std::uint64_t number = commit->header.birth;
  const std::uint64_t count = std::min<std::uint64_t>(commit->replaced_count, format::replaced_max);
  const Horizon::Around around = horizon.around(number);
  for (std::uint64_t i = front.count(); i < count; ++i) {
    const ReplacedEntry entry{commit->replaced[i]};
    // One comparison finds a single block that is aligned and inside the file: every other entry is a large number.
    if (std::rotr(entry.word - format::regions_offset, 3) <=
        (end - format::regions_offset - format::block_size_min) / 8) [[likely]] {
      auto* birth = reinterpret_cast<std::uint64_t*>(const_cast<std::byte*>(base) + entry.word);
      if (std::atomic_ref<std::uint64_t>(*birth).load(std::memory_order_relaxed) > around.newest_before) [[likely]] {
        // The count advances first: killed right after, this block leaks; the other way round it would be freed twice.
        line_->queue.store(ChainWord::make(block, i + 1).word, std::memory_order_release);
        step(Step::drain_counted);
        heap_->expect_freed(freeing(entry.offset()));
        step(Step::drain_freed);
        continue;
      }
    }
    if (!drain_unusual(block, i, number, horizon, patient)) return false;
  }
  // The commit block itself: it is seen by its own number alone, and by whoever reads head.
  const HeadWord head{heap_->coordination().fixed().head.load(std::memory_order_seq_cst)};
  if (head.block() == block) return false;
  if (around.itself && patient) return false;
  // Damage ends the queue: what was behind it leaks.
  const Offset behind{commit->owner_next};
  const Offset next = queued_behind(*heap_, commit, behind) != nullptr ? behind : Offset{};
  line_->queue.store(next ? ChainWord::make(next, 0).word : 0, std::memory_order_release);
  step(Step::drain_block_unlinked);
  --queued_;
  if (!next) {
    tail_ = Offset{};
    queued_ = 0;
  }
  if (around.itself) {
    wait(ReplacedEntry::make(block, ReplacedEntry::How::block), number + 1, number);
  } else {
    heap_->expect_freed(freeing(block));
    step(Step::drain_freed);
  }
  step(Step::drain_block_freed);
  return true;
}

// Entry `i` of the first commit: a list, a block that a pin sees, or damage. False: it stays.
bool Reclaimer::drain_unusual(Offset block, std::uint64_t i, std::uint64_t number, const Horizon& horizon,
                              bool patient) {
  const ReplacedEntry entry{heap_->at<CommitBlock>(block)->replaced[i]};
  const auto count_it = [&] {
    line_->queue.store(ChainWord::make(block, i + 1).word, std::memory_order_release);
    step(Step::drain_counted);
  };
  if (!plausible(*heap_, entry.offset())) {
    count_it();
    return true;
  }
  const std::uint64_t blocking = horizon.blocking(birth_of(*heap_, entry.offset()), number);
  // What a list names is not asked: a commit that has one is not worked on in patience (count_joining).
  if (patient && blocking != 0) return false;
  if (blocking == 0 && entry.how() == ReplacedEntry::How::list) {
    // The list keeps its own count; it is advanced here only when the list is done.
    release_list(entry.offset(), number, horizon, 0);
    count_it();
    free(entry.offset());
    return true;
  }
  count_it();
  release(entry, number, horizon, 0);
  return true;
}

// Frees the entries of a list that nobody sees itself, or lets them wait one by one.
void Reclaimer::release_list(Offset offset, std::uint64_t replaced_by, const Horizon& horizon, unsigned depth) {
  auto* list = heap_->at<List>(offset);
  const std::uint64_t count = entries_of(*heap_, offset);
  while (list->drained < count) {
    const ReplacedEntry entry{list->entries()[list->drained]};
    std::atomic_ref<std::uint64_t>(list->drained).store(list->drained + 1, std::memory_order_release);
    step(Step::drain_counted);
    if (plausible(*heap_, entry.offset())) release(entry, replaced_by, horizon, depth);
  }
}

// Frees what the entry names, or lets it wait. The caller has counted it already.
void Reclaimer::release(ReplacedEntry entry, std::uint64_t replaced_by, const Horizon& horizon, unsigned depth) {
  const std::uint64_t blocking = horizon.blocking(birth_of(*heap_, entry.offset()), replaced_by);
  if (blocking != 0) {
    wait(entry, replaced_by, blocking);
    return;
  }
  if (entry.how() == ReplacedEntry::How::list) {
    // Lists of lists are made as few levels deep as the number of blocks needs. A chain of them is damage: it leaks.
    if (depth == list_depth_max) return;
    release_list(entry.offset(), replaced_by, horizon, depth + 1);
  }
  free(entry.offset());
}

void Reclaimer::wait(ReplacedEntry entry, std::uint64_t replaced_by, std::uint64_t blocking) {
  step(Step::wait_counted);
  std::atomic<std::uint64_t>* const place = open_chunk_for(blocking);
  if (place->load(std::memory_order_relaxed) == 0) {
    const Result<Offset> made = make_chunk(blocking, replaced_by);
    if (!made.ok()) {
      // No room to remember it: it leaks, until the collector finds it.
      heap_->coordination().fixed().leaked_count_max.fetch_add(blocks_of(*heap_, entry, blocks_max(*heap_)),
                                                               std::memory_order_relaxed);
      return;
    }
    place->store(made.value().value, std::memory_order_release);
  }
  const Offset offset{place->load(std::memory_order_relaxed)};
  auto* chunk = heap_->at<WaitingChunk>(offset);
  chunk->entries()[chunk->count] = WaitingEntry{entry.word, replaced_by};
  std::atomic_ref<std::uint64_t>(chunk->count).store(chunk->count + 1, std::memory_order_release);
  step(Step::wait_entry_stored);
  if (chunk->count == format::waiting_entries_max) file_chunk(offset);
}

// Where the line has its chunk of what waits for this commit, with room in it, or where it may put one: 0 is there then.
// All entries of a chunk wait for the same commit, so that it is looked at again only when that one is let go.
std::atomic<std::uint64_t>* Reclaimer::open_chunk_for(std::uint64_t blocking) {
  std::atomic<std::uint64_t>* free_place = nullptr;
  for (auto& open : line_->open_chunks) {
    const Offset offset{open.load(std::memory_order_relaxed)};
    const WaitingChunk* const chunk = waiting_chunk(*heap_, offset);
    // Damage: it leaks.
    if (offset && (chunk == nullptr || chunk->count == format::waiting_entries_max))
      open.store(0, std::memory_order_release);
    if (open.load(std::memory_order_relaxed) == 0) {
      free_place = &open;
    } else if (chunk->blocking == blocking) {
      return &open;
    }
  }
  if (free_place != nullptr) return free_place;
  auto& place = line_->open_chunks[blocking % format::open_chunk_count];
  file_chunk(Offset{place.load(std::memory_order_relaxed)});
  return &place;
}

Result<Offset> Reclaimer::make_chunk(std::uint64_t blocking, std::uint64_t replaced_by) {
  UTAN_ASSIGN(const Offset made,
              allocator_->allocate(ByteCount{format::waiting_chunk_size}, CommitNumber{replaced_by}));
  auto* chunk = heap_->at<WaitingChunk>(made);
  chunk->header.kind = format::Kind::waiting;
  chunk->header.aux = 0;
  chunk->header.checksum = 0;
  chunk->next = 0;
  chunk->blocking = blocking;
  chunk->count = 0;
  chunk->reserved = 0;
  // No longer recorded as a block of a build before it is the line's: killed in between, it leaks.
  allocator_->end_build();
  return made;
}

// Puts a chunk on the common list of the commit that it waits for.
void Reclaimer::file_chunk(Offset offset) {
  auto* chunk = waiting_chunk(*heap_, offset);
  if (chunk == nullptr) {
    // Damage: it leaks.
    for (auto& open : line_->open_chunks) {
      if (open.load(std::memory_order_relaxed) == offset.value) open.store(0, std::memory_order_release);
    }
    return;
  }
  // Killed between the two stores and the push, nobody can say whose the chunk is: `uncertain` says so.
  line_->uncertain.store(offset.value, std::memory_order_release);
  step(Step::wait_file_intended);
  for (auto& open : line_->open_chunks) {
    if (open.load(std::memory_order_relaxed) == offset.value) open.store(0, std::memory_order_release);
  }
  const std::uint64_t index = chunk->blocking % format::waiting_list_count;
  heap_->coordination().waiting_hint(index).store(chunk->blocking, std::memory_order_relaxed);  // a hint
  auto& list = heap_->coordination().waiting_list(index);
  std::uint64_t head = list.load(std::memory_order_acquire);
  do {
    chunk->next = head;
    // release: the chunk's content comes before; pairs with the acquire of the taker.
  } while (!list.compare_exchange_weak(head, offset.value, std::memory_order_acq_rel, std::memory_order_acquire));
  line_->uncertain.store(0, std::memory_order_release);
  step(Step::wait_filed);
}

void Reclaimer::file_open_chunks() {
  for (auto& open : line_->open_chunks) {
    const Offset chunk{open.load(std::memory_order_relaxed)};
    if (chunk) file_chunk(chunk);
  }
}

void Reclaimer::retry_waiting(const Horizon& horizon) {
  ++scans_;
  if (line_->taken.load(std::memory_order_relaxed) != 0) work_on_taken(horizon);
  for (std::uint64_t i = 0; i < format::waiting_list_count; ++i) {
    auto& list = heap_->coordination().waiting_list(i);
    std::uint64_t head = list.load(std::memory_order_acquire);
    if (head == 0) continue;
    // What the chain leads to was there before it became the list's: looked at now, the size covers all of it.
    if (!heap_->catch_up().ok()) return;
    // Its first chunk is looked at when it is taken: until then somebody else may free it.
    if (!plausible(*heap_, Offset{head})) continue;
    // The hint speaks of one chunk of the list: now and then the others are looked at as well.
    const std::uint64_t hint = heap_->coordination().waiting_hint(i).load(std::memory_order_relaxed);
    if (horizon.is_visible(hint) && scans_ % thorough_interval != i) continue;
    line_->uncertain.store(head, std::memory_order_release);
    step(Step::wait_take_intended);
    // The whole chain is taken at once: that its first chunk may have left and come back in between does no harm.
    if (list.compare_exchange_strong(head, 0, std::memory_order_acq_rel, std::memory_order_relaxed)) {
      line_->taken.store(ChainWord::make(Offset{head}, 0).word, std::memory_order_release);
      line_->uncertain.store(0, std::memory_order_release);
      step(Step::wait_taken);
      work_on_taken(horizon);
    } else {
      line_->uncertain.store(0, std::memory_order_release);
    }
  }
  // Own chunks that are not full yet.
  for (auto& open : line_->open_chunks) {
    const Offset offset{open.load(std::memory_order_relaxed)};
    const WaitingChunk* const chunk = waiting_chunk(*heap_, offset);
    if (chunk == nullptr || horizon.is_visible(chunk->blocking)) continue;
    line_->uncertain.store(offset.value, std::memory_order_release);
    open.store(0, std::memory_order_release);
    line_->taken.store(ChainWord::make(offset, 0).word, std::memory_order_release);
    line_->uncertain.store(0, std::memory_order_release);
    work_on_taken(horizon);
  }
}

void Reclaimer::work_on_taken(const Horizon& horizon) {
  if (horizon.open()) return;
  // More chunks than the file can hold are a circle.
  for (std::uint64_t chunk_count_max = heap_->file_size().value / format::waiting_chunk_size;; --chunk_count_max) {
    const ChainWord at{line_->taken.load(std::memory_order_relaxed)};
    const Offset offset = at.offset();
    auto* chunk = waiting_chunk(*heap_, offset);
    if (chunk == nullptr || chunk_count_max == 0) {
      // The end; or damage: what would follow leaks.
      if (offset) line_->taken.store(0, std::memory_order_release);
      return;
    }
    const Offset next{chunk->next};
    const std::uint64_t next_word = waiting_chunk(*heap_, next) != nullptr ? ChainWord::make(next, 0).word : 0;
    if (at.count() == 0 && horizon.is_visible(chunk->blocking)) {
      line_->uncertain.store(offset.value, std::memory_order_release);
      line_->taken.store(next_word, std::memory_order_release);
      file_chunk(offset);
      continue;
    }
    for (std::uint64_t i = at.count(); i < chunk->count; ++i) {
      const WaitingEntry waiting = chunk->entries()[i];
      const ReplacedEntry entry{waiting.entry};
      line_->taken.store(ChainWord::make(offset, i + 1).word, std::memory_order_release);
      step(Step::drain_counted);
      if (plausible(*heap_, entry.offset())) release(entry, waiting.replaced_by, horizon, 0);
    }
    line_->taken.store(next_word, std::memory_order_release);
    // A damaged list may come back to it: it is no chunk any more.
    chunk->header.kind = format::Kind::none;
    free(offset);
  }
}

std::uint64_t Reclaimer::remaining(const heap::Heap& heap, const CommitBlock* commit) {
  const std::uint64_t most = blocks_max(heap);
  std::uint64_t out = 0;
  for (std::uint64_t i = 0; i < std::min<std::uint64_t>(commit->replaced_count, format::replaced_max); ++i) {
    out += blocks_of(heap, ReplacedEntry{commit->replaced[i]}, most - std::min(out, most));
  }
  return out;
}

std::uint64_t Reclaimer::waiting_in(const heap::Heap& heap, const WaitingChunk* chunk) {
  const std::uint64_t most = blocks_max(heap);
  std::uint64_t out = 0;
  for (std::uint64_t i = 0; i < chunk->count; ++i) {
    out += blocks_of(heap, ReplacedEntry{chunk->entries()[i].entry}, most - std::min(out, most));
  }
  return out;
}

}  // namespace utan::commit
