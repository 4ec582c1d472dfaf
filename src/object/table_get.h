// The short way of a read, from a key to its value: one piece of code from the interface down to the record.
//
// It takes what is usual and leaves the rest to Table::get: snapshots, a second value held by the same thread, values in
// several parts, a lost race for a pin, damage. Thread safety and ownership as Table::get.
#pragma once

#include "commit/attachment.h"
#include "commit/thread.h"
#include "object/store.h"
#include "tree/object_table.h"
#include "tree/table_find.h"

namespace utan::object {

[[gnu::always_inline]] inline tree::Quick Table::get_quickly(Bytes key, Value& out) const {
  using tree::Quick;
  commit::Thread* const thread = snapshot_ == nullptr ? attachment_->thread_quickly() : nullptr;
  if (thread == nullptr) [[unlikely]]
    return Quick::unusual;
  const tree::Key wanted{key, format::Tag::bytes, format::hash_key(key.data(), key.size(), thread->hash_seed())};
  heap::View view;
  const format::CommitBlock* const commit = thread->pin_quickly(view);
  if (commit == nullptr) [[unlikely]]
    return Quick::unusual;
  const tree::FoundObject object = tree::find_object(view, thread->objects_of(commit, view.number()), id_);
  if (object.status != tree::Status::found) [[unlikely]] {
    thread->unpin(0);
    return Quick::unusual;
  }
  thread->know(view.number(), {id_, object.entry});
  tree::FoundRecord found;
  Quick quick = tree::find_quickly(view, Offset{object.entry->root}, wanted, found);
  if (quick == Quick::found) [[likely]] {
    if (found.record->value_tag() == format::Tag::bytes) [[likely]] {
      out.data = found.record->value();
      out.size = found.record->value_size();
      out.thread = thread;
      out.pin = 0;
      return quick;
    }
    quick = Quick::unusual;
  }
  thread->unpin(0);
  // Missing from zeroes is no answer.
  return thread->session().was_usable() ? quick : Quick::unusual;
}

}  // namespace utan::object
