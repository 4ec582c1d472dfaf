// How an operation on a container runs: reading one commit, or changing the newest until the change is in.
//
// What the operations of object/container.h are made of. Thread safety: a Reading belongs to one thread.
#pragma once

#include <type_traits>
#include <utility>
#include <vector>

#include "base/result.h"
#include "commit/attachment.h"
#include "commit/place.h"
#include "commit/thread.h"
#include "object/container.h"
#include "object/edit.h"
#include "object/orphans.h"
#include "object/slot.h"
#include "object/snapshot.h"

namespace utan::object {

// A commit that is read: the snapshot's, or the newest, which stays pinned until this ends or lends the pin.
class Reading {
 public:
  ~Reading() {
    if (thread_ != nullptr) thread_->unpin(pin_);
  }
  Reading() = default;
  Reading(const Reading&) = delete;
  Reading& operator=(const Reading&) = delete;

  Result<void> open(commit::Attachment& attachment, const SnapshotPin* snapshot) {
    if (snapshot != nullptr) {
      UTAN_TRY(snapshot->usable());
      UTAN_ASSIGN(commit::Session* const session, attachment.session());
      hash_seed_ = session->hash_seed();
      pinned_ = snapshot->pinned();
      return {};
    }
    attachment_ = &attachment;
    UTAN_ASSIGN(commit::Thread* const thread, attachment.thread());
    UTAN_ASSIGN(pin_, thread->pin(pinned_));
    thread_ = thread;
    hash_seed_ = thread->hash_seed();
    return {};
  }
  const heap::View& view() const { return pinned_.view; }
  std::uint64_t hash_seed() const { return hash_seed_; }
  Result<format::ObjectEntry> entry_of(format::ObjectId id) const {
    return find_entry(pinned_.view, pinned_.objects(), id);
  }

  // Hands the value over, with the pin if it needs one.
  Result<Loan> lend(const Slot& slot) {
    if (slot.large()) return Loan::copied(view(), slot);
    if (slot.value.tag == format::Tag::container) return lend(slot.value.as_container());
    if (!has_bytes(slot.value)) return Loan::pinned(slot.value, nullptr, 0);
    return Loan::pinned(slot.value, std::exchange(thread_, nullptr), pin_);
  }

  Result<Loan> lend(format::ObjectId id) {
    UTAN_ASSIGN(const format::ObjectEntry entry, entry_of(id));
    Hold hold;
    if (attachment_ != nullptr) {
      UTAN_ASSIGN(hold, Hold::take(*attachment_, id));
    }
    return Loan::container(id, entry.type(), std::move(hold));
  }

 private:
  commit::Attachment* attachment_ = nullptr;  // of the store itself; null: a snapshot is read
  commit::Thread* thread_ = nullptr;
  unsigned pin_ = 0;
  commit::Pinned pinned_;
  std::uint64_t hash_seed_ = 0;
};

// Runs `body(Reading&, const format::ObjectEntry&)` on one commit.
template <class Body>
auto Container::read(Body&& body) const {
  using Answer = std::invoke_result_t<Body, Reading&, const format::ObjectEntry&>;
  Reading reading;
  Answer out = [&]() -> Answer {
    UTAN_TRY(reading.open(*attachment_, snapshot_.get()));
    UTAN_ASSIGN(const format::ObjectEntry entry, reading.entry_of(id_));
    return body(reading, entry);
  }();
  if (Result<void> there = attachment_->still_there(); !there.ok()) [[unlikely]]
    return Answer(std::move(there).error());
  if (!out.ok()) [[unlikely]]
    return Answer(commit::named(std::move(out).error(), attachment_->path()));
  return out;
}

// A value that is about to go: a copy of its own, or the container, held from before its last name goes.
inline Result<Loan> lend_from(const Edit& edit, commit::Attachment& attachment, const Slot& slot) {
  if (slot.value.tag != format::Tag::container) return Loan::copied(edit.view(), slot);
  const format::ObjectId id = slot.value.as_container();
  UTAN_ASSIGN(const format::ObjectEntry entry, edit.entry_of(id));
  UTAN_ASSIGN(Hold hold, Hold::take(attachment, id));
  return Loan::container(id, entry.type(), std::move(hold));
}

// Runs `body(Edit&) -> Result<bool>` until its commit is in. False: it changed nothing.
template <class Body>
Result<bool> write_to(commit::Attachment& attachment, heap::Room room, Body&& body) {
  const auto attempt = [&]() -> Result<bool> {
    UTAN_ASSIGN(commit::Thread* const thread, attachment.thread());
    Ids ids(*thread);
    std::vector<format::ObjectId> orphans;
    UTAN_ASSIGN(
        const bool done,
        thread->commit(room, [&](heap::Build& build, const commit::Pinned&, commit::Draft& draft) -> Result<bool> {
          ids.begin_attempt();
          Edit edit(build, draft, thread->hash_seed(), ids);
          UTAN_ASSIGN(const bool changes, body(edit));
          orphans = edit.take_orphans();
          return changes;
        }));
    if (!done) return false;
    ids.used();
    if (!orphans.empty() || !thread->leftovers().orphans.empty()) after_write(attachment, *thread, orphans);
    return true;
  };
  Result<bool> changed = attempt();
  if (changed.code() == Code::no_space) [[unlikely]] {
    UTAN_ASSIGN(commit::Thread* const thread, attachment.thread());
    make_room(*thread);
    changed = attempt();
  }
  if (!changed.ok()) [[unlikely]] {
    UTAN_TRY(attachment.still_there());
    return commit::named(std::move(changed).error(), attachment.path());
  }
  return changed;
}

template <class Body>
Result<bool> Container::write(Body&& body) {
  return write(heap::Room::ordinary, body);
}

template <class Body>
Result<bool> Container::write(heap::Room room, Body&& body) {
  if (snapshot_ != nullptr) return Error(Code::read_only, attachment_->path() + ": a snapshot cannot be written");
  return write_to(*attachment_, room, body);
}

}  // namespace utan::object
