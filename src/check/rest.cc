#include "check/rest.h"

#include <algorithm>
#include <bit>
#include <string>

namespace utan::check {

using format::AllocatorSlot;
using format::ChainWord;
using format::CommitBlock;
using format::Kind;
using format::Line;
using format::List;
using format::ReplacedEntry;
using format::WaitingChunk;

namespace {

// A list of replaced blocks may name a list of extents, which names extents.
constexpr unsigned list_depth_max = 3;

}  // namespace

bool RestWalk::is_in_use(Offset offset, std::uint64_t size_min, Place& out) const {
  out = blocks_->place_of(offset);
  return out && out.room >= size_min && blocks_->handed_out(out);
}

// --- What waits to be freed --------------------------------------------------------------------------------------------

void RestWalk::wait(ReplacedEntry entry, std::uint64_t replaced_by, const char* where, unsigned depth) {
  const Offset offset = entry.offset();
  const std::string what = std::string(where) + ": ";
  Place place;
  if (!is_in_use(offset, format::block_size_min, place)) {
    findings_->add(offset, what + "waits to be freed, and is free or no block");
    return;
  }
  if (!waiting_.insert(place.bit)) {
    findings_->add(offset, what + "waits to be freed twice");
    return;
  }
  const auto* header = blocks_->at<format::BlockHeader>(offset);
  if (header->birth > replaced_by) findings_->add(offset, what + "was replaced before it was born");
  if (entry.how() != ReplacedEntry::How::list) return;
  const auto* list = blocks_->at<List>(offset);
  const std::uint64_t count = list->count;
  if (header->kind != Kind::list || List::size_for(std::min(count, format::list_entries_max + 1)) > place.room ||
      depth == list_depth_max) {
    findings_->add(offset, what + "is freed as a list, and is none");
    return;
  }
  for (std::uint64_t i = list->drained; i < count; ++i)
    wait(ReplacedEntry{list->entries()[i]}, replaced_by, where, depth + 1);
}

void RestWalk::walk_queue(const Line& line) {
  const ChainWord front{line.queue.load(std::memory_order_relaxed)};
  std::uint64_t done = front.count();
  std::uint64_t last = 0;
  for (Offset offset = front.offset(); offset;) {
    Place place;
    if (!is_in_use(offset, sizeof(CommitBlock), place)) {
      findings_->add(offset, "queue: is no commit block in use");
      return;
    }
    const auto* commit = blocks_->at<CommitBlock>(offset);
    if (commit->header.kind != Kind::commit || commit->header.birth <= last) {
      findings_->add(offset, "queue: is not the next commit of its line");
      return;
    }
    last = commit->header.birth;
    if (!waiting_.insert(place.bit)) {
      findings_->add(offset, "queue: is queued twice");
      return;
    }
    const std::uint64_t count = std::min<std::uint64_t>(commit->replaced_count, format::replaced_max);
    for (std::uint64_t i = done; i < count; ++i) wait(ReplacedEntry{commit->replaced[i]}, last, "queue", 0);
    done = 0;
    offset = Offset{commit->owner_next};
  }
}

void RestWalk::walk_chunks(Offset first, std::uint64_t done, bool chain, const char* where) {
  for (Offset offset = first; offset;) {
    Place place;
    if (!is_in_use(offset, format::waiting_chunk_size, place) || !waiting_.insert(place.bit)) {
      findings_->add(offset, std::string(where) + ": is a chunk that is free or listed twice");
      return;
    }
    const auto* chunk = blocks_->at<WaitingChunk>(offset);
    const std::uint64_t count = chunk->count;
    if (chunk->header.kind != Kind::waiting || count > format::waiting_entries_max) {
      findings_->add(offset, std::string(where) + ": is no chunk");
      return;
    }
    for (std::uint64_t i = done; i < count; ++i) {
      const format::WaitingEntry entry = chunk->entries()[i];
      wait(ReplacedEntry{entry.entry}, entry.replaced_by, where, 0);
    }
    done = 0;
    offset = chain ? Offset{chunk->next} : Offset{};
  }
}

// --- What lines may hand out -------------------------------------------------------------------------------------------

void RestWalk::walk_stash(const Line& line, std::uint64_t index, unsigned size_class) {
  const std::uint64_t capacity = format::stash_capacity(size_class);
  const std::uint64_t stashed = line.allocator[size_class].stashed.load(std::memory_order_relaxed);
  if (stashed > capacity)
    findings_->add("line " + std::to_string(index) + ": has no room for " + std::to_string(stashed) + " free blocks");
  for (std::uint64_t i = 0; i < std::min(stashed, capacity); ++i) {
    const Offset offset{line.stash[format::stash_starts[size_class] + i].load(std::memory_order_relaxed)};
    Place place;
    if (!is_in_use(offset, format::block_size_min, place)) {
      findings_->add(offset, "stash: no block begins there, or its bit says that it is free");
      continue;
    }
    if (place.size_class != size_class) findings_->add(offset, "stash: is among blocks of another size");
    if (!held_.insert(place.bit)) findings_->add(offset, "stash: may be handed out by two");
  }
}

void RestWalk::walk_mask(const Line& line, unsigned size_class) {
  const AllocatorSlot& slot = line.allocator[size_class];
  const std::uint64_t place = slot.place.load(std::memory_order_relaxed);
  if (place == 0) return;
  const SegmentIndex segment = AllocatorSlot::place_segment(place);
  const std::string name = "segment " + std::to_string(segment.value);
  if (segment.value >= blocks_->segment_count() || format::describes_region(segment)) {
    findings_->add(name + ": is in a mask, and holds no blocks");
    return;
  }
  const unsigned word = AllocatorSlot::place_word(place);
  const std::uint64_t mask = slot.mask.load(std::memory_order_relaxed);
  for (std::uint64_t rest = mask; rest != 0; rest &= rest - 1) {
    const std::uint64_t index = word * 64u + static_cast<unsigned>(std::countr_zero(rest));
    if (!held_.insert(segment.value * bits_per_segment + index))
      findings_->add(name + ": block " + std::to_string(index) + " may be handed out by two");
  }
  // An owner who is about to take the blocks stores the mask first.
  if (line.owner.load(std::memory_order_relaxed) == 0 && (mask & ~blocks_->bitmap_word(segment, word)) != 0)
    findings_->add(name + ": a block in a mask has a clear bit");
}

void RestWalk::walk_line(const Line& line, std::uint64_t index) {
  // The stash of such a line is no stash.
  if (line.role.load(std::memory_order_relaxed) == static_cast<std::uint64_t>(format::LineRole::holds)) return;
  walk_queue(line);
  const ChainWord taken{line.taken.load(std::memory_order_relaxed)};
  walk_chunks(taken.offset(), taken.count(), true, "chunk being worked on");
  for (const auto& open : line.open_chunks)
    walk_chunks(Offset{open.load(std::memory_order_relaxed)}, 0, false, "chunk being filled");
  for (unsigned size_class = format::class_first; size_class < format::class_count; ++size_class) {
    walk_stash(line, index, size_class);
    walk_mask(line, size_class);
  }
}

void RestWalk::walk_lines(format::Coordination coordination) {
  const std::uint64_t lines =
      std::min({coordination.fixed().line_high.load(std::memory_order_relaxed),
                coordination.fixed().line_count.load(std::memory_order_relaxed), format::line_count_max});
  for (std::uint64_t i = 0; i < lines; ++i) walk_line(coordination.line(i), i);
  for (std::uint64_t i = 0; i < format::waiting_list_count; ++i)
    walk_chunks(Offset{coordination.waiting_list(i).load(std::memory_order_relaxed)}, 0, true, "waiting list");
}

void RestWalk::compare_with_head(const BlockSet& in_head, Offset head) {
  // The commit block of head is in its writer's queue.
  const std::uint64_t head_bit = blocks_->place_of(head).bit;
  in_head.each_shared(waiting_, [&](std::uint64_t bit) {
    if (bit != head_bit)
      findings_->add(blocks_->offset_of(bit), "the newest commit reaches it, and it waits to be freed");
  });
}

// --- Segments and bitmaps -----------------------------------------------------------------------------------------------

void RestWalk::walk_segments() {
  for (std::uint64_t s = 0; s < blocks_->segment_count(); ++s) {
    if (format::describes_region(SegmentIndex{s})) continue;
    const unsigned size_class = blocks_->class_of(SegmentIndex{s}).size_class();
    if (size_class >= format::class_count)
      findings_->add("segment " + std::to_string(s) + ": there is no size class " + std::to_string(size_class));
  }
}

void RestWalk::walk_segment(SegmentIndex segment, const BlockSet& reachable, Report& report) {
  const format::ClassWord word = blocks_->class_of(segment);
  const unsigned size_class = word.size_class();
  if (size_class != format::class_run && !format::is_small_class(size_class)) return;
  const bool is_run = size_class == format::class_run;
  const std::uint64_t size =
      is_run ? word.run_length() * format::segment_size : format::size_classes[size_class].block_size;
  const std::uint64_t words = is_run ? 1 : format::size_classes[size_class].word_count;
  for (unsigned i = 0; i < words; ++i) {
    const std::uint64_t place = segment.value * format::bitmap_words + i;
    const std::uint64_t used = reachable.word_at(place) | waiting_.word_at(place);
    const std::uint64_t held = held_.word_at(place);
    for (std::uint64_t both = held & used; both != 0; both &= both - 1) {
      findings_->add(blocks_->offset_of(place * 64 + static_cast<unsigned>(std::countr_zero(both))),
                     "is in use, and a line may hand it out");
    }
    const std::uint64_t bits = is_run ? 1 : format::used_bits(format::size_classes[size_class], i);
    const auto leaked =
        static_cast<std::uint64_t>(std::popcount(blocks_->bitmap_word(segment, i) & bits & ~used & ~held));
    report.leaked_count += leaked;
    report.leaked_size = report.leaked_size + ByteCount{leaked * size};
  }
}

void RestWalk::walk_bitmaps(const BlockSet& reachable, Report& report) {
  for (std::uint64_t s = 0; s < blocks_->segment_count(); ++s) {
    if (!format::describes_region(SegmentIndex{s})) walk_segment(SegmentIndex{s}, reachable, report);
  }
  report.reachable_count = reachable.count();
  report.waiting_count = waiting_.count();
  report.held_count = held_.count();
  report.whole = true;
}

}  // namespace utan::check
