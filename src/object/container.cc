#include "object/container.h"

#include <algorithm>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "base/step.h"
#include "object/number.h"
#include "object/operation.h"
#include "tree/positional.h"

namespace utan::object {

using commit::Attachment;
using format::ObjectEntry;
using format::ObjectId;
using format::Tag;
using format::Value;

const char* name_of(ContainerType type) {
  switch (type) {
    case ContainerType::dict:
      return "dict";
    case ContainerType::list:
      return "list";
    case ContainerType::collection:
      return "collection";
    case ContainerType::table:
      return "table";
    case ContainerType::none:
      break;
  }
  return "no container";
}

namespace {

// Where the dots of a path lead, before its last key.
Error no_container(const Value& key) {
  std::string text = key.tag == Tag::string    ? "'" + std::string(key.as_text()) + "'"
                     : key.tag == Tag::integer ? std::to_string(key.as_integer())
                                               : std::string("a key of its path");
  return Error(Code::type, text + " leads to a value that has no parts");
}

// A list takes a number that is written as text, as paths in one piece have them.
Value as_part_of(const ObjectEntry& entry, const Value& key) {
  if (entry.type() != ContainerType::list || key.tag != Tag::string) return key;
  const std::string_view text = key.as_text();
  const bool negative = text.starts_with('-');
  const std::string_view digits = text.substr(negative ? 1 : 0);
  if (digits.empty() || digits.size() > 18 || !std::ranges::all_of(digits, [](char c) { return c >= '0' && c <= '9'; }))
    return key;
  std::int64_t number = 0;
  for (const char c : digits) number = number * 10 + (c - '0');
  return Value::integer(negative ? -number : number);
}

}  // namespace

// --- Handles -----------------------------------------------------------------------------------------------------------

Container::Container(Attachment& attachment, std::shared_ptr<SnapshotPin> snapshot, ObjectId id, ContainerType type,
                     Hold hold)
    : attachment_(&attachment), snapshot_(std::move(snapshot)), id_(id), type_(type), hold_(std::move(hold)) {
  attachment.share();
}

Container::~Container() {
  hold_.release();
  snapshot_.reset();
  if (attachment_ != nullptr) Attachment::close_quietly(attachment_);
}

Result<std::unique_ptr<Container>> Container::open(Attachment& attachment, std::shared_ptr<SnapshotPin> snapshot,
                                                   ObjectId id) {
  Reading reading;
  Result<Loan> found = [&]() -> Result<Loan> {
    UTAN_TRY(reading.open(attachment, snapshot.get()));
    UTAN_ASSIGN(const ObjectEntry entry, reading.entry_of(id));
    if (entry.is_orphan()) return Error(Code::gone, "nothing names the container any more");
    return reading.lend(id);
  }();
  UTAN_TRY(attachment.still_there());  // otherwise "gone" may be answered from zeroes
  if (!found.ok()) return commit::named(std::move(found).error(), attachment.path());
  return of(attachment, std::move(snapshot), std::move(*found));
}

std::unique_ptr<Container> Container::of(Attachment& attachment, std::shared_ptr<SnapshotPin> snapshot, Loan loan) {
  return std::make_unique<Container>(attachment, std::move(snapshot), loan.value().as_container(), loan.type(),
                                     loan.take_hold());
}

Result<std::unique_ptr<Container>> Container::as_seen_by(Attachment& attachment,
                                                         std::shared_ptr<SnapshotPin> snapshot) const {
  if (attachment_ != &attachment)
    return Error(Code::invalid, attachment.path() + ": the container is not of this store");
  Reading reading;
  Result<Loan> found = [&]() -> Result<Loan> {
    UTAN_TRY(reading.open(attachment, snapshot.get()));
    return reading.lend(id_);
  }();
  UTAN_TRY(attachment.still_there());  // otherwise "gone" may be answered from zeroes
  if (!found.ok()) return commit::named(std::move(found).error(), attachment.path());
  return of(attachment, std::move(snapshot), std::move(*found));
}

// --- Reading -----------------------------------------------------------------------------------------------------------

Result<bool> Container::get(const Value& key, Loan& out) const {
  return read([&](Reading& reading, const ObjectEntry& entry) -> Result<bool> {
    format::KeyBuffer buffer;
    Place place;
    UTAN_TRY(find_place(reading.view(), id_, entry, key, buffer, reading.hash_seed(), place));
    if (!place.there) return false;
    UTAN_ASSIGN(out, reading.lend(place.slot));
    return true;
  });
}

Result<bool> Container::contains(const Value& key) const {
  return read([&](Reading& reading, const ObjectEntry& entry) -> Result<bool> {
    format::KeyBuffer buffer;
    Place place;
    UTAN_TRY(find_place(reading.view(), id_, entry, key, buffer, reading.hash_seed(), place));
    return place.there;
  });
}

Result<Count> Container::count() const {
  return read([&](Reading& reading, const ObjectEntry& entry) -> Result<Count> {
    const Offset root{entry.root};
    if (type_ == ContainerType::list) return tree::list_count(reading.view(), root);
    return item_count(reading.view(), Mapping{type_, root});
  });
}

Result<bool> Container::get_at(std::span<const Value> path, Loan& out) const {
  return read([&](Reading& reading, const ObjectEntry& entry) -> Result<bool> {
    if (path.empty()) {
      UTAN_ASSIGN(out, reading.lend(id_));
      return true;
    }
    ObjectId id = id_;
    ObjectEntry at = entry;
    format::KeyBuffer buffer;
    for (std::size_t i = 0;; ++i) {
      Place place;
      UTAN_TRY(find_place(reading.view(), id, at, as_part_of(at, path[i]), buffer, reading.hash_seed(), place));
      if (!place.there) return false;
      if (i + 1 == path.size()) {
        UTAN_ASSIGN(out, reading.lend(place.slot));
        return true;
      }
      if (place.slot.value.tag != Tag::container) return false;
      id = place.slot.value.as_container();
      UTAN_ASSIGN(at, reading.entry_of(id));
    }
  });
}

// --- Writing -----------------------------------------------------------------------------------------------------------

Result<std::unique_ptr<Container>> Container::create(Attachment& attachment, ContainerType type, const Data* data) {
  std::optional<Input> input;
  if (data != nullptr) input.emplace(*data);
  ObjectId id;
  Hold hold;
  UTAN_TRY(write_to(attachment, heap::Room::ordinary, [&](Edit& edit) -> Result<bool> {
    Offset root;
    if (input) {
      UTAN_TRY(input->make_contents(edit, type));
      UTAN_TRY(input->add_to(edit));
      if (type == ContainerType::list) {
        UTAN_ASSIGN(root, tree::list_load(edit.build(), input->words()));
      } else {
        UTAN_ASSIGN(root, load_mapping(edit.build(), type, input->items(), edit.hash_seed()));
      }
    }
    UTAN_ASSIGN(id, edit.ids().take());
    UTAN_TRY(edit.add_container(id, ObjectEntry{root.value, ObjectEntry::make_what(id.generation(), type), 0}));
    // Before it is there: right after its commit it may be looked at as an orphan.
    UTAN_ASSIGN(hold, Hold::take(attachment, id));
    return true;
  }));
  return std::make_unique<Container>(attachment, nullptr, id, type, std::move(hold));
}

// How a value is to be put, besides the value.
struct Container::Put {
  bool only_if_absent = false;
  const Value* expected = nullptr;  // only if this is there
  bool* already = nullptr;          // set if nothing changed because the same container was there
  Loan* now = nullptr;              // gets what is there then
};

// Puts a value into a place that was found. False: nothing changed.
Result<bool> Container::put(Edit& edit, Place& place, Input& value, const Put& how) {
  if (place.entry.type() == ContainerType::list && !place.there) {
    if (how.expected != nullptr) return false;
    return outside_list(place);
  }
  if (how.only_if_absent && place.there) return false;
  if (how.expected != nullptr) {
    if (!place.there) return false;
    UTAN_ASSIGN(const bool same, are_equal(edit.view(), place.slot, *how.expected));
    if (!same) return false;
  }
  UTAN_TRY(value.make(edit));
  if (Edit::holds(place, value.payload())) {
    if (how.already != nullptr) *how.already = true;
    return false;
  }
  UTAN_TRY(value.add_to(edit));
  UTAN_TRY(edit.put(place, value.payload()));
  return true;
}

Result<bool> Container::put(const Value& key, Input& value, const Put& how) {
  format::KeyBuffer buffer;
  return write([&](Edit& edit) -> Result<bool> {
    Place place;
    UTAN_TRY(edit.find(id_, key, buffer, place));
    UTAN_ASSIGN(const bool done, put(edit, place, value, how));
    if (how.now != nullptr && (done || (how.already != nullptr && *how.already))) {
      UTAN_ASSIGN(const Value now, format::from_payload(value.payload().tag, value.payload().bytes));
      UTAN_ASSIGN(*how.now, lend_from(edit, *attachment_, Slot{now, {}}));
    }
    return done;
  });
}

Result<void> Container::set(const Value& key, Input& value) {
  UTAN_TRY(put(key, value, Put{}));
  return {};
}

Result<bool> Container::add(const Value& key, Input& value, Loan* now) {
  if (type_ == ContainerType::list) return no_such("add");
  return put(key, value, Put{true, nullptr, nullptr, now});
}

Result<bool> Container::replace(const Value& key, const Value& expected, Input& value, Loan* now) {
  bool already = false;
  UTAN_ASSIGN(const bool changed, put(key, value, Put{false, &expected, &already, now}));
  return changed || already;
}

Result<bool> Container::erase(const Value& key) {
  format::KeyBuffer buffer;
  return write(heap::Room::reserve, [&](Edit& edit) -> Result<bool> {
    Place place;
    UTAN_TRY(edit.find(id_, key, buffer, place));
    if (!place.there) return false;
    UTAN_TRY(edit.erase(place));
    return true;
  });
}

Result<bool> Container::pop(const Value& key, Loan& out) {
  format::KeyBuffer buffer;
  return write(heap::Room::reserve, [&](Edit& edit) -> Result<bool> {
    Place place;
    UTAN_TRY(edit.find(id_, key, buffer, place));
    if (!place.there) return false;
    UTAN_ASSIGN(out, lend_from(edit, *attachment_, place.slot));
    UTAN_TRY(edit.erase(place));
    return true;
  });
}

Result<bool> Container::set_default(const Value& key, Input& value, Loan& out) {
  if (type_ == ContainerType::list) return no_such("setdefault");
  format::KeyBuffer buffer;
  return write([&](Edit& edit) -> Result<bool> {
    Place place;
    UTAN_TRY(edit.find(id_, key, buffer, place));
    if (place.there) {
      UTAN_ASSIGN(out, lend_from(edit, *attachment_, place.slot));
      return false;
    }
    UTAN_ASSIGN(const bool done, put(edit, place, value, Put{}));
    UTAN_ASSIGN(const Value now, format::from_payload(value.payload().tag, value.payload().bytes));
    UTAN_ASSIGN(out, lend_from(edit, *attachment_, Slot{now, {}}));
    return done;
  });
}

Result<void> Container::increase(const Value& key, const Value& by, Loan& out) {
  if (!is_number(by)) return Error(Code::type, attachment_->path() + ": a value can be increased by a number only");
  format::KeyBuffer buffer;
  std::vector<std::byte> scratch;
  UTAN_TRY(write([&](Edit& edit) -> Result<bool> {
    Place place;
    UTAN_TRY(edit.find(id_, key, buffer, place));
    if (place.there && (!is_number(place.slot.value) || place.slot.large()))
      return Error(Code::type, "the value is no number that can be increased");
    UTAN_ASSIGN(const Value sum, object::add(place.there ? place.slot.value : Value::integer(0), by, scratch));
    UTAN_ASSIGN(out, Loan::copied(sum));
    Input input(sum);
    return put(edit, place, input, Put{});
  }));
  return {};
}

Result<void> Container::clear() {
  UTAN_TRY(write(heap::Room::reserve, [&](Edit& edit) -> Result<bool> {
    UTAN_ASSIGN(const ObjectEntry entry, edit.entry_of(id_));
    if (entry.root == 0) return false;
    UTAN_TRY(edit.leave_to_orphan(type_, Offset{entry.root}));
    UTAN_TRY(edit.set_root(id_, entry, Offset{}));
    return true;
  }));
  return {};
}

namespace {

// Puts entries that all come behind those of a dict or collection there, as packed nodes. False: they do not.
Result<bool> put_behind(Edit& edit, ObjectId id, std::span<const NewItem> items) {
  UTAN_ASSIGN(const ObjectEntry entry, edit.entry_of(id));
  const Mapping mapping{entry.type(), Offset{entry.root}};
  if (mapping.type == ContainerType::table) return false;
  if (mapping.root) {
    ItemCursor cursor(edit.view(), mapping);
    UTAN_TRY(cursor.seek_last());
    if (!cursor.valid()) return false;
    UTAN_ASSIGN(const format::EncodedKey last, format::stored_key(cursor.item().key_tag, cursor.item().key));
    if (format::compare_keys(last, format::made_key(items.front().key_tag, items.front().key)) >= 0) return false;
  }
  UTAN_ASSIGN(const Offset loaded, load_mapping(edit.build(), mapping.type, items, edit.hash_seed()));
  UTAN_ASSIGN(const Offset all, join_mappings(edit.build(), mapping, Mapping{mapping.type, loaded}));
  UTAN_TRY(edit.set_root(id, entry, all));
  return true;
}

}  // namespace

Result<bool> Container::put_all(Edit& edit, Input& input) {
  UTAN_TRY(input.make_contents(edit, type_));
  if (input.items().empty()) return false;
  UTAN_TRY(input.add_to(edit));
  UTAN_ASSIGN(const bool behind, put_behind(edit, id_, input.items()));
  if (behind) return true;
  for (const NewItem& item : input.items()) {
    UTAN_ASSIGN(const ObjectEntry entry, edit.entry_of(id_));
    Place place;
    const format::EncodedKey key = format::made_key(item.key_tag, item.key);
    UTAN_TRY(find_encoded(edit.view(), id_, entry, key, edit.hash_seed(), place));
    UTAN_TRY(edit.put(place, Payload{item.value_tag, item.value}));
  }
  return true;
}

Result<void> Container::update(const Data& data) {
  if (type_ == ContainerType::list) return no_such("update");
  Input input(data);
  UTAN_TRY(write([&](Edit& edit) { return put_all(edit, input); }));
  return {};
}

Result<void> Container::assign(const Data& data) {
  if (type_ == ContainerType::list) return splice(0, std::numeric_limits<std::uint64_t>::max(), data);
  Input input(data);
  UTAN_TRY(write([&](Edit& edit) -> Result<bool> {
    // Before anything is taken out: the data may be refused.
    UTAN_TRY(input.make_contents(edit, type_));
    UTAN_ASSIGN(const ObjectEntry entry, edit.entry_of(id_));
    if (entry.root != 0) {
      UTAN_TRY(edit.leave_to_orphan(type_, Offset{entry.root}));
      UTAN_TRY(edit.set_root(id_, entry, Offset{}));
    }
    UTAN_ASSIGN(const bool put, put_all(edit, input));
    return put || entry.root != 0;
  }));
  return {};
}

// --- Lists -------------------------------------------------------------------------------------------------------------

Error Container::no_such(const char* operation) const {
  return Error(Code::type, attachment_->path() + ": a " + name_of(type_) + " has no " + operation);
}

Result<void> Container::insert(std::int64_t index, Input& value) {
  if (type_ != ContainerType::list) return no_such("insertion by index");
  UTAN_TRY(write([&](Edit& edit) -> Result<bool> {
    UTAN_ASSIGN(const ObjectEntry entry, edit.entry_of(id_));
    const Offset root{entry.root};
    UTAN_ASSIGN(const Count count, tree::list_count(edit.view(), root));
    const auto size = static_cast<std::int64_t>(count.value);
    const std::int64_t at = std::clamp<std::int64_t>(index < 0 ? index + size : index, 0, size);
    UTAN_TRY(value.make(edit));
    UTAN_TRY(value.add_to(edit));
    UTAN_ASSIGN(const format::Word word, edit.make_word(value.payload()));
    UTAN_ASSIGN(const Offset now, tree::list_insert(edit.build(), root, static_cast<std::uint64_t>(at), word));
    UTAN_TRY(edit.set_root(id_, entry, now));
    return true;
  }));
  return {};
}

Result<void> Container::append(Input& value) { return insert(std::numeric_limits<std::int64_t>::max(), value); }

Result<void> Container::splice(std::uint64_t index, std::uint64_t count, const Data& data) {
  if (type_ != ContainerType::list) return no_such("slices");
  Input input(data);
  UTAN_TRY(write([&](Edit& edit) -> Result<bool> {
    UTAN_ASSIGN(const ObjectEntry entry, edit.entry_of(id_));
    return splice(edit, entry, index, count, input);
  }));
  return {};
}

// False: nothing changes.
Result<bool> Container::splice(Edit& edit, const ObjectEntry& entry, std::uint64_t index, std::uint64_t count,
                               Input& input) {
  const Offset root{entry.root};
  UTAN_ASSIGN(const Count size, tree::list_count(edit.view(), root));
  const std::uint64_t from = std::min(index, size.value);
  const std::uint64_t taken = std::min(count, size.value - from);
  UTAN_TRY(input.make_contents(edit, type_));
  if (taken == 0 && input.words().empty()) return false;
  UTAN_TRY(input.add_to(edit));
  UTAN_ASSIGN(const Offset now, edit.splice(root, from, taken, input.words()));
  UTAN_TRY(edit.set_root(id_, entry, now));
  return true;
}

Result<bool> Container::splice_unchanged(const Container& seen, std::uint64_t index, std::uint64_t count,
                                         const Data& data) {
  if (type_ != ContainerType::list) return no_such("slices");
  if (seen.snapshot_ == nullptr || seen.attachment_ != attachment_ || seen.id_ != id_)
    return Error(Code::invalid, attachment_->path() + ": what was seen is not this list in a snapshot");
  UTAN_TRY(seen.snapshot_->usable());
  const commit::Pinned& pinned = seen.snapshot_->pinned();
  UTAN_ASSIGN(const ObjectEntry before, find_entry(pinned.view, pinned.objects(), id_));
  Input input(data);
  bool unchanged = false;
  UTAN_TRY(write([&](Edit& edit) -> Result<bool> {
    UTAN_ASSIGN(const ObjectEntry entry, edit.entry_of(id_));
    // What the snapshot pins is neither changed nor used again: the same root is the same list.
    unchanged = entry.root == before.root;
    if (!unchanged) return false;
    return splice(edit, entry, index, count, input);
  }));
  return unchanged;
}

// --- Paths -------------------------------------------------------------------------------------------------------------

Result<void> Container::set_at(std::span<const Value> path, Input& value, bool exist_ok) {
  if (path.empty()) return Error(Code::invalid, attachment_->path() + ": the path is empty");
  format::KeyBuffer buffer;
  UTAN_TRY(write([&](Edit& edit) -> Result<bool> {
    // Before anything of the path is made: it outlives a lost race, the path does not.
    UTAN_TRY(value.make(edit));
    ObjectId id = id_;
    for (std::size_t i = 0;; ++i) {
      UTAN_ASSIGN(const ObjectEntry entry, edit.entry_of(id));
      Place place;
      UTAN_TRY(find_place(edit.view(), id, entry, as_part_of(entry, path[i]), buffer, edit.hash_seed(), place));
      if (i + 1 == path.size()) {
        if (place.there && !exist_ok) return Error(Code::exists, "there is a value at this path already");
        return put(edit, place, value, Put{});
      }
      if (place.there) {
        if (place.slot.value.tag != Tag::container) return no_container(path[i]);
        id = place.slot.value.as_container();
        continue;
      }
      if (entry.type() == ContainerType::list) return outside_list(place);
      // A dict that is missing.
      UTAN_ASSIGN(const ObjectId made, edit.ids().take());
      UTAN_TRY(
          edit.add_container(made, ObjectEntry{0, ObjectEntry::make_what(made.generation(), ContainerType::dict), 1}));
      UTAN_TRY(edit.put(place, Payload{Tag::container, std::as_bytes(std::span(&made.value, 1))}));
      id = made;
    }
  }));
  return {};
}

}  // namespace utan::object
