#include <algorithm>
#include <cstdlib>
#include <cstring>

#include "base/check.h"
#include "base/step.h"
#include "commit/place.h"
#include "object/orphans.h"
#include "object/store.h"
#include "tree/table_find.h"

namespace utan::object {

using commit::Draft;
using commit::Pinned;
using commit::Thread;
using format::Record;
using format::Tag;
using tree::FoundObject;
using tree::FoundRecord;
using tree::Key;
using tree::Status;

namespace {

Key key_of(Bytes key, std::uint64_t seed) { return {key, Tag::bytes, format::hash_key(key.data(), key.size(), seed)}; }

Error too_large(const char* what, std::uint64_t size, std::uint64_t most) {
  return Error(Code::too_large,
               std::string(what) + " has at most " + std::to_string(most) + " bytes, not " + std::to_string(size));
}

Error damage(const heap::View& view, const FoundObject& found) { return view.damage(found.at, found.expected); }
Error damage(const heap::View& view, const FoundRecord& found) { return view.damage(found.damaged, found.expected); }

}  // namespace

// --- Reading ---------------------------------------------------------------------------------------------------------

void Value::release() {
  // In a child made by fork the pin is its parent's.
  if (thread != nullptr && !thread->session().forked()) thread->unpin(pin);
  std::free(copy);
  *this = Value{};
}

namespace {

// What was found of a key in a pinned commit: the container and, if there is one, the record.
struct Found {
  FoundObject object;
  FoundRecord record;
};

bool look_up(const Pinned& pinned, format::ObjectId id, const Key& key, Found& out) {
  out.object = tree::find_object(pinned.view, pinned.objects(), id);
  if (out.object.status != Status::found) [[unlikely]]
    return false;
  if (out.object.entry->root == 0) [[unlikely]]
    return false;  // an empty table; `record` says missing
  out.record = tree::find_record(pinned.view, Offset{out.object.entry->root}, key);
  return out.record.status == Status::found;
}

// Why a look-up found nothing, if it is not that the key is absent.
[[gnu::cold, gnu::noinline]] Error failure(const Pinned& pinned, const Found& found) {
  if (found.object.status == Status::damaged) return damage(pinned.view, found.object);
  if (found.object.status == Status::missing) return Error(Code::closed, "the table is not there any more");
  return damage(pinned.view, found.record);
}
bool is_absent(const Found& found) {
  return found.object.status == Status::found && found.record.status == Status::missing;
}

}  // namespace

Table::~Table() {
  hold_.release();
  snapshot_.reset();
  commit::Attachment::close_quietly(attachment_);
}

Result<bool> Table::get(Bytes key, Value& out) const {
  Result<bool> found = snapshot_ == nullptr ? get_newest(key, out) : get_from_snapshot(key, out);
  // That something is missing, gone or of another type is no answer from zeroes, nor is a copy of them.
  if (Result<void> there = attachment_->still_there(); !there.ok()) [[unlikely]] {
    if (found.ok() && *found) out.release();
    return std::move(there).error();
  }
  return found;
}

Result<bool> Table::get_newest(Bytes key, Value& out) const {
  UTAN_ASSIGN(Thread* const thread, attachment_->thread());
  const Key wanted = key_of(key, thread->hash_seed());
  Pinned pinned;
  UTAN_ASSIGN(const unsigned pin, thread->pin(pinned));
  Found found;
  if (!look_up(pinned, id_, wanted, found)) {
    if (is_absent(found)) [[likely]] {
      thread->unpin(pin);
      return false;
    }
    Error error = failure(pinned, found);
    thread->unpin(pin);
    return commit::named(std::move(error), attachment_->path());
  }
  const Record* record = found.record.record;
  if (format::base_tag(record->value_tag()) != Tag::bytes) [[unlikely]] {
    thread->unpin(pin);
    return no_bytes();
  }
  if (format::is_large(record->value_tag())) [[unlikely]] {
    const std::uint64_t size = record->value_size();
    Result<std::byte*> copy = copy_of(pinned.view, stored_in(record));
    thread->unpin(pin);
    if (!copy.ok()) return commit::named(std::move(copy).error(), attachment_->path());
    out = Value{copy.value(), size, nullptr, 0, copy.value()};
    return true;
  }
  out = Value{record->value(), record->value_size(), thread, pin, nullptr};
  return true;
}

Error Table::no_bytes() const {
  return Error(Code::type, attachment_->path() + ": the value is of another type than bytes");
}

Result<bool> Table::get_from_snapshot(Bytes key, Value& out) const {
  UTAN_TRY(snapshot_->usable());
  const Pinned& pinned = snapshot_->pinned();
  UTAN_ASSIGN(commit::Session* const session, attachment_->session());
  Found found;
  if (!look_up(pinned, id_, key_of(key, session->hash_seed()), found)) {
    if (is_absent(found)) return false;
    return commit::named(failure(pinned, found), attachment_->path());
  }
  const Record* record = found.record.record;
  if (format::base_tag(record->value_tag()) != Tag::bytes) return no_bytes();
  out = Value{record->value(), record->value_size(), nullptr, 0, nullptr};
  if (format::is_large(record->value_tag())) {
    UTAN_ASSIGN(out.copy, copy_of(pinned.view, stored_in(record)));
    out.data = out.copy;
  }
  return true;
}

Result<bool> Table::contains(Bytes key) const {
  Value value;
  UTAN_ASSIGN(const bool found, get(key, value));
  if (found) value.release();
  return found;
}

Result<Count> Table::count() const {
  const auto count_in = [this](const Pinned& pinned) -> Result<Count> {
    const FoundObject object = tree::find_object(pinned.view, pinned.objects(), id_);
    if (object.status == Status::damaged) return commit::named(damage(pinned.view, object), attachment_->path());
    if (object.status == Status::missing)
      return Error(Code::closed, attachment_->path() + ": the table is not there any more");
    if (object.entry->root == 0) return Count{0};
    return tree::record_count(pinned.view, Offset{object.entry->root});
  };
  if (snapshot_ != nullptr) {
    UTAN_TRY(snapshot_->usable());
    Result<Count> out = count_in(snapshot_->pinned());
    UTAN_TRY(attachment_->still_there());
    return out;
  }
  UTAN_ASSIGN(Thread* const thread, attachment_->thread());
  Pinned pinned;
  UTAN_ASSIGN(const unsigned pin, thread->pin(pinned));
  Result<Count> out = count_in(pinned);
  thread->unpin(pin);
  UTAN_TRY(attachment_->still_there());
  return out;
}

// --- Writing ---------------------------------------------------------------------------------------------------------

// One operation on one key. Applied to whatever commit is newest, as often as it takes.
struct Table::Write {
  enum class What { put, add, replace, erase };
  What what;
  Bytes key;
  Bytes expected;
  Bytes value;
};

Result<bool> Table::write(const Write& write) {
  if (snapshot_ != nullptr) return Error(Code::read_only, attachment_->path() + ": a snapshot cannot be written");
  if (write.key.size() > format::key_size_max) return too_large("a key", write.key.size(), format::key_size_max);
  if (write.value.size() > format::value_size_max)
    return too_large("a value", write.value.size(), format::value_size_max);
  UTAN_ASSIGN(Thread* const thread, attachment_->thread());
  const std::uint64_t seed = thread->hash_seed();
  const Key key = key_of(write.key, seed);
  Offset record;  // made once, kept across lost races
  bool left = false;
  // Nothing is done here; what is to be done, Container does.
  const auto leave = [&left](bool something) {
    left = something;
    return Result<bool>(false);
  };
  const auto apply = [&](heap::Build& build, const Pinned& base, Draft& draft) -> Result<bool> {
    const FoundObject object = tree::find_object(base.view, draft.objects, id_);
    if (object.status == Status::damaged) return damage(base.view, object);
    if (object.status == Status::missing) return Error(Code::closed, "the table is not there any more");
    format::ObjectEntry entry = *object.entry;
    // Its first bucket is made with its first record, in the one long way for all values.
    if (entry.root == 0) return leave(write.what != Write::What::replace && write.what != Write::What::erase);
    FoundRecord found;
    tree::find_record_here(base.view, Offset{entry.root}, key, found);
    if (found.status == Status::damaged) return damage(base.view, found);
    const bool there = found.status == Status::found;
    if (there && found.record->value_tag() == Tag::container) return leave(write.what != Write::What::add);
    switch (write.what) {
      case Write::What::put:
        break;
      case Write::What::add:
        if (there) return false;
        break;
      case Write::What::replace: {
        if (!there) return false;
        UTAN_ASSIGN(const bool same, is_same(base.view, stored_in(found.record), Payload{Tag::bytes, write.expected}));
        if (!same) return false;
        break;
      }
      case Write::What::erase:
        if (!there) return false;
        break;
    }
    Offset root;
    if (write.what == Write::What::erase) {
      UTAN_ASSIGN(root, tree::erase_record(build, Offset{entry.root}, seed, found));
    } else {
      if (!record) {
        UTAN_ASSIGN(record, make_record(build, Tag::bytes, write.key, Payload{Tag::bytes, write.value}));
        build.keep_made();
        step(Step::build_record_written);
      }
      if (there) {
        UTAN_ASSIGN(root, tree::replace_record(build, Offset{entry.root}, found, record));
      } else {
        UTAN_ASSIGN(root, tree::insert_record(build, Offset{entry.root}, seed, found, record));
      }
    }
    if (there) drop_record(build, found.record, found.offset);
    entry.root = root.value;
    UTAN_TRY(tree::set_object(build, draft.objects, id_, entry));
    return true;
  };
  const heap::Room room = write.what == Write::What::erase ? heap::Room::reserve : heap::Room::ordinary;
  Result<bool> changed = thread->commit(room, apply);
  if (changed.code() == Code::no_space) [[unlikely]] {
    make_room(*thread);
    record = Offset{};
    changed = thread->commit(room, apply);
  }
  if (!changed.ok()) [[unlikely]] {
    UTAN_TRY(attachment_->still_there());
    return commit::named(std::move(changed).error(), attachment_->path());
  }
  if (left) return write_as_container(write);
  if (*changed && !thread->leftovers().orphans.empty()) [[unlikely]]
    after_write(*attachment_, *thread, {});
  return changed;
}

Result<bool> Table::write_as_container(const Write& write) {
  UTAN_ASSIGN(Hold hold, Hold::take(*attachment_, id_));
  Container container(*attachment_, nullptr, id_, format::ContainerType::table, std::move(hold));
  const format::Value key = format::Value::binary(write.key);
  Input value(format::Value::binary(write.value));
  switch (write.what) {
    case Write::What::put:
      UTAN_TRY(container.set(key, value));
      return true;
    case Write::What::add:
      return container.add(key, value);
    case Write::What::replace:
      return container.replace(key, format::Value::binary(write.expected), value);
    case Write::What::erase:
      break;
  }
  return container.erase(key);
}

Result<bool> Table::put(Bytes key, Bytes value, Put how) {
  return write({how == Put::always ? Write::What::put : Write::What::add, key, {}, value});
}
Result<bool> Table::replace(Bytes key, Bytes expected, Bytes value) {
  return write({Write::What::replace, key, expected, value});
}
Result<bool> Table::erase(Bytes key) { return write({Write::What::erase, key, {}, {}}); }

// --- Iterating -------------------------------------------------------------------------------------------------------

Result<std::unique_ptr<Cursor>> Cursor::open(const Table& table) {
  std::shared_ptr<SnapshotPin> snapshot = table.snapshot();
  if (snapshot == nullptr) {
    UTAN_ASSIGN(snapshot, SnapshotPin::take(table.attachment()));
  }
  UTAN_TRY(snapshot->usable());
  const Pinned& pinned = snapshot->pinned();
  const FoundObject object = tree::find_object(pinned.view, pinned.objects(), table.id());
  UTAN_TRY(table.attachment().still_there());
  if (object.status == Status::damaged) return commit::named(damage(pinned.view, object), table.attachment().path());
  if (object.status == Status::missing) {
    return Error(Code::closed, table.attachment().path() + ": the table is not there any more");
  }
  return std::unique_ptr<Cursor>(
      new Cursor(std::move(snapshot), tree::TableWalk(pinned.view, Offset{object.entry->root})));
}

Result<bool> Cursor::next(Bytes& key, Bytes& value) {
  UTAN_TRY(snapshot_->usable());
  Result<bool> more = advance(key, value);
  // Nor does it end where zeroes begin.
  UTAN_TRY(snapshot_->usable_until_now());
  return more;
}

Result<bool> Cursor::advance(Bytes& key, Bytes& value) {
  UTAN_ASSIGN(const Record* record, walk_.next());
  if (record == nullptr) return false;
  if (record->key_tag() != Tag::bytes || format::base_tag(record->value_tag()) != Tag::bytes)
    return Error(Code::type, "the table has a key or value of another type than bytes");
  key = Bytes(record->key(), record->key_size());
  value = Bytes(record->value(), record->value_size());
  if (format::is_large(record->value_tag())) {
    UTAN_ASSIGN(std::byte* const copy, copy_of(snapshot_->pinned().view, stored_in(record)));
    copy_.reset(copy);
    value = Bytes(copy, record->value_size());
  }
  return true;
}

}  // namespace utan::object
