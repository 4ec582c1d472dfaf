#include "commit/belief.h"

#include <algorithm>
#include <atomic>
#include <cstring>

#include "commit/new_coordination.h"
#include "format/layout.h"
#include "format/word.h"

namespace utan::commit {

using format::CheckpointSlot;
using format::CommitBlock;
using format::Coordination;
using format::CoordinationFixed;
using format::CoordinationHeader;
using format::HeadWord;

namespace {

// How often what moves is looked at again. Beyond that it moves too fast to be looked at: it is alive.
constexpr int looks_max = 1000;
// Lines beyond those that were used are looked at to this number: each is a page or more of a file that nobody has touched.
constexpr std::uint64_t unused_line_looks_max = 16;

CheckpointSlot slot_at(const std::byte* data, std::uint64_t index) {
  CheckpointSlot out;
  std::memcpy(&out, data + format::slot_offset(index).value, sizeof out);
  // acquire: pairs with write_checkpoint.
  std::atomic_thread_fence(std::memory_order_acquire);
  return out;
}

// Only a hostile hand makes these wrong: they lie below the checksum.
bool is_header_possible(const CoordinationHeader& header, ByteCount data_size) {
  return header.number_floor < format::commit_number_max && header.opening_number < header.number_floor &&
         header.trusted_from <= trusted_from_max(data_size);
}

bool are_lines_possible(const MappedStore& store) {
  const CoordinationFixed& fixed = store.coordination.fixed();
  // In this order: both only grow, and no line is used before it is counted.
  const std::uint64_t line_high = fixed.line_high.load(std::memory_order_acquire);
  const std::uint64_t line_count = fixed.line_count.load(std::memory_order_acquire);
  if (line_high > line_count || line_count > format::line_count_max ||
      format::coordination_size(line_count) > store.coordination_size.value) {
    return false;
  }
  // The pins of a line that scans do not come to would be overlooked.
  const std::uint64_t end = std::min(line_count, line_high + unused_line_looks_max);
  for (std::uint64_t i = line_high; i < end; ++i) {
    // In this order: the mark rises before a line is owned.
    const bool is_owned = store.coordination.line(i).owner.load(std::memory_order_acquire) != 0;
    if (is_owned && fixed.line_high.load(std::memory_order_seq_cst) <= i) return false;
  }
  return true;
}

// Is the slot's checkpoint durable, or is it claimed by who could not say any more that it is? In this order: the claim ends
// after `durable_number` has risen.
bool is_accounted_for(const Coordination& coordination, std::uint64_t index, const CheckpointSlot& slot) {
  return coordination.claim(index).number.load(std::memory_order_seq_cst) == slot.number ||
         coordination.fixed().durable_number.load(std::memory_order_seq_cst) >= slot.number;
}

// Does a slot have the newest durable checkpoint, and is there none that is newer and unprotected? `newest` is then the
// newest one. The slot with the newest durable checkpoint is never overwritten before there is a newer one.
bool are_checkpoints_possible(const MappedStore& store, CheckpointSlot& newest) {
  const auto& durable_number = store.coordination.fixed().durable_number;
  for (int looks = 0; looks < looks_max; ++looks) {
    const std::uint64_t durable = durable_number.load(std::memory_order_seq_cst);
    newest = CheckpointSlot{};
    for (std::uint64_t i = 0; i < format::checkpoint_slot_count; ++i) {
      const CheckpointSlot slot = slot_at(store.data, i);
      if (!format::valid_slot(slot, store.store_id)) continue;
      if (slot.number > durable && !is_accounted_for(store.coordination, i, slot)) return false;
      if (slot.number > newest.number) newest = slot;
    }
    if (newest.number >= durable) return true;
    if (durable_number.load(std::memory_order_seq_cst) == durable) return false;
  }
  return true;
}

bool is_size_possible(const MappedStore& store, const CheckpointSlot& newest) {
  // After the slots, whose sizes it had before: it only grows.
  const std::uint64_t size = store.coordination.fixed().file_size.load(std::memory_order_acquire);
  return size >= format::file_size_min && size <= store.data_size.value && size == usable_size(ByteCount{size}) &&
         size >= usable_size(ByteCount{newest.file_size});
}

// Is this head, a whole commit, as new as everything else says? `newest` was read before it, object_index_next is after it.
bool is_new_enough(const CoordinationFixed& fixed, const CommitBlock& commit, const CheckpointSlot& newest) {
  const std::uint64_t number = commit.header.birth;
  const bool is_of_this_incarnation = number == fixed.header.opening_number || number >= fixed.header.number_floor;
  // What the next container is called must be free.
  // Index 0 is the root's, which the counter need not have passed.
  const std::uint64_t next = std::max<std::uint64_t>(fixed.object_index_next.load(std::memory_order_acquire), 1);
  const std::uint64_t index_end = format::object_index_max + 1;
  // Each refusal when all are used up counts on.
  const bool is_next_free = next >= std::min(commit.object_index_high, index_end) && next <= 2 * index_end;
  return is_of_this_incarnation && number >= newest.number && is_next_free;
}

// Is there, at head, a commit block whose number is head's, and which can be the newest? Others may be committing.
bool is_head_possible(const MappedStore& store, const CheckpointSlot& newest) {
  const CoordinationFixed& fixed = store.coordination.fixed();
  HeadWord head{fixed.head.load(std::memory_order_seq_cst)};
  for (int looks = 0; looks < looks_max; ++looks) {
    const std::uint64_t at = head.block().value;
    if (at < format::regions_offset || at + sizeof(CommitBlock) > fixed.file_size.load(std::memory_order_acquire))
      return false;
    // Made longer since it was mapped here. Whoever pins it looks at it.
    if (at + sizeof(CommitBlock) > store.mapped.value) return true;
    const auto* mapped = reinterpret_cast<const CommitBlock*>(store.data + at);
    const std::uint64_t number = format::load_commit_number(mapped);
    CommitBlock block;
    std::memcpy(static_cast<void*>(&block), mapped, sizeof block);
    if (head.matches(number) && is_whole_commit(block, number)) return is_new_enough(fixed, block, newest);
    const HeadWord now{fixed.head.load(std::memory_order_seq_cst)};
    if (now == head) return false;
    head = now;
  }
  return true;
}

}  // namespace

bool is_believable(const MappedStore& store) {
  CheckpointSlot newest;
  return is_header_possible(store.coordination.fixed().header, store.data_size) && are_lines_possible(store) &&
         are_checkpoints_possible(store, newest) && is_size_possible(store, newest) && is_head_possible(store, newest);
}

bool is_whole_commit(const CommitBlock& block, std::uint64_t number) {
  return block.header.kind == format::Kind::commit && block.header.birth == number &&
         block.header.checksum ==
             format::checksum_header(block.header) +
                 format::checksum_words(&block, format::commit_checksum_first_word, format::commit_checksum_words);
}

CheckpointSlot newest_slot(const std::byte* data, const format::StoreId& store_id) {
  CheckpointSlot best{};
  for (std::uint64_t i = 0; i < format::checkpoint_slot_count; ++i) {
    const CheckpointSlot slot = slot_at(data, i);
    if (format::valid_slot(slot, store_id) && slot.number > best.number) best = slot;
  }
  return best;
}

std::uint64_t confirm_durable(Coordination coordination, const std::byte* data, const format::StoreId& store_id) {
  auto& durable_number = coordination.fixed().durable_number;
  std::uint64_t durable = durable_number.load(std::memory_order_seq_cst);
  for (;;) {
    const std::uint64_t newest = newest_slot(data, store_id).number;
    if (newest >= durable) return durable;
    // The slot was not overwritten while this stood. Unless it has risen meanwhile, it is wrong.
    if (durable_number.compare_exchange_strong(durable, newest, std::memory_order_seq_cst)) return newest;
  }
}

std::uint64_t trusted_from_max(ByteCount data_size) {
  const std::uint64_t regions =
      (format::segment_count(data_size) + format::segments_per_region - 1) / format::segments_per_region;
  return regions * format::segments_per_region;
}

}  // namespace utan::commit
