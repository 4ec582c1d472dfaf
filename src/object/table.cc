#include <algorithm>
#include <cstdlib>
#include <cstring>

#include "base/check.h"
#include "base/step.h"
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

// A value goes to extents of its own when its record would not fit into one run of segments.
constexpr std::uint64_t record_size_max = format::run_size_max;

Key key_of(Bytes key, std::uint64_t seed) { return {key, Tag::bytes, format::hash_key(key.data(), key.size(), seed)}; }

Error too_large(const char* what, std::uint64_t size, std::uint64_t most) {
  return Error(Code::too_large,
               std::string(what) + " has at most " + std::to_string(most) + " bytes, not " + std::to_string(size));
}

Offset extents_of(const Record* record) {
  std::uint64_t offset;
  std::memcpy(&offset, record->value(), sizeof offset);
  return Offset{offset};
}

// Calls `with(bytes)` for each part of a value, in order, until it answers false.
template <class With>
Result<bool> each_part(const heap::View& view, const Record* record, With&& with) {
  if (!format::is_large(record->value_tag())) return with(Bytes(record->value(), record->value_size));
  const Offset at = extents_of(record);
  const auto* list = view.follow<format::List>(at, format::Kind::list);
  std::uint64_t rest = record->value_size;
  const std::uint64_t count = (rest + format::extent_payload_max - 1) / format::extent_payload_max;
  if (list == nullptr || list->count != count || format::List::size_for(count) > view.size().value - at.value) {
    return view.damage(at, format::Kind::list);
  }
  for (std::uint64_t i = 0; i < count; ++i) {
    const Offset offset = format::ReplacedEntry{list->entries()[i]}.offset();
    const auto* extent = view.follow<format::Extent>(offset, format::Kind::extent);
    const std::uint64_t size = std::min(rest, format::extent_payload_max);
    if (extent == nullptr || sizeof(format::Extent) + size > view.size().value - offset.value) {
      return view.damage(offset, format::Kind::extent);
    }
    if (!with(Bytes(reinterpret_cast<const std::byte*>(extent + 1), size))) return false;
    rest -= size;
  }
  return true;
}

Result<std::byte*> copy_large(const heap::View& view, const Record* record) {
  auto* copy = static_cast<std::byte*>(std::malloc(std::max<std::size_t>(record->value_size, 1)));
  if (copy == nullptr)
    return Error(Code::memory, "no memory for a value of " + std::to_string(record->value_size) + " bytes");
  std::byte* end = copy;
  Result<bool> done = each_part(view, record, [&end](Bytes part) {
    std::memcpy(end, part.data(), part.size());
    end += part.size();
    return true;
  });
  if (done.ok()) return copy;
  std::free(copy);
  return std::move(done).error();
}

Result<bool> equals(const heap::View& view, const Record* record, Bytes expected) {
  if (record->value_size != expected.size()) return false;
  std::size_t at = 0;
  return each_part(view, record, [&](Bytes part) {
    const bool same = part.empty() || std::memcmp(part.data(), expected.data() + at, part.size()) == 0;
    at += part.size();
    return same;
  });
}

void seal(Record* record, std::uint64_t size) {
  record->header.checksum += format::checksum_payload(&record->key_size, size - sizeof(format::BlockHeader));
}

Result<Offset> make_large_record(heap::Build& build, Bytes key, Bytes value) {
  const std::uint64_t count = (value.size() + format::extent_payload_max - 1) / format::extent_payload_max;
  UTAN_ASSIGN(const heap::Made<format::List> list,
              build.make<format::List>(format::Kind::list, ByteCount{format::List::size_for(count)}, 0));
  list.at->drained = 0;
  list.at->count = count;
  for (std::uint64_t i = 0; i < count; ++i) {
    const Bytes part = value.subspan(
        i * format::extent_payload_max,
        std::min<std::uint64_t>(value.size() - i * format::extent_payload_max, format::extent_payload_max));
    UTAN_ASSIGN(const heap::Made<format::Extent> extent,
                build.make<format::Extent>(format::Kind::extent, ByteCount{sizeof(format::Extent) + part.size()}, 0));
    std::memcpy(extent.at + 1, part.data(), part.size());
    extent.at->header.checksum += format::checksum_payload(part.data(), part.size());
    list.at->entries()[i] = format::ReplacedEntry::make(extent.offset, format::ReplacedEntry::How::block).word;
  }
  list.at->header.checksum += format::checksum_words(list.at, format::list_checksum_first_word, 1 + count);
  const std::uint64_t size = sizeof(Record) + key.size() + sizeof(std::uint64_t);
  const auto aux = static_cast<std::uint16_t>(static_cast<unsigned>(Tag::bytes) |
                                              (static_cast<unsigned>(Tag::bytes | Tag::large) << 8));
  UTAN_ASSIGN(const heap::Made<Record> record, build.make<Record>(format::Kind::record, ByteCount{size}, aux));
  record.at->key_size = static_cast<std::uint32_t>(key.size());
  record.at->value_size = static_cast<std::uint32_t>(value.size());
  auto* bytes = reinterpret_cast<std::byte*>(record.at + 1);
  if (!key.empty()) std::memcpy(bytes, key.data(), key.size());
  std::memcpy(bytes + key.size(), &list.offset.value, sizeof list.offset.value);
  seal(record.at, size);
  return record.offset;
}

Result<Offset> make_record(heap::Build& build, Bytes key, Bytes value) {
  const std::uint64_t size = sizeof(Record) + key.size() + value.size();
  if (size > record_size_max) [[unlikely]]
    return make_large_record(build, key, value);
  constexpr auto aux =
      static_cast<std::uint16_t>(static_cast<unsigned>(Tag::bytes) | (static_cast<unsigned>(Tag::bytes) << 8));
  UTAN_ASSIGN(const heap::Made<Record> record, build.make<Record>(format::Kind::record, ByteCount{size}, aux));
  record.at->key_size = static_cast<std::uint32_t>(key.size());
  record.at->value_size = static_cast<std::uint32_t>(value.size());
  auto* bytes = reinterpret_cast<std::byte*>(record.at + 1);
  if (!key.empty()) std::memcpy(bytes, key.data(), key.size());
  if (!value.empty()) std::memcpy(bytes + key.size(), value.data(), value.size());
  seal(record.at, size);
  return record.offset;
}

void drop_record(heap::Build& build, const FoundRecord& found) {
  if (format::is_large(found.record->value_tag())) build.drop_list(extents_of(found.record));
  build.drop(found.offset, &found.record->header);
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
  snapshot_.reset();
  static_cast<void>(commit::Attachment::close(attachment_));
}

Result<bool> Table::get(Bytes key, Value& out) const {
  if (snapshot_ != nullptr) [[unlikely]]
    return get_from_snapshot(key, out);
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
    return std::move(error).in(attachment_->path());
  }
  const Record* record = found.record.record;
  if (format::is_large(record->value_tag())) [[unlikely]] {
    const std::uint64_t size = record->value_size;
    Result<std::byte*> copy = copy_large(pinned.view, record);
    thread->unpin(pin);
    if (!copy.ok()) return std::move(copy).error().in(attachment_->path());
    out = Value{copy.value(), size, nullptr, 0, copy.value()};
    return true;
  }
  out = Value{record->value(), record->value_size, thread, pin, nullptr};
  return true;
}

Result<bool> Table::get_from_snapshot(Bytes key, Value& out) const {
  UTAN_TRY(snapshot_->usable());
  const Pinned& pinned = snapshot_->pinned();
  UTAN_ASSIGN(commit::Session* const session, attachment_->session());
  Found found;
  if (!look_up(pinned, id_, key_of(key, session->hash_seed()), found)) {
    if (is_absent(found)) return false;
    return failure(pinned, found).in(attachment_->path());
  }
  const Record* record = found.record.record;
  out = Value{record->value(), record->value_size, nullptr, 0, nullptr};
  if (format::is_large(record->value_tag())) {
    UTAN_ASSIGN(out.copy, copy_large(pinned.view, record));
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
    if (object.status == Status::damaged) return damage(pinned.view, object).in(attachment_->path());
    if (object.status == Status::missing)
      return Error(Code::closed, attachment_->path() + ": the table is not there any more");
    return tree::record_count(pinned.view, Offset{object.entry->root});
  };
  if (snapshot_ != nullptr) {
    UTAN_TRY(snapshot_->usable());
    return count_in(snapshot_->pinned());
  }
  UTAN_ASSIGN(Thread* const thread, attachment_->thread());
  Pinned pinned;
  UTAN_ASSIGN(const unsigned pin, thread->pin(pinned));
  Result<Count> out = count_in(pinned);
  thread->unpin(pin);
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
  Result<bool> changed = thread->commit([&](heap::Build& build, const Pinned& base, Draft& draft) -> Result<bool> {
    const FoundObject object = tree::find_object(base.view, draft.objects, id_);
    if (object.status == Status::damaged) return damage(base.view, object);
    if (object.status == Status::missing) return Error(Code::closed, "the table is not there any more");
    format::ObjectEntry entry = *object.entry;
    const FoundRecord found = tree::find_record_here(base.view, Offset{entry.root}, key);
    if (found.status == Status::damaged) return damage(base.view, found);
    const bool there = found.status == Status::found;
    switch (write.what) {
      case Write::What::put:
        break;
      case Write::What::add:
        if (there) return false;
        break;
      case Write::What::replace: {
        if (!there) return false;
        UTAN_ASSIGN(const bool same, equals(base.view, found.record, write.expected));
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
        UTAN_ASSIGN(record, make_record(build, write.key, write.value));
        build.keep_made();
        step(Step::build_record_written);
      }
      if (there) {
        UTAN_ASSIGN(root, tree::replace_record(build, Offset{entry.root}, found, key, record));
      } else {
        UTAN_ASSIGN(root, tree::insert_record(build, Offset{entry.root}, seed, found, key, record));
      }
    }
    if (there) drop_record(build, found);
    entry.root = root.value;
    UTAN_TRY(tree::set_object(build, draft.objects, id_, entry));
    return true;
  });
  if (!changed.ok()) [[unlikely]]
    return std::move(changed).error().in(attachment_->path());
  return changed;
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
  if (object.status == Status::damaged) return damage(pinned.view, object).in(table.attachment().path());
  if (object.status == Status::missing) {
    return Error(Code::closed, table.attachment().path() + ": the table is not there any more");
  }
  return std::unique_ptr<Cursor>(
      new Cursor(std::move(snapshot), tree::TableWalk(pinned.view, Offset{object.entry->root})));
}

Result<bool> Cursor::next(Bytes& key, Bytes& value) {
  UTAN_TRY(snapshot_->usable());
  UTAN_ASSIGN(const Record* record, walk_.next());
  if (record == nullptr) return false;
  key = Bytes(record->key(), record->key_size);
  value = Bytes(record->value(), record->value_size);
  if (format::is_large(record->value_tag())) {
    UTAN_ASSIGN(std::byte* const copy, copy_large(snapshot_->pinned().view, record));
    copy_.reset(copy);
    value = Bytes(copy, record->value_size);
  }
  return true;
}

}  // namespace utan::object
