#include "check/walk.h"

#include <algorithm>
#include <bit>
#include <cstring>

namespace utan::check {

using format::BlockHeader;
using format::ChainWord;
using format::CommitBlock;
using format::Kind;
using format::ReplacedEntry;

namespace {

constexpr std::uint64_t no_bit = ~std::uint64_t{0};
constexpr std::uint64_t bits_per_segment = 512;

std::string at(Offset offset) { return "block " + std::to_string(offset.value); }

std::uint64_t block_size(const BlockHeader& header, std::uint64_t used) {
  return header.size_class < format::class_count && header.size_class != format::class_run
             ? format::size_classes[header.size_class].block_size
             : used;
}

}  // namespace

struct Walk::Table {
  std::uint64_t number = 0;
  std::uint64_t bucket_count = 0;
  std::uint64_t records = 0;
};

void Walk::problem(std::string text) {
  ++report_.problem_count;
  if (report_.problems.size() < problem_count_max) report_.problems.push_back(std::move(text));
}

// The number of the bit, in all bitmaps, that stands for the block that starts at `offset`.
std::uint64_t Walk::bit_of(Offset offset) const {
  if (offset.value < format::regions_offset || offset.value >= size_ || offset.value % 8 != 0) return no_bit;
  const SegmentIndex segment = format::segment_of(offset);
  if (format::describes_region(segment)) return no_bit;
  const auto& descriptor =
      *reinterpret_cast<const format::SegmentDescriptor*>(data_ + format::descriptor_offset(segment).value);
  const unsigned size_class = format::ClassWord{descriptor.class_word.load(std::memory_order_relaxed)}.size_class();
  const std::uint64_t distance = (offset - format::segment_start(segment)).value;
  if (size_class == format::class_run) return distance == 0 ? segment.value * bits_per_segment : no_bit;
  if (!format::is_small_class(size_class)) return no_bit;
  const auto& info = format::size_classes[size_class];
  if (distance % info.block_size != 0 || distance / info.block_size >= info.block_count) return no_bit;
  return segment.value * bits_per_segment + distance / info.block_size;
}

bool Walk::handed_out(Offset offset) const {
  const std::uint64_t bit = bit_of(offset);
  if (bit == no_bit) return false;
  const SegmentIndex segment{bit / bits_per_segment};
  const auto& bitmap = *reinterpret_cast<const format::Bitmap*>(data_ + format::bitmap_offset(segment).value);
  const std::uint64_t index = bit % bits_per_segment;
  return (bitmap.words[index / 64].load(std::memory_order_relaxed) >> (index % 64) & 1) != 0;
}

// Notes that the commit being walked refers to the block.
bool Walk::mark(Offset offset, const char* where) {
  const std::uint64_t bit = bit_of(offset);
  if (bit == no_bit) {
    problem(at(offset) + " (" + where + "): no block starts there");
    return false;
  }
  if (!in_commit_.insert(bit).second) {
    problem(at(offset) + " (" + where + "): referred to twice in one commit");
    return false;
  }
  if (!handed_out(offset)) problem(at(offset) + " (" + where + "): reachable, but its bit says that it is free");
  reachable_.insert(bit);
  return true;
}

const BlockHeader* Walk::block(Offset offset, Kind kind, std::uint64_t number, const char* where) {
  if (offset.value < format::regions_offset || offset.value > size_ - format::block_size_min || offset.value % 8 != 0) {
    problem(at(offset) + " (" + where + "): outside the file or not aligned");
    return nullptr;
  }
  const auto* header = reinterpret_cast<const BlockHeader*>(data_ + offset.value);
  if (header->kind != kind) {
    problem(at(offset) + " (" + where + "): kind " + std::to_string(static_cast<int>(header->kind)) + ", expected " +
            std::to_string(static_cast<int>(kind)));
    return nullptr;
  }
  if (header->birth > number) {
    problem(at(offset) + " (" + where + "): born in commit " + std::to_string(header->birth) + ", read in " +
            std::to_string(number));
    return nullptr;
  }
  if (!mark(offset, where)) return nullptr;
  const SegmentIndex segment = format::segment_of(offset);
  const auto& descriptor =
      *reinterpret_cast<const format::SegmentDescriptor*>(data_ + format::descriptor_offset(segment).value);
  if (format::ClassWord{descriptor.class_word.load(std::memory_order_relaxed)}.size_class() != header->size_class) {
    problem(at(offset) + " (" + where + "): its size class is not its segment's");
    return nullptr;
  }
  return header;
}

void Walk::check_node_sum(const BlockHeader* header, std::uint64_t words, Offset offset) {
  if (words * 8 > block_size(*header, words * 8) || offset.value + words * 8 > size_) {
    problem(at(offset) + ": longer than its block");
    return;
  }
  const std::uint32_t sum = format::checksum_header(*header) + format::checksum_words(header, 2, words - 2);
  if (sum != header->checksum) problem(at(offset) + ": checksum does not match");
}

void Walk::check_payload_sum(const BlockHeader* header, std::uint64_t bytes, Offset offset) {
  if (bytes > block_size(*header, bytes) || offset.value + bytes > size_) {
    problem(at(offset) + ": longer than its block");
    return;
  }
  const std::uint32_t sum =
      format::checksum_header(*header) + format::checksum_payload(header + 1, bytes - sizeof(BlockHeader));
  if (sum != header->checksum) problem(at(offset) + ": checksum does not match");
}

// --- Commits, objects, tables ----------------------------------------------------------------------------------------

void Walk::walk_commit(Offset offset, std::uint64_t number, bool newest) {
  in_commit_.clear();
  newest_ = newest;
  const auto* commit = reinterpret_cast<const CommitBlock*>(block(offset, Kind::commit, number, "commit block"));
  if (commit == nullptr) return;
  if (commit->header.birth != number) problem(at(offset) + ": commit block of another number");
  const std::uint32_t sum =
      format::checksum_header(commit->header) +
      format::checksum_words(commit, format::commit_checksum_first_word, format::commit_checksum_words);
  if (sum != commit->header.checksum) problem(at(offset) + ": commit block's checksum does not match");
  if (commit->object_table_root != 0) {
    walk_objects(Offset{commit->object_table_root},
                 std::min(commit->object_table_depth, format::object_table_depth_max), number);
  }
}

void Walk::walk_objects(Offset offset, std::uint64_t depth, std::uint64_t number) {
  if (depth == 0) {
    const auto* leaf =
        reinterpret_cast<const format::ObjectLeaf*>(block(offset, Kind::object_leaf, number, "object table"));
    if (leaf == nullptr || leaf->count() > format::object_leaf_fanout) return;
    check_node_sum(&leaf->header, 2 + leaf->count() * 2, offset);
    for (std::uint64_t i = 0; i < leaf->count(); ++i) {
      if (leaf->entries()[i].root != 0) walk_table(Offset{leaf->entries()[i].root}, number);
    }
    return;
  }
  const auto* branch =
      reinterpret_cast<const format::ObjectBranch*>(block(offset, Kind::object_branch, number, "object table"));
  if (branch == nullptr || branch->count() > format::object_branch_fanout) return;
  check_node_sum(&branch->header, 2 + branch->count(), offset);
  for (std::uint64_t i = 0; i < branch->count(); ++i) {
    if (branch->entries()[i] != 0) walk_objects(Offset{branch->entries()[i]}, depth - 1, number);
  }
}

void Walk::walk_table(Offset offset, std::uint64_t number) {
  const auto* root = reinterpret_cast<const format::TableRoot*>(block(offset, Kind::table_root, number, "table"));
  if (root == nullptr) return;
  if (root->depth() > format::table_depth_max || root->bucket_count == 0 || root->bucket_count > size_ / 8) {
    problem(at(offset) + ": impossible counts in a table");
    return;
  }
  std::uint64_t span = 1;
  for (std::uint64_t i = 0; i < root->depth(); ++i) span *= format::directory_fanout;
  const std::uint64_t top = (root->bucket_count + span - 1) / span;
  if (top > format::table_top_fanout) {
    problem(at(offset) + ": a table's root has too many entries");
    return;
  }
  check_node_sum(&root->header, 4 + top, offset);
  Table table{number, root->bucket_count, 0};
  for (std::uint64_t i = 0; i < top; ++i) {
    walk_directory(Offset{root->entries()[i]}, root->depth(), i * span, table);
  }
  if (table.records != root->record_count) {
    problem(at(offset) + ": a table says " + std::to_string(root->record_count) + " records and has " +
            std::to_string(table.records));
  }
  if (newest_) report_.record_count += table.records;
}

void Walk::walk_directory(Offset offset, std::uint64_t height, std::uint64_t first_bucket, Table& table) {
  if (height == 0) {
    if (first_bucket >= table.bucket_count) {
      problem(at(offset) + ": a bucket beyond the last one");
    } else if (offset) {
      walk_bucket(offset, first_bucket, table);
    }
    return;
  }
  const auto* directory =
      reinterpret_cast<const format::Directory*>(block(offset, Kind::directory, table.number, "directory"));
  if (directory == nullptr || directory->count() > format::directory_fanout) return;
  check_node_sum(&directory->header, 2 + directory->count(), offset);
  std::uint64_t span = 1;
  for (std::uint64_t i = 1; i < height; ++i) span *= format::directory_fanout;
  const std::uint64_t wanted =
      std::min(format::directory_fanout, (table.bucket_count - first_bucket + span - 1) / span);
  if (directory->count() != wanted) {
    problem(at(offset) + ": a directory has " + std::to_string(directory->count()) + " entries, expected " +
            std::to_string(wanted));
    return;
  }
  for (std::uint64_t i = 0; i < directory->count(); ++i) {
    walk_directory(Offset{directory->entries()[i]}, height - 1, first_bucket + i * span, table);
  }
}

void Walk::walk_bucket(Offset offset, std::uint64_t bucket, Table& table) {
  const auto* slots = reinterpret_cast<const format::Bucket*>(block(offset, Kind::bucket, table.number, "bucket"));
  if (slots == nullptr) return;
  if (slots->count() == 0) problem(at(offset) + ": an empty bucket");
  check_node_sum(&slots->header, 2 + slots->count(), offset);
  for (std::uint64_t i = 0; i < slots->count(); ++i) {
    const format::BucketEntry entry{slots->entries()[i]};
    walk_record(entry.record(), bucket, entry.tag(), slots->base_level(), table);
  }
}

void Walk::walk_record(Offset offset, std::uint64_t bucket, std::uint64_t tag, std::uint64_t base_level, Table& table) {
  const auto* record = reinterpret_cast<const format::Record*>(block(offset, Kind::record, table.number, "record"));
  if (record == nullptr) return;
  ++table.records;
  const std::uint64_t size = record->size();
  check_payload_sum(&record->header, size, offset);
  if (offset.value + size > size_) return;
  const std::uint64_t hash = format::hash_key(record->key(), record->key_size, hash_seed_);
  const std::uint64_t mask = std::bit_ceil(table.bucket_count) - 1;
  const std::uint64_t wanted = (hash & mask) < table.bucket_count ? hash & mask : hash & (mask >> 1);
  if (wanted != bucket)
    problem(at(offset) + ": a record in bucket " + std::to_string(bucket) + ", belongs in " + std::to_string(wanted));
  if (((hash >> base_level) & format::BucketEntry::tag_mask) != tag)
    problem(at(offset) + ": its slot has another hash");
  if (!format::is_large(record->value_tag())) return;
  std::uint64_t list_at;
  std::memcpy(&list_at, record->value(), sizeof list_at);
  const auto* list =
      reinterpret_cast<const format::List*>(block(Offset{list_at}, Kind::list, table.number, "list of extents"));
  const std::uint64_t count = (record->value_size + format::extent_payload_max - 1) / format::extent_payload_max;
  if (list == nullptr || list->count != count || list->drained != 0) {
    problem(at(Offset{list_at}) + ": a wrong list of extents");
    return;
  }
  if (format::checksum_header(list->header) +
          format::checksum_words(list, format::list_checksum_first_word, 1 + count) !=
      list->header.checksum) {
    problem(at(Offset{list_at}) + ": checksum does not match");
  }
  std::uint64_t rest = record->value_size;
  for (std::uint64_t i = 0; i < count; ++i) {
    const Offset extent = ReplacedEntry{list->entries()[i]}.offset();
    const BlockHeader* header = block(extent, Kind::extent, table.number, "extent");
    const std::uint64_t part = std::min(rest, format::extent_payload_max);
    if (header != nullptr) check_payload_sum(header, sizeof(format::Extent) + part, extent);
    rest -= part;
  }
}

// --- Queues, chunks, masks -------------------------------------------------------------------------------------------

void Walk::wait(ReplacedEntry entry, std::uint64_t replaced_by, const char* where) {
  const Offset offset = entry.offset();
  const std::uint64_t bit = bit_of(offset);
  if (bit == no_bit || !handed_out(offset)) {
    problem(at(offset) + " (" + where + "): waits to be freed, but is free");
    return;
  }
  if (!waiting_.insert(bit).second) problem(at(offset) + " (" + where + "): waits to be freed twice");
  const auto* header = reinterpret_cast<const BlockHeader*>(data_ + offset.value);
  if (header->birth > replaced_by) problem(at(offset) + " (" + where + "): replaced before it was born");
  if (entry.how() == ReplacedEntry::How::list) {
    const auto* list = reinterpret_cast<const format::List*>(header);
    for (std::uint64_t i = list->drained; i < std::min(list->count, format::list_entries_max); ++i) {
      wait(ReplacedEntry{list->entries()[i]}, replaced_by, where);
    }
  }
}

void Walk::walk_queue(const format::Line& line) {
  ChainWord front{line.queue.load(std::memory_order_relaxed)};
  std::uint64_t done = front.count();
  Offset offset = front.offset();
  std::uint64_t last = 0;
  while (offset) {
    const std::uint64_t bit = bit_of(offset);
    if (bit == no_bit || !handed_out(offset)) {
      problem(at(offset) + " (queue): not a commit block that is handed out");
      return;
    }
    const auto* commit = reinterpret_cast<const CommitBlock*>(data_ + offset.value);
    if (commit->header.kind != Kind::commit || commit->header.birth <= last) {
      problem(at(offset) + " (queue): not the next commit of its line");
      return;
    }
    last = commit->header.birth;
    if (!waiting_.insert(bit).second) problem(at(offset) + " (queue): queued twice");
    for (std::uint64_t i = done; i < std::min<std::uint64_t>(commit->replaced_count, format::replaced_max); ++i) {
      wait(ReplacedEntry{commit->replaced[i]}, last, "queue");
    }
    done = 0;
    offset = Offset{commit->owner_next};
  }
}

void Walk::walk_chunks(std::uint64_t first, std::uint64_t done, bool chain, const char* where) {
  Offset offset{first};
  while (offset) {
    const std::uint64_t bit = bit_of(offset);
    if (bit == no_bit || !handed_out(offset) || !waiting_.insert(bit).second) {
      problem(at(offset) + " (" + where + "): a chunk that is free or listed twice");
      return;
    }
    const auto* chunk = reinterpret_cast<const format::WaitingChunk*>(data_ + offset.value);
    if (chunk->header.kind != Kind::waiting || chunk->count > format::waiting_entries_max) {
      problem(at(offset) + " (" + where + "): not a chunk");
      return;
    }
    for (std::uint64_t i = done; i < chunk->count; ++i) {
      wait(ReplacedEntry{chunk->entries()[i].entry}, chunk->entries()[i].replaced_by, where);
    }
    done = 0;
    offset = chain ? Offset{chunk->next} : Offset{};
  }
}

void Walk::walk_stashed(Offset offset, unsigned size_class) {
  const std::uint64_t bit = bit_of(offset);
  if (bit == no_bit || !handed_out(offset)) {
    problem(at(offset) + " (stash): no block starts there, or its bit is clear");
    return;
  }
  const auto& descriptor = *reinterpret_cast<const format::SegmentDescriptor*>(
      data_ + format::descriptor_offset(format::segment_of(offset)).value);
  if (format::ClassWord{descriptor.class_word.load(std::memory_order_relaxed)}.size_class() != size_class) {
    problem(at(offset) + " (stash): among blocks of another size");
  }
  if (!held_.insert(bit).second) problem(at(offset) + " (stash): free to be handed out by two");
}

void Walk::walk_lines() {
  const std::uint64_t lines = coordination_.fixed().line_high.load(std::memory_order_relaxed);
  for (std::uint64_t i = 0; i < lines; ++i) {
    const format::Line& line = coordination_.line(i);
    walk_queue(line);
    const ChainWord taken{line.taken.load(std::memory_order_relaxed)};
    walk_chunks(taken.offset().value, taken.count(), true, "taken");
    for (const auto& open : line.open_chunks) walk_chunks(open.load(std::memory_order_relaxed), 0, false, "open chunk");
    for (unsigned c = format::class_first; c < format::class_count; ++c) {
      const auto& slot = line.allocator[c];
      const std::uint64_t place = slot.place.load(std::memory_order_relaxed);
      const std::uint64_t mask = slot.mask.load(std::memory_order_relaxed);
      const std::uint64_t stashed = slot.stashed.load(std::memory_order_relaxed);
      if (stashed > format::stash_capacity(c)) problem("line " + std::to_string(i) + ": an impossible stash");
      for (std::uint64_t j = 0; j < std::min(stashed, format::stash_capacity(c)); ++j) {
        walk_stashed(Offset{line.stash[format::stash_starts[c] + j].load(std::memory_order_relaxed)}, c);
      }
      if (place == 0) continue;
      const SegmentIndex segment = format::AllocatorSlot::place_segment(place);
      const unsigned word = format::AllocatorSlot::place_word(place);
      for (std::uint64_t rest = mask; rest != 0; rest &= rest - 1) {
        const std::uint64_t index = word * 64u + static_cast<unsigned>(std::countr_zero(rest));
        if (!held_.insert(segment.value * bits_per_segment + index).second) {
          problem("segment " + std::to_string(segment.value) + ": a block is in the masks of two lines");
        }
        const auto& bitmap = *reinterpret_cast<const format::Bitmap*>(data_ + format::bitmap_offset(segment).value);
        // An owner who is about to take the blocks stores the mask first.
        if (line.owner.load(std::memory_order_relaxed) == 0 &&
            (bitmap.words[word].load(std::memory_order_relaxed) >> (index % 64) & 1) == 0) {
          problem("segment " + std::to_string(segment.value) + ": a block in a mask has a clear bit");
        }
      }
    }
  }
  for (std::uint64_t i = 0; i < format::waiting_list_count; ++i) {
    walk_chunks(coordination_.waiting_list(i).load(std::memory_order_relaxed), 0, true, "waiting list");
  }
}

void Walk::walk_bitmaps() {
  const std::uint64_t segments = format::segment_count(ByteCount{size_});
  for (std::uint64_t s = 0; s < segments; ++s) {
    const SegmentIndex segment{s};
    if (format::describes_region(segment)) continue;
    const auto& descriptor =
        *reinterpret_cast<const format::SegmentDescriptor*>(data_ + format::descriptor_offset(segment).value);
    const unsigned size_class = format::ClassWord{descriptor.class_word.load(std::memory_order_relaxed)}.size_class();
    if (size_class == format::class_empty || size_class == format::class_run_body) continue;
    const std::uint64_t blocks = size_class == format::class_run ? 1 : format::size_classes[size_class].block_count;
    const auto& bitmap = *reinterpret_cast<const format::Bitmap*>(data_ + format::bitmap_offset(segment).value);
    for (std::uint64_t i = 0; i < blocks; ++i) {
      const std::uint64_t bit = s * bits_per_segment + i;
      const bool set = (bitmap.words[i / 64].load(std::memory_order_relaxed) >> (i % 64) & 1) != 0;
      const bool held = held_.contains(bit);
      if (held && (reachable_.contains(bit) || waiting_.contains(bit))) {
        problem("segment " + std::to_string(s) + " block " + std::to_string(i) + ": in a mask and in use");
      }
      if (set && !held && !reachable_.contains(bit) && !waiting_.contains(bit)) ++report_.leaked_count;
    }
  }
}

// Of a file that nobody has open: nobody pins, holds or waits.
Report Walk::run_at_rest() {
  format::CheckpointSlot newest{};
  for (std::uint64_t i = 0; i < format::checkpoint_slot_count; ++i) {
    format::CheckpointSlot slot;
    std::memcpy(&slot, data_ + format::slot_offset(i).value, sizeof slot);
    if (slot.checksum == format::slot_checksum(slot) && slot.number > newest.number) newest = slot;
  }
  if (newest.number == 0) {
    problem("no checkpoint slot is valid");
    return report_;
  }
  walk_commit(Offset{newest.offset}, newest.number, true);
  walk_bitmaps();
  report_.reachable_count = reachable_.size();
  return report_;
}

Report Walk::run() {
  if (size_ < format::regions_offset) {
    problem("the file ends at " + std::to_string(size_) + " bytes, inside its description");
    return report_;
  }
  if (!coordination_) return run_at_rest();
  const auto& fixed = coordination_.fixed();
  const format::HeadWord head{fixed.head.load(std::memory_order_relaxed)};
  const auto* newest = reinterpret_cast<const CommitBlock*>(data_ + head.block().value);
  const std::uint64_t number = newest->header.birth;
  if (!head.matches(number)) problem("head's tag is not its commit's number");
  walk_commit(head.block(), number, true);
  const std::unordered_set<std::uint64_t> in_head = in_commit_;
  const auto pinned = [&](const format::PinSlot& pin) {
    const std::uint64_t at_number = pin.number.load(std::memory_order_relaxed);
    if (at_number == format::pin_free || at_number == format::pin_open || at_number == number) return;
    walk_commit(Offset{pin.offset.load(std::memory_order_relaxed)}, at_number, false);
  };
  const std::uint64_t lines = fixed.line_high.load(std::memory_order_relaxed);
  for (std::uint64_t i = 0; i < lines; ++i) {
    const format::Line& line = coordination_.line(i);
    for (const auto& pin : line.pins) pinned(pin);
    for (const auto& extra : line.extra_pins) {
      for (const auto& pin : extra.pins) pinned(pin);
    }
  }
  const std::uint64_t durable = fixed.durable_number.load(std::memory_order_relaxed);
  for (std::uint64_t i = 0; i < format::checkpoint_slot_count; ++i) {
    format::CheckpointSlot slot;
    std::memcpy(&slot, data_ + format::slot_offset(i).value, sizeof slot);
    if (slot.number == durable && durable != number && slot.checksum == format::slot_checksum(slot)) {
      walk_commit(Offset{slot.offset}, slot.number, false);
    }
  }
  walk_lines();
  for (const std::uint64_t bit : in_head) {
    // The commit block of head is in its writer's queue.
    if (waiting_.contains(bit) && bit != bit_of(head.block())) {
      problem("segment " + std::to_string(bit / bits_per_segment) + " block " + std::to_string(bit % bits_per_segment) +
              ": reachable from head, and waits to be freed");
    }
  }
  walk_bitmaps();
  report_.reachable_count = reachable_.size();
  report_.waiting_count = waiting_.size();
  report_.held_count = held_.size();
  return report_;
}

}  // namespace utan::check
