// Labelled steps: the points between which a process may die, stop or be overtaken.
//
// A test sets a hook and is called at each step of this thread with its label; it may kill the process there, stop it,
// or run somebody else first. Without UTAN_STEPS (release builds) a step is nothing. The list is complete: a test fails
// if a label is never reached.
#pragma once

#include <cstdint>

namespace utan {

// clang-format off
#define UTAN_STEP_LIST(X)                                                                                             \
  X(attach_byte_locked) X(attach_entry_claimed) X(attach_coordination_made) X(attach_coordination_renamed)            \
  X(attach_line_claimed) X(header_half_written) X(attach_marked) X(pin_head_read) X(pin_offset_stored)                \
  X(pin_number_stored) X(pin_validated) X(claim_owner_won) X(claim_mask_stored) X(claim_bits_taken) X(claim_released) \
  X(hand_out_stamped) X(hand_out_recorded) X(hand_out_mask_stored) X(hand_out_stash_popped) X(stash_pushed)           \
  X(build_started) X(build_record_written) X(build_path_copied) X(build_commit_block_written) X(cas_pending_stored)   \
  X(cas_won) X(cas_lost) X(queue_linked) X(queue_pending_cleared) X(drain_counted) X(drain_freed)                     \
  X(drain_block_unlinked) X(drain_block_freed) X(wait_counted) X(wait_entry_stored) X(wait_file_intended)             \
  X(wait_filed) X(wait_take_intended) X(wait_taken) X(adopt_byte_locked) X(adopt_record_resolved)                     \
  X(adopt_masks_returned) X(adopt_build_freed) X(adopt_stash_freed) X(adopt_queue_resolved) X(adopt_line_cleared)     \
  X(adopt_entry_cleared) X(grow_allocated) X(grow_published) X(run_owner_won) X(run_described) X(run_freed)           \
  X(checkpoint_pinned) X(checkpoint_data_flushed) X(checkpoint_slot_claimed) X(checkpoint_slot_written)               \
  X(checkpoint_slot_flushed) X(checkpoint_published) X(close_checkpointed) X(close_exclusive) X(close_drained)        \
  X(close_flushed) X(close_flagged) X(recover_started) X(recover_slot_chosen) X(hold_line_cleared) X(hold_published)  \
  X(hold_withdrawn) X(id_taken) X(ids_given_back) X(build_list_written) X(orphan_left) X(orphan_noted)                \
  X(orphans_scanned) X(orphan_emptied) X(orphan_removed)
// clang-format on

enum class Step : std::uint8_t {
#define UTAN_STEP_ENUM(name) name,
  UTAN_STEP_LIST(UTAN_STEP_ENUM)
#undef UTAN_STEP_ENUM
      count_
};

inline constexpr unsigned step_count = static_cast<unsigned>(Step::count_);
// From here on they are of containers and what is in them, which tables of bytes do not come by.
inline constexpr Step container_step_first = Step::hold_line_cleared;

// The label as in the list above.
const char* step_name(Step step);

#if defined(UTAN_STEPS) && UTAN_STEPS

// The hook of this thread; null: none. `context` is handed to it.
struct StepHook {
  void (*call)(void* context, Step step) = nullptr;
  void* context = nullptr;
};
extern thread_local StepHook step_hook;

inline void step(Step at) {
  if (step_hook.call != nullptr) step_hook.call(step_hook.context, at);
}

#else

inline void step(Step) {}

#endif

}  // namespace utan
