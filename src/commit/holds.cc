#include "commit/holds.h"

#include <algorithm>

#include "base/check.h"
#include "base/step.h"
#include "commit/session.h"
#include "commit/thread.h"

namespace utan::commit {

using format::Line;
using format::LineRole;

namespace {

// Fibonacci hashing (Knuth, The Art of Computer Programming, vol. 3, 6.4).
std::uint64_t bit_of(format::ObjectId id) { return (id.value * 0x9e3779b97f4a7c15u) >> (64 - format::hold_bits_log2); }
std::uint64_t mask_of(std::uint64_t bit) { return std::uint64_t{1} << (bit % 64); }

}  // namespace

Result<void> Holds::have_line(Session& session) {
  if (counts_ == nullptr) {
    // Zero pages until they are written to.
    counts_.reset(static_cast<std::uint32_t*>(std::calloc(format::hold_bit_count, sizeof(std::uint32_t))));
    if (counts_ == nullptr) return Error(Code::memory, "no memory to count what is held");
  }
  UTAN_ASSIGN(const std::uint64_t index, session.claim_hold_line());
  Line& line = session.coordination().line(index);
  for (std::uint64_t i = 0; i < format::hold_bit_count / 64; ++i) line.stash[i].store(0, std::memory_order_relaxed);
  step(Step::hold_line_cleared);
  // release: with its bits cleared; pairs with All.
  line.role.store(static_cast<std::uint64_t>(LineRole::holds), std::memory_order_release);
  line_ = &line;
  line_session_ = &session;
  return {};
}

// Asked of the line's own session: that of the attachment is still the parent's while the child publishes again.
bool Holds::line_is_own() const { return line_ != nullptr && !line_session_->forked(); }

Result<void> Holds::add(Session& session, format::ObjectId id) {
  const std::uint64_t bit = bit_of(id);
  const std::lock_guard lock(mutex_);
  if (line_ == nullptr) UTAN_TRY(have_line(session));
  // seq_cst: before the pin is let go, for those who scan pins and then holds.
  if (counts_.get()[bit]++ == 0) line_->stash[bit / 64].fetch_or(mask_of(bit), std::memory_order_seq_cst);
  step(Step::hold_published);
  return {};
}

void Holds::remove(format::ObjectId id) {
  const std::uint64_t bit = bit_of(id);
  const std::lock_guard lock(mutex_);
  DCHECK(counts_.get()[bit] > 0);
  if (--counts_.get()[bit] == 0 && line_is_own())
    line_->stash[bit / 64].fetch_and(~mask_of(bit), std::memory_order_release);
  step(Step::hold_withdrawn);
}

Result<void> Holds::publish_again(Session& session) {
  const std::lock_guard lock(mutex_);
  line_ = nullptr;
  if (counts_ == nullptr) return {};
  UTAN_TRY(have_line(session));
  for (std::uint64_t bit = 0; bit < format::hold_bit_count; ++bit) {
    if (counts_.get()[bit] != 0) line_->stash[bit / 64].fetch_or(mask_of(bit), std::memory_order_seq_cst);
  }
  return {};
}

Holds::All::All(const format::Coordination& coordination) {
  const std::uint64_t lines = coordination.fixed().line_high.load(std::memory_order_seq_cst);
  for (std::uint64_t i = 0; i < lines; ++i) {
    const Line& line = coordination.line(i);
    // acquire: pairs with have_line.
    if (line.role.load(std::memory_order_acquire) == static_cast<std::uint64_t>(LineRole::holds))
      lines_.push_back(&line);
  }
}

bool Holds::All::has(format::ObjectId id) const {
  const std::uint64_t bit = bit_of(id);
  return std::ranges::any_of(lines_, [bit](const Line* line) {
    // The role again: in a line that has been adopted and given to others meanwhile, these words are no bits.
    return line->role.load(std::memory_order_acquire) == static_cast<std::uint64_t>(LineRole::holds) &&
           (line->stash[bit / 64].load(std::memory_order_seq_cst) & mask_of(bit)) != 0;
  });
}

}  // namespace utan::commit
