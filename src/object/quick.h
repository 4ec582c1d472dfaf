// The short way of a read, for values of all types: from a path of keys to the value, with as few instructions as can be.
//
// It takes what is usual and leaves the rest to Container::get and get_at: snapshots, values in several parts, keys of rarer
// types, a lost race for a pin, damage. Thread safety and ownership as there.
#pragma once

#include <span>

#include "commit/attachment.h"
#include "commit/thread.h"
#include "object/container.h"
#include "tree/object_table.h"
#include "tree/ordered_find.h"
#include "tree/positional.h"
#include "tree/sorted.h"
#include "tree/table_find.h"

namespace utan::object {

// What was found, under a pin that is the caller's (0 of `thread`), unless the value needs none: then `thread` is null. A
// container has one, so that a hold can be taken.
struct QuickValue {
  format::Value value;
  commit::Thread* thread = nullptr;
  ContainerType type = ContainerType::none;  // of a container
};

// The entry of this key in a mapping, if it is stored as usual.
[[gnu::always_inline]] inline tree::Quick find_stored_quickly(const heap::View view, ContainerType type, Offset root,
                                                              const format::EncodedKey& key, std::uint64_t hash_seed,
                                                              Stored& out) {
  using tree::Quick;
  if (type == ContainerType::table) {
    tree::FoundRecord found;
    const tree::Key wanted{key.order, key.tag, format::hash_key(key.order.data(), key.order.size(), hash_seed),
                           key.key_class};
    const Quick quick = tree::find_quickly(view, root, wanted, found);
    if (quick == Quick::found) out = stored_in(found.record);
    return quick;
  }
  if (view.follow<format::BlockHeader>(root, format::Kind::sorted) != nullptr) {
    const tree::FoundSorted found = tree::look_up_sorted(view, root, key);
    if (found.status == tree::Status::damaged) [[unlikely]]
      return Quick::unusual;
    if (found.status == tree::Status::missing) return Quick::missing;
    out = {found.item.value_tag, found.item.value, found.item.value.size()};
    return Quick::found;
  }
  tree::FoundOrdered found;
  if (!tree::find_ordered_quickly(view, root, key, found)) [[unlikely]]
    return Quick::unusual;
  if (found.status != tree::Status::found) return Quick::missing;
  out = stored_in(found.record);
  return Quick::found;
}

inline tree::Quick Container::get_quickly(std::span<const format::Value> path, QuickValue& out) const {
  using tree::Quick;
  commit::Thread* const thread = snapshot_ == nullptr ? attachment_->thread_quickly() : nullptr;
  if (thread == nullptr || path.empty()) [[unlikely]]
    return Quick::unusual;
  heap::View view;
  const format::CommitBlock* const commit = thread->pin_quickly(view);
  if (commit == nullptr) [[unlikely]]
    return Quick::unusual;
  const auto give_up = [thread](Quick quick) {
    thread->unpin(0);
    return thread->session().was_usable() ? quick : Quick::unusual;
  };
  const tree::ObjectTable objects = thread->objects_of(commit, view.number());
  format::ObjectId id = id_;
  for (std::size_t i = 0;; ++i) {
    const tree::FoundObject object = tree::find_object(view, objects, id);
    if (object.status != tree::Status::found || object.entry->root == 0) [[unlikely]]
      return give_up(Quick::unusual);
    if (i == 0) thread->know(view.number(), {id, object.entry});
    const format::Value& key = path[i];
    const Offset root{object.entry->root};
    const ContainerType type = object.entry->type();
    if (type == ContainerType::list) {
      if (key.tag != format::Tag::integer || key.as_integer() < 0) return give_up(Quick::unusual);
      const Result<const format::Word*> word = tree::list_at(view, root, key.bits);
      if (!word.ok()) [[unlikely]]
        return give_up(Quick::unusual);
      if ((*word)->kind() == format::WordKind::container) {
        id = format::ObjectId{(*word)->payload()};
        if (i + 1 == path.size()) break;
        continue;
      }
      if ((*word)->kind() >= format::WordKind::container || i + 1 < path.size()) return give_up(Quick::unusual);
      Result<format::Value> value = format::from_word(**word);
      if (!value.ok()) [[unlikely]]
        return give_up(Quick::unusual);
      out.value = *value;
    } else {
      if (!format::is_text(key.tag) || key.bytes.size() > format::key_size_max) return give_up(Quick::unusual);
      const format::EncodedKey encoded{
          key.tag, key.tag == format::Tag::string ? format::KeyClass::string : format::KeyClass::bytes, key.bytes,
          key.bytes};
      Stored stored;
      const Quick quick = find_stored_quickly(view, type, root, encoded, thread->hash_seed(), stored);
      if (quick != Quick::found) return give_up(quick);
      if (stored.tag == format::Tag::container && stored.bytes.size() == sizeof id.value) {
        id = container_in(stored.bytes);
        if (i + 1 == path.size()) break;
        continue;
      }
      if (format::is_large(stored.tag) || stored.tag == format::Tag::container || i + 1 < path.size())
        return give_up(Quick::unusual);
      if (!format::from_usual_payload(stored.tag, stored.bytes, out.value)) [[unlikely]] {
        Result<format::Value> value = format::from_payload(stored.tag, stored.bytes);
        if (!value.ok()) return give_up(Quick::unusual);
        out.value = *value;
      }
    }
    if (!has_bytes(out.value)) return give_up(Quick::found);
    out.thread = thread;
    return Quick::found;
  }
  // A container is at the end of the path.
  const tree::FoundObject object = tree::find_object(view, objects, id);
  // Its name may have been zeroes, as the root's is.
  if (object.status != tree::Status::found || !thread->session().was_usable()) [[unlikely]]
    return give_up(Quick::unusual);
  out = {format::Value::container(id), thread, object.entry->type()};
  return Quick::found;
}

}  // namespace utan::object
