// Operations that need an order of keys.
#include <algorithm>
#include <vector>

#include "object/iterator.h"
#include "object/operation.h"

namespace utan::object {

using format::ObjectEntry;
using format::Value;

namespace {

// So few entries are taken out one by one; more are cut out together.
constexpr std::uint64_t few = 8;

// Leads to the entry that is asked for, if there is one.
Result<void> lead_to(ItemCursor& cursor, const heap::View& view, const Mapping& mapping, Container::Where where,
                     const Value* key, std::uint64_t hash_seed) {
  if (where == Container::Where::first) return cursor.seek_first();
  if (where == Container::Where::last) return cursor.seek_last();
  format::KeyBuffer buffer;
  UTAN_ASSIGN(const format::EncodedKey encoded, buffer.encode(*key));
  FoundItem found;
  UTAN_TRY(find_item(view, mapping, encoded, hash_seed, found));
  UTAN_ASSIGN(const std::uint64_t rank, rank_of(view, mapping, found));
  if (where == Container::Where::ceiling || found.there) return cursor.seek_rank(rank);
  if (rank == 0) return {};
  return cursor.seek_rank(rank - 1);
}

}  // namespace

Result<bool> Container::nearest(Where where, const Value* key, Loan& found_key, Loan& value) const {
  if (type_ == ContainerType::list || type_ == ContainerType::table) return no_such("order of keys");
  return read([&](Reading& reading, const ObjectEntry& entry) -> Result<bool> {
    const Mapping mapping{type_, Offset{entry.root}};
    ItemCursor cursor(reading.view(), mapping);
    UTAN_TRY(lead_to(cursor, reading.view(), mapping, where, key, reading.hash_seed()));
    if (!cursor.valid()) return false;
    UTAN_ASSIGN(found_key, Loan::key(cursor.item().key_tag, cursor.item().key));
    UTAN_ASSIGN(const Slot slot, slot_of(cursor.item().value));
    UTAN_ASSIGN(value, reading.lend(slot));
    return true;
  });
}

Result<bool> Container::pop_last(Loan& key, Loan& value) {
  if (type_ == ContainerType::list) return no_such("popitem");
  return write(heap::Room::reserve, [&](Edit& edit) -> Result<bool> {
    UTAN_ASSIGN(const ObjectEntry entry, edit.entry_of(id_));
    const Mapping mapping{type_, Offset{entry.root}};
    ItemCursor cursor(edit.view(), mapping);
    UTAN_TRY(type_ == ContainerType::table ? cursor.seek_first() : cursor.seek_last());
    if (!cursor.valid()) return false;
    const Item& item = cursor.item();
    UTAN_ASSIGN(key, Loan::key(item.key_tag, item.key));
    UTAN_ASSIGN(const format::EncodedKey encoded, format::stored_key(item.key_tag, item.key));
    Place place;
    UTAN_TRY(find_encoded(edit.view(), id_, entry, encoded, edit.hash_seed(), place));
    if (!place.there) return edit.view().damage(mapping.root, format::Kind::sorted);
    UTAN_ASSIGN(value, lend_from(edit, *attachment_, place.slot));
    UTAN_TRY(edit.erase(place));
    return true;
  });
}

Result<Count> Container::count_range(const Range& range) const {
  return read([&](Reading& reading, const ObjectEntry& entry) -> Result<Count> {
    UTAN_ASSIGN(const Ranks ranks,
                ranks_of(reading.view(), Mapping{type_, Offset{entry.root}}, range, reading.hash_seed()));
    return Count{ranks.count()};
  });
}

namespace {

Result<void> erase_one_by_one(Edit& edit, format::ObjectId id, const Ranks& ranks) {
  for (std::uint64_t i = ranks.from; i < ranks.to; ++i) {
    UTAN_ASSIGN(const ObjectEntry entry, edit.entry_of(id));
    ItemCursor cursor(edit.view(), Mapping{entry.type(), Offset{entry.root}});
    UTAN_TRY(cursor.seek_rank(ranks.from));
    if (!cursor.valid()) return edit.view().damage(Offset{entry.root}, format::Kind::sorted);
    UTAN_ASSIGN(const format::EncodedKey key, format::stored_key(cursor.item().key_tag, cursor.item().key));
    Place place;
    UTAN_TRY(find_encoded(edit.view(), id, entry, key, edit.hash_seed(), place));
    if (!place.there) return edit.view().damage(Offset{entry.root}, format::Kind::sorted);
    UTAN_TRY(edit.erase(place));
  }
  return {};
}

}  // namespace

Result<Count> Container::delete_range(const Range& range) {
  using Halves = std::pair<Offset, Offset>;
  Count deleted;
  UTAN_TRY(write(heap::Room::reserve, [&](Edit& edit) -> Result<bool> {
    UTAN_ASSIGN(const ObjectEntry entry, edit.entry_of(id_));
    const Mapping mapping{type_, Offset{entry.root}};
    UTAN_ASSIGN(const Ranks ranks, ranks_of(edit.view(), mapping, range, edit.hash_seed()));
    deleted = Count{ranks.count()};
    if (deleted.value == 0) return false;
    if (deleted.value <= few) {
      UTAN_TRY(erase_one_by_one(edit, id_, ranks));
      return true;
    }
    UTAN_ASSIGN(const Halves before, split_mapping(edit.build(), mapping, ranks.from));
    UTAN_ASSIGN(const Halves after, split_mapping(edit.build(), Mapping{type_, before.second}, deleted.value));
    UTAN_TRY(edit.leave_to_orphan(type_, after.first));
    UTAN_ASSIGN(const Offset rest,
                join_mappings(edit.build(), Mapping{type_, before.first}, Mapping{type_, after.second}));
    UTAN_TRY(edit.set_root(id_, entry, rest));
    return true;
  }));
  return deleted;
}

}  // namespace utan::object
