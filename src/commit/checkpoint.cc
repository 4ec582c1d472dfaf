// Checkpoints: making a commit one that the data file alone can be opened at (rules D4, D5, D7).
//
// Pin the newest commit; flush the data; claim a slot; write it; flush. From the moment the slot is written the kernel
// may bring it to the disk at any time, so its claim protects the commit until a checkpoint at least as new is known to
// be durable, also when the writer dies in between.
#include <algorithm>
#include <cstring>
#include <string>

#include "base/check.h"
#include "base/interruption.h"
#include "base/step.h"
#include "commit/belief.h"
#include "commit/place.h"
#include "commit/session.h"
#include "commit/thread.h"

namespace utan::commit {

using format::CheckpointClaim;
using format::CheckpointSlot;

namespace {

// Is the process that claimed a slot still there? Its entry has moved on when it was adopted or left.
bool claimant_gone(const format::Coordination& coordination, std::uint64_t claimant) {
  const format::OwnerOfLine owner{claimant};
  if (owner.entry() >= format::process_entry_count) return true;
  const std::uint64_t claim = coordination.entry(owner.entry()).claim.load(std::memory_order_acquire);
  return (claim & 1) == 0 || format::OwnerOfLine::make(owner.entry(), claim >> 1).word != claimant;
}

}  // namespace

Error Session::fail_flush(Error error) {
  auto& fixed = coordination_.fixed();
  fixed.health_errno.store(static_cast<std::uint64_t>(error.system_error()), std::memory_order_relaxed);
  fixed.health.store(static_cast<std::uint64_t>(format::Health::flush_failed), std::memory_order_release);
  return named(Error(error.code(), error.system_error(),
                     error.message() + ". Since a flush failed the store is read only: close it everywhere and open it "
                                       "again to go on from the last checkpoint"),
               path_);
}

Error Session::flush_has_failed() const {
  return Error(Code::read_only, path_ + ": the store is read only since a flush failed (error " +
                                    std::to_string(coordination_.fixed().health_errno.load(std::memory_order_relaxed)) +
                                    "): close it everywhere and open it again; what was not durable is lost");
}

// Flushes the data file (D5). After a flush that failed the kernel takes for clean what never came to the disk, so that
// a later one says nothing of it: one that somebody else's failure came before is a failure, too. The kernel tells of a
// failure everyone who had the file open then, at his next flush; `health` tells the others.
Result<void> Session::flush() {
  if (Result<void> flushed = data_file_->flush(); !flushed.ok()) return fail_flush(std::move(flushed).error());
  // acquire: pairs with fail_flush.
  if (coordination_.fixed().health.load(std::memory_order_acquire) != 0) return flush_has_failed();
  return {};
}

// The same of very much, in parts, so that a caller who wants it to end does not wait for all of it: the flush at the end
// is then short.
Result<void> Session::flush_patiently() {
  constexpr std::uint64_t part_min = 4 << 20;
  constexpr std::uint64_t part_count_max = 1024;
  const std::uint64_t size = heap_.file_size().value;
  const std::uint64_t part = std::max(part_min, size / part_count_max);
  for (std::uint64_t at = 0; has_question() && at < size; at += part) {
    if (is_interrupted()) return interruption();
    if (Result<void> written = data_file_->write_back(Offset{at}, ByteCount{std::min(part, size - at)}); !written.ok())
      return fail_flush(std::move(written).error());
  }
  return flush();
}

Result<void> Session::still_current() const {
  if (!reads_alone_) return {};
  const std::uint64_t read_number = coordination_.fixed().header.opening_number;
  for (std::uint64_t i = 0; i < format::checkpoint_slot_count; ++i) {
    CheckpointSlot slot;
    std::memcpy(&slot, data_map_->data() + format::slot_offset(i).value, sizeof slot);
    if (slot.number <= read_number || slot.checksum != format::slot_checksum(slot)) continue;
    return Error(Code::in_use,
                 path_ +
                     ": somebody has written to the store since it was opened here to be read without its "
                     "lock file: open it again to read what is there now");
  }
  return {};
}

// A slot that nobody alive is writing and that does not hold the newest checkpoint: the oldest of them.
std::uint64_t Session::claim_slot() {
  for (;;) {
    const std::uint64_t durable = coordination_.fixed().durable_number.load(std::memory_order_seq_cst);
    std::uint64_t best = format::checkpoint_slot_count;
    std::uint64_t best_number = ~std::uint64_t{0};
    std::uint64_t best_claimant = 0;
    for (std::uint64_t i = 0; i < format::checkpoint_slot_count; ++i) {
      const CheckpointClaim& claim = coordination_.claim(i);
      const std::uint64_t claimant = claim.claimant.load(std::memory_order_acquire);
      const std::uint64_t claimed = claim.number.load(std::memory_order_acquire);
      if (claimant != 0 && (claimed > durable || !claimant_gone(coordination_, claimant))) continue;
      CheckpointSlot slot;
      std::memcpy(&slot, data_map_->data() + format::slot_offset(i).value, sizeof slot);
      const std::uint64_t number = slot.checksum == format::slot_checksum(slot) ? slot.number : 0;
      if (number >= durable || number >= best_number) continue;
      best = i;
      best_number = number;
      best_claimant = claimant;
    }
    if (best == format::checkpoint_slot_count) return best;
    CheckpointClaim& claim = coordination_.claim(best);
    if (!claim.claimant.compare_exchange_strong(best_claimant, owner_.word, std::memory_order_acq_rel)) continue;
    // Between the look and the claim somebody may have claimed it, made the newest checkpoint in it and let go.
    CheckpointSlot slot;
    std::memcpy(&slot, data_map_->data() + format::slot_offset(best).value, sizeof slot);
    const std::uint64_t number = slot.checksum == format::slot_checksum(slot) ? slot.number : 0;
    if (number < coordination_.fixed().durable_number.load(std::memory_order_seq_cst)) return best;
    claim.claimant.store(0, std::memory_order_release);  // and look again
  }
}

Result<void> Session::checkpoint() {
  auto& fixed = coordination_.fixed();
  if (fixed.marked.load(std::memory_order_acquire) != static_cast<std::uint64_t>(format::Marked::yes)) {
    // Nothing was written since the store was opened. But a checkpoint that was found after a crash may be in the page
    // cache alone, its writer having died before the flush: marking makes it durable.
    UTAN_ASSIGN(const format::FileHeader header, read_header());
    if (header.clean != 0) return {};
  }
  UTAN_TRY(prepare_writing());
  // Let go of at the very end: until `durable_number` says so, the pin or the claim protects the commit.
  struct ClaimedPin {
    PinPlace place;
    ~ClaimedPin() { place.thread->unpin_extra(place.index); }
  };
  UTAN_ASSIGN(const PinPlace place, claim_pin());
  const ClaimedPin claimed{place};
  Pinned pinned;
  UTAN_TRY(place.thread->pin_extra(place.index, pinned));
  step(Step::checkpoint_pinned);
  return write_checkpoint(pinned.number(), pinned.head.block());
}

Result<void> Session::write_checkpoint(CommitNumber commit, Offset block) {
  auto& fixed = coordination_.fixed();
  // Not by the word alone: where it is damaged, a commit would be said to be durable that is not.
  if (fixed.durable_number.load(std::memory_order_seq_cst) >= commit.value &&
      confirm_durable(coordination_, data_map_->data(), fixed.header.store_id) >= commit.value) {
    return {};
  }
  UTAN_TRY(heap_.catch_up());
  const ByteCount size = heap_.file_size();
  UTAN_TRY(flush_patiently());
  if (Result<void> whole = heap_.expect_whole(); !whole.ok()) return named(std::move(whole).error(), path_);
  step(Step::checkpoint_data_flushed);
  const std::uint64_t index = claim_slot();
  if (index == format::checkpoint_slot_count) {
    return Error(Code::in_use, path_ + ": all checkpoint slots are being written by others: try again");
  }
  CheckpointClaim& claim = coordination_.claim(index);
  // seq_cst: before the pin is let go, for those who scan pins and then claims.
  claim.number.store(commit.value, std::memory_order_seq_cst);
  // release: whoever finds the slot finds its claim and the size that it has; pairs with slot_at in belief.cc.
  std::atomic_thread_fence(std::memory_order_release);
  step(Step::checkpoint_slot_claimed);
  CheckpointSlot slot{};
  std::memcpy(slot.magic, format::magic, sizeof slot.magic);
  slot.store_id = coordination_.fixed().header.store_id;
  slot.number = commit.value;
  slot.offset = block.value;
  slot.file_size = size.value;
  slot.incarnation = fixed.header.incarnation;
  slot.time_ns = system_->wall_now().value;
  slot.checksum = format::slot_checksum(slot);
  auto* words = reinterpret_cast<std::uint64_t*>(data_map_->data() + format::slot_offset(index).value);
  std::uint64_t values[sizeof slot / 8];
  std::memcpy(values, &slot, sizeof slot);
  for (std::size_t i = 0; i < std::size(values); ++i) {
    std::atomic_ref<std::uint64_t>(words[i]).store(values[i], std::memory_order_relaxed);
  }
  step(Step::checkpoint_slot_written);
  // If it fails the slot may or may not be on the disk: its claim stays and goes on protecting the commit.
  UTAN_TRY(flush());
  // What was written may have gone nowhere.
  if (!was_usable()) return lost();
  step(Step::checkpoint_slot_flushed);
  std::uint64_t durable = fixed.durable_number.load(std::memory_order_seq_cst);
  while (durable < commit.value &&
         !fixed.durable_number.compare_exchange_weak(durable, commit.value, std::memory_order_seq_cst)) {
  }
  step(Step::checkpoint_published);
  claim.number.store(0, std::memory_order_seq_cst);
  claim.claimant.store(0, std::memory_order_release);
  return {};
}

}  // namespace utan::commit
