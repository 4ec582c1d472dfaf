#include "object/edit.h"

#include <algorithm>
#include <cstring>
#include <new>
#include <string>

#include "base/step.h"
#include "tree/positional.h"

namespace utan::object {

using format::ContainerType;
using format::ObjectEntry;
using format::ObjectId;
using format::Tag;
using format::Word;
using format::WordKind;

// --- Names -------------------------------------------------------------------------------------------------------------

void Ids::give_back() noexcept {
  // No commit used them. Where there is no memory to note that, they stay unused until a collection.
  try {
    auto& free_ids = thread_->leftovers().free_ids;
    for (std::size_t i = used_; i < ids_.size(); ++i) free_ids.push_back(ObjectId{ids_[i]});
    step(Step::ids_given_back);
  } catch (const std::bad_alloc&) {
  }
}

Result<ObjectId> Ids::take() {
  if (next_ == ids_.size()) {
    auto& free_ids = thread_->leftovers().free_ids;
    if (!free_ids.empty()) {
      ids_.push_back(free_ids.back().value);
      free_ids.pop_back();
    } else {
      // C5: indices come from a counter; index 0 is the root's.
      auto& counter = thread_->session().coordination().fixed().object_index_next;
      std::uint64_t index;
      do {
        index = counter.fetch_add(1, std::memory_order_relaxed);  // relaxed: only distinctness matters
      } while (index == 0);
      if (index > format::object_index_max) return Error(Code::too_large, "the store is full of containers");
      step(Step::id_taken);
      ids_.push_back(ObjectId::make(index, 1).value);
    }
  }
  return ObjectId{ids_[next_++]};
}

// --- Containers --------------------------------------------------------------------------------------------------------

Result<ObjectEntry> Edit::entry_of(ObjectId id) const { return find_entry(view(), draft_->objects, id); }

Result<void> Edit::set_entry(ObjectId id, const ObjectEntry& entry) {
  // The root has no entry until something is put into it.
  if (id == format::root_object && draft_->object_index_high == 0) [[unlikely]]
    return add_container(id, entry);
  return tree::set_object(*build_, draft_->objects, id, entry);
}

Result<void> Edit::add_container(ObjectId id, const ObjectEntry& entry) {
  // Index 0 is the root's, whose entry may come later than others.
  if (draft_->object_index_high == 0 && id != format::root_object) {
    UTAN_TRY(
        add_container(format::root_object, ObjectEntry{0, ObjectEntry::make_what(1, ContainerType::collection), 1}));
  }
  ObjectEntry added = entry;
  if (entry.links == 0) {
    added.links = ObjectEntry::orphan_since(build_->number().value);
    orphans_.push_back(id);
  }
  UTAN_TRY(tree::add_object(*build_, draft_->objects, id, added));
  draft_->object_index_high = std::max(draft_->object_index_high, id.index() + 1);
  ++draft_->container_count;
  return {};
}

Result<void> Edit::link(ObjectId id) {
  UTAN_ASSIGN(ObjectEntry entry, entry_of(id));
  const std::uint32_t count = entry.link_count() + 1;
  if (count == ObjectEntry::orphan_flag) return Error(Code::too_large, "one container is named by others 2^31 times");
  entry.links = count;
  links_changed_ = true;
  return set_entry(id, entry);
}

Result<void> Edit::unlink(ObjectId id) {
  UTAN_ASSIGN(ObjectEntry entry, entry_of(id));
  if (entry.is_orphan())
    return Error(Code::corruption, "container " + std::to_string(id.index()) + " is named more often than it says");
  --entry.links;
  if (entry.links == 0) {
    entry.links = ObjectEntry::orphan_since(build_->number().value);
    orphans_.push_back(id);
  }
  links_changed_ = true;
  return set_entry(id, entry);
}

Result<ObjectEntry> Edit::entry_of_orphan(ObjectId id) const {
  const tree::FoundObject found = tree::find_object(view(), draft_->objects, id);
  if (found.status == tree::Status::damaged) return view().damage(found.at, found.expected);
  if (found.entry == nullptr) return Error(Code::gone, "the container is not there any more");
  return *found.entry;
}

Result<void> Edit::set_emptied(ObjectId id, Offset root) {
  // What was taken out may have changed the object table: the entry is looked up again.
  UTAN_ASSIGN(ObjectEntry entry, entry_of_orphan(id));
  DCHECK(entry.is_orphan());
  entry.root = root.value;
  entry.what |= ObjectEntry::emptied_flag;
  return set_entry(id, entry);
}

Result<void> Edit::remove_container(ObjectId id) {
  UTAN_ASSIGN(const ObjectEntry entry, entry_of_orphan(id));
  DCHECK(entry.is_orphan());
  --draft_->container_count;
  return tree::set_object(*build_, draft_->objects, id,
                          ObjectEntry{0, ObjectEntry::make_what(entry.generation(), ContainerType::none), 0});
}

Result<void> Edit::set_root(ObjectId id, const ObjectEntry& entry, Offset root) {
  ObjectEntry now = entry;
  if (links_changed_) {
    // The container may be among those that were linked or unlinked.
    UTAN_ASSIGN(now, entry_of(id));
  }
  if (now.root == root.value) return {};
  now.root = root.value;
  return set_entry(id, now);
}

// --- Places ------------------------------------------------------------------------------------------------------------

Result<void> Edit::find(ObjectId id, const format::Value& key, format::KeyBuffer& buffer, Place& out) {
  UTAN_ASSIGN(const ObjectEntry entry, entry_of(id));
  return find_place(view(), id, entry, key, buffer, hash_seed_, out);
}

bool Edit::holds(const Place& place, const Payload& value) {
  if (!place.there || value.tag != Tag::container || place.slot.value.tag != Tag::container) return false;
  return place.slot.value.as_container() == container_in(value.bytes);
}

Result<void> Edit::put(Place& place, const Payload& value) {
  const Offset root{place.entry.root};
  Offset now;
  if (place.entry.type() == ContainerType::list) {
    if (!place.there) return outside_list(place);
    UTAN_ASSIGN(const Word word, make_word(value));
    Word before;
    UTAN_ASSIGN(now, tree::list_set(*build_, root, place.index, word, &before));
    UTAN_TRY(drop_word(before));
  } else {
    UTAN_ASSIGN(now, put_item(*build_, Mapping{place.entry.type(), root}, place.found, place.key, value, hash_seed_));
    if (place.there && place.slot.value.tag == Tag::container) UTAN_TRY(unlink(place.slot.value.as_container()));
  }
  return set_root(place.id, place.entry, now);
}

Result<void> Edit::erase(Place& place) {
  DCHECK(place.there);
  const Offset root{place.entry.root};
  Offset now;
  if (place.entry.type() == ContainerType::list) {
    Word before;
    UTAN_ASSIGN(now, tree::list_erase(*build_, root, place.index, &before));
    UTAN_TRY(drop_word(before));
  } else {
    UTAN_ASSIGN(now, erase_item(*build_, Mapping{place.entry.type(), root}, place.found, hash_seed_));
    if (place.slot.value.tag == Tag::container) UTAN_TRY(unlink(place.slot.value.as_container()));
  }
  return set_root(place.id, place.entry, now);
}

// --- Lists -------------------------------------------------------------------------------------------------------------

Result<Word> Edit::make_word(const Payload& value) {
  UTAN_ASSIGN(const format::Value plain, format::from_payload(value.tag, value.bytes));
  Word word;
  if (format::to_word(plain, word)) return word;
  UTAN_ASSIGN(const Offset block, make_value(*build_, value));
  return Word::make(WordKind::block, block.value / 8);
}

Result<void> Edit::drop_word(Word word) {
  if (word.kind() == WordKind::block) return drop_value(*build_, Offset{word.payload() * 8});
  if (word.kind() == WordKind::container) return unlink(ObjectId{word.payload()});
  return {};
}

Result<Offset> Edit::splice(Offset root, std::uint64_t index, std::uint64_t count, std::span<const Word> words) {
  using Halves = std::pair<Offset, Offset>;
  if (count == 0 && words.size() == 1) return tree::list_insert(*build_, root, index, words.front());
  UTAN_ASSIGN(const Halves before, tree::list_split(*build_, root, index));
  UTAN_ASSIGN(const Halves after, tree::list_split(*build_, before.second, count));
  if (after.first) UTAN_TRY(leave_to_orphan(ContainerType::list, after.first));
  UTAN_ASSIGN(const Offset middle, tree::list_load(*build_, words));
  UTAN_ASSIGN(const Offset left, tree::list_join(*build_, before.first, middle));
  return tree::list_join(*build_, left, after.second);
}

Result<void> Edit::leave_to_orphan(ContainerType type, Offset root) {
  UTAN_ASSIGN(const ObjectId id, ids_->take());
  return add_container(id, ObjectEntry{root.value, ObjectEntry::make_what(id.generation(), type), 0});
}

// --- Dropping ----------------------------------------------------------------------------------------------------------

Result<Offset> Edit::drop_first(ContainerType type, Offset root, std::uint64_t& budget) {
  using Halves = std::pair<Offset, Offset>;
  if (type == ContainerType::list) return drop_first_of_list(root, budget);
  if (type == ContainerType::table) return drop_first_of_table(root, budget);
  UTAN_ASSIGN(const Count count, item_count(view(), Mapping{type, root}));
  // A count of zero with something below it would go on for ever.
  if (count.value == 0) return view().damage(root, format::Kind::sorted);
  const std::uint64_t taken = std::min(budget, count.value);
  UTAN_ASSIGN(const Halves halves, split_mapping(*build_, Mapping{type, root}, taken));
  ItemCursor cursor(view(), Mapping{type, halves.first});
  UTAN_TRY(cursor.seek_first());
  while (cursor.valid()) {
    const Stored& value = cursor.item().value;
    if (value.tag == Tag::container && value.bytes.size() == sizeof(ObjectId))
      UTAN_TRY(unlink(container_in(value.bytes)));
    UTAN_TRY(cursor.next());
  }
  UTAN_TRY(drop_mapping(*build_, Mapping{type, halves.first}));
  budget -= taken;
  return halves.second;
}

Result<Offset> Edit::drop_first_of_list(Offset root, std::uint64_t& budget) {
  using Halves = std::pair<Offset, Offset>;
  UTAN_ASSIGN(const Count count, tree::list_count(view(), root));
  if (count.value == 0) return view().damage(root, format::Kind::list_leaf);
  const std::uint64_t taken = std::min(budget, count.value);
  UTAN_ASSIGN(const Halves halves, tree::list_split(*build_, root, taken));
  tree::ListCursor cursor(view(), halves.first);
  UTAN_TRY(cursor.seek(0));
  while (!cursor.at_end()) {
    UTAN_TRY(drop_word(cursor.word()));
    UTAN_TRY(cursor.next());
  }
  UTAN_TRY(tree::list_drop(*build_, halves.first));
  budget -= taken;
  return halves.second;
}

Result<Offset> Edit::drop_first_of_table(Offset root, std::uint64_t& budget) {
  Mapping mapping{ContainerType::table, root};
  // Found in one walk, because those that are taken out leave empty places in front of the others. Their keys stay where
  // they are: the base is pinned.
  std::vector<format::EncodedKey> keys;
  ItemCursor cursor(view(), mapping);
  UTAN_TRY(cursor.seek_first());
  while (cursor.valid() && keys.size() < budget) {
    UTAN_ASSIGN(const format::EncodedKey key, format::stored_key(cursor.item().key_tag, cursor.item().key));
    keys.push_back(key);
    UTAN_TRY(cursor.next());
  }
  for (const format::EncodedKey& key : keys) {
    FoundItem found;
    UTAN_TRY(find_item(view(), mapping, key, hash_seed_, found));
    if (!found.there) return view().damage(mapping.root, format::Kind::table_root);
    const Stored& value = found.item.value;
    if (value.tag == Tag::container && value.bytes.size() == sizeof(ObjectId))
      UTAN_TRY(unlink(container_in(value.bytes)));
    UTAN_ASSIGN(mapping.root, erase_item(*build_, mapping, found, hash_seed_));
  }
  UTAN_ASSIGN(const Count rest, tree::record_count(view(), mapping.root));
  // All that there is was gone through, and its count says that there is more.
  if (rest.value != 0 && keys.size() < budget) return view().damage(mapping.root, format::Kind::table_root);
  budget -= keys.size();
  if (rest.value != 0) return mapping.root;
  UTAN_TRY(tree::drop_empty_table(*build_, mapping.root));
  return Offset{};
}

// --- Reading -----------------------------------------------------------------------------------------------------------

Result<ObjectEntry> find_entry(const heap::View& view, const tree::ObjectTable& objects, ObjectId id) {
  const tree::FoundObject found = tree::find_object(view, objects, id);
  if (found.status == tree::Status::found) [[likely]]
    return *found.entry;
  if (found.status == tree::Status::damaged) return view.damage(found.at, found.expected);
  if (id == format::root_object && found.entry == nullptr)
    return ObjectEntry{0, ObjectEntry::make_what(1, ContainerType::collection), 1};
  return Error(Code::gone, "the container is not there any more");
}

Result<void> find_place(const heap::View& view, ObjectId id, const ObjectEntry& entry, const format::Value& key,
                        format::KeyBuffer& buffer, std::uint64_t hash_seed, Place& out) {
  if (entry.type() == ContainerType::list) {
    out.id = id;
    out.entry = entry;
    const Offset root{entry.root};
    if (key.tag != Tag::integer && key.tag != Tag::boolean) return Error(Code::type, "a list's index is an integer");
    UTAN_ASSIGN(const Count count, tree::list_count(view, root));
    const std::int64_t asked = key.as_integer();
    out.index = static_cast<std::uint64_t>(asked < 0 ? asked + static_cast<std::int64_t>(count.value) : asked);
    out.there = out.index < count.value;
    if (!out.there) return {};
    UTAN_ASSIGN(const Word* const word, tree::list_at(view, root, out.index));
    UTAN_ASSIGN(out.slot, slot_of(view, *word));
    return {};
  }
  UTAN_ASSIGN(const format::EncodedKey encoded, buffer.encode(key));
  return find_encoded(view, id, entry, encoded, hash_seed, out);
}

Result<void> find_encoded(const heap::View& view, ObjectId id, const ObjectEntry& entry, const format::EncodedKey& key,
                          std::uint64_t hash_seed, Place& out) {
  out.id = id;
  out.entry = entry;
  out.key = key;
  UTAN_TRY(find_item(view, Mapping{entry.type(), Offset{entry.root}}, key, hash_seed, out.found));
  out.there = out.found.there;
  if (out.there) UTAN_TRY(read_slot(out.found.item.value, out.slot));
  return {};
}

Error outside_list(const Place& place) {
  return Error(Code::invalid,
               "index " + std::to_string(static_cast<std::int64_t>(place.index)) + " is outside the list");
}

}  // namespace utan::object
